"""Wide residual networks, which papers on robustness train on CIFAR."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from keras_freq._core.checks import check_whole
from keras_freq.models._blocks import conv, count_repeats, drop, norm, relu
from keras_freq.models._classifier import CIFAR10_MEAN, CIFAR10_STD, make_classifier


def wide_resnet(
    depth: int = 40,
    width: int = 2,
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
    """The wide residual network WRN-`depth`-`width`: pixels in [0, 1] in, logits out.

    A 3 x 3 convolution to 16 channels, then three stages of `(depth - 4) / 6` blocks with `16 width`,
    `32 width` and `64 width` channels. A block normalizes, activates and convolves (3 x 3), twice; the first
    of stages two and three halves height and width. Where the number of channels changes, the shortcut is a
    1 x 1 convolution of the activated features. Images are channels last, whatever Keras is configured for.

    =========  ======  =============  ================================
    network    blocks  channels       trainable parameters, 10 classes
    =========  ======  =============  ================================
    WRN-16-4   3 x 2   64, 128, 256   2,748,890
    WRN-40-2   3 x 6   32, 64, 128    2,243,546
    WRN-28-10  3 x 4   160, 320, 640  36,479,194
    WRN-34-10  3 x 5   160, 320, 640  46,160,474
    =========  ======  =============  ================================

    Args:
        depth: Number of layers, `6n + 4` for n blocks per stage: 10, 16, 22, 28, 34, 40, ...
        width: Factor by which it is wider than a network of 16, 32 and 64 channels, at least 1.
        input_shape: `(height, width, channels)`; height and width may be `None`, odd or different.
        classes: Number of classes, at least 2.
        normalization: `"batch"`; `"batch_statistics"` for batch normalization with the statistics of the
            batch in inference too, so that predictions depend on the other images of the batch
            (`keras_freq.models.BatchStatisticsNormalization`); or `None` for a network without: its
            convolutions have biases, and the last one of every block starts at zero.
        dropout: Share of the features that is dropped in training between the two convolutions of every
            block, from 0 to below 1. The paper's is 0 or 0.3. With 0 there are no such layers.
        seed: Seed of the dropout, for the same draws in every run.
        mean: Mean of the pixels, a number or one per channel. The default is that of CIFAR-10.
        std: Standard deviation of the pixels, likewise.
        name: Name of the model, by default `wide_resnet<depth>_<width>`.

    Returns:
        A functional `keras.Model`: `(batch, height, width, channels)` in [0, 1] to logits `(batch, classes)`.
        Its first layer computes `(pixels - mean) / std`.

    Raises:
        ValueError: if an argument is not one of those above.

    Source: Zagoruyko and Komodakis, "Wide Residual Networks", BMVC 2016, table 1 and section 2.
        Differs from the original: initialized by the number of inputs of a convolution, not of its outputs.

    Example:
        >>> model = keras_freq.models.wide_resnet(10, 1, classes=100)
        >>> model.name, model.output_shape
        ('wide_resnet10_1', (None, 100))
    """
    blocks = count_repeats(depth, 6, 4)
    check_whole(width, "width")

    def body(x):
        x = conv(x, 16, 3, bias=normalization is None, name="stem")
        for stage in range(3):
            for index in range(blocks):
                x = _block(
                    x,
                    16 * width * 2**stage,
                    2 if stage > 0 and index == 0 else 1,
                    normalization,
                    dropout,
                    seed,
                    name=f"stage{stage + 1}_block{index + 1}",
                )
        return relu(norm(x, normalization, name="last_norm"), name="last_relu")

    return make_classifier(
        body,
        input_shape,
        classes,
        normalization=normalization,
        dropout=dropout,
        seed=seed,
        mean=mean,
        std=std,
        name=name or f"wide_resnet{depth}_{width}",
    )


def _block(
    x: keras.KerasTensor,
    filters: int,
    strides: int,
    normalization: str | None,
    dropout: float,
    seed: int | None,
    *,
    name: str,
) -> keras.KerasTensor:
    bias = normalization is None
    y = relu(norm(x, normalization, name=f"{name}_norm1"), name=f"{name}_relu1")
    if strides > 1 or x.shape[-1] != filters:
        x = conv(y, filters, 1, strides=strides, bias=bias, name=f"{name}_shortcut")
    y = conv(y, filters, 3, strides=strides, bias=bias, name=f"{name}_conv1")
    y = relu(norm(y, normalization, name=f"{name}_norm2"), name=f"{name}_relu2")
    y = drop(y, dropout, seed, name=f"{name}_dropout")
    y = conv(y, filters, 3, bias=bias, zero=bias, name=f"{name}_conv2")
    return keras.layers.Add(name=f"{name}_add")([x, y])
