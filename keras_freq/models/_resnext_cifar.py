"""Residual networks of grouped convolutions for CIFAR."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from keras_freq._core.checks import check_whole
from keras_freq.models._blocks import bottleneck_block, conv, count_repeats, norm, relu
from keras_freq.models._classifier import CIFAR10_MEAN, CIFAR10_STD, make_classifier


def resnext_cifar(
    depth: int = 29,
    cardinality: int = 4,
    width: int = 32,
    input_shape: tuple[int | None, int | None, int] = (32, 32, 3),
    classes: int = 10,
    *,
    normalization: str | None = "batch",
    dropout: float = 0.0,
    seed: int | None = None,
    mean: float | Sequence[float] = CIFAR10_MEAN,
    std: float | Sequence[float] = CIFAR10_STD,
    name: str | None = None,
) -> keras.Model:
    """A residual network of grouped convolutions for small images: pixels in [0, 1] in, logits out.

    A 3 x 3 convolution to 64 channels, then three stages of `(depth - 2) / 9` bottlenecks: 1 x 1 to
    `D = cardinality * width` channels, 3 x 3 in `cardinality` groups, 1 x 1 to 256. Each further stage halves
    height and width and doubles both numbers of channels. Where the shape changes, the shortcut is a 1 x 1
    convolution. Images are channels last, whatever Keras is configured for.

    ===============================  ================  ==============  ================================
    network                          D by stage        channels out    trainable parameters, 10 classes
    ===============================  ================  ==============  ================================
    ResNeXt-29, 4x32d (AugMix, APR)  128, 256, 512     256, 512, 1024  6,807,882
    ResNeXt-29, 8x64d                512, 1024, 2048   256, 512, 1024  34,426,698
    ResNeXt-29, 16x64d               1024, 2048, 4096  256, 512, 1024  68,155,210
    ===============================  ================  ==============  ================================

    Args:
        depth: Number of layers, `9n + 2` for n blocks per stage: 11, 20, 29, 38, ...
        cardinality: Number of groups, at least 1.
        width: Channels of a group in the first stage, at least 1.
        input_shape: `(height, width, channels)`; height and width may be `None`, odd or different.
        classes: Number of classes, at least 2.
        normalization: `"batch"`; `"batch_statistics"` for batch normalization with the statistics of the
            batch in inference too, so that predictions depend on the other images of the batch
            (`keras_freq.models.BatchStatisticsNormalization`); or `None` for a network without: its
            convolutions have biases, and the last one of every block starts at zero.
        dropout: Share of the pooled features that is dropped in training, in front of the last layer, from 0
            to below 1. With 0 there is no such layer.
        seed: Seed of the dropout, for the same draws in every run.
        mean: Mean of the pixels, a number or one per channel. The default is that of CIFAR-10.
        std: Standard deviation of the pixels, likewise.
        name: Name of the model, by default `resnext<depth>_<cardinality>x<width>d`.

    Returns:
        A functional `keras.Model`: `(batch, height, width, channels)` in [0, 1] to logits `(batch, classes)`.
        Its first layer computes `(pixels - mean) / std`. To load it from a file, import `keras_freq` first:
        its grouped convolutions are `keras_freq.models.GroupedConv2D`.

    Raises:
        ValueError: if an argument is not one of those above.

    Source: Xie, Girshick, Dollar, Tu and He, "Aggregated Residual Transformations for Deep Neural Networks",
        CVPR 2017, section 5.3, in the form of figure 3c.
        Differs from the original: initialized by the number of inputs of a convolution, not of its outputs.

    Example:
        >>> model = keras_freq.models.resnext_cifar(11, 2, 4, classes=100)
        >>> model.name, model.output_shape
        ('resnext11_2x4d', (None, 100))
    """
    blocks = count_repeats(depth, 9, 2)
    check_whole(cardinality, "cardinality")
    check_whole(width, "width")

    def body(x):
        x = conv(x, 64, 3, bias=normalization is None, name="stem")
        x = relu(norm(x, normalization, name="stem_norm"), name="stem_relu")
        for stage in range(3):
            for index in range(blocks):
                x = bottleneck_block(
                    x,
                    cardinality * width * 2**stage,
                    256 * 2**stage,
                    2 if stage > 0 and index == 0 else 1,
                    normalization,
                    groups=cardinality,
                    name=f"stage{stage + 1}_block{index + 1}",
                )
        return x

    return make_classifier(
        body,
        input_shape,
        classes,
        normalization=normalization,
        dropout=dropout,
        drop_pooled=True,
        seed=seed,
        mean=mean,
        std=std,
        name=name or f"resnext{depth}_{cardinality}x{width}d",
    )
