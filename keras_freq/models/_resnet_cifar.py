"""The residual networks that papers train on CIFAR."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras

from keras_freq._core.checks import check_whole, show
from keras_freq.models._blocks import (
    bottleneck_block,
    conv,
    norm,
    pad_shortcut,
    project_shortcut,
    relu,
)
from keras_freq.models._classifier import CIFAR10_MEAN, CIFAR10_STD, make_classifier

# Depth: (bottleneck blocks, width of the first stage, blocks per stage).
_DESIGNS = {
    18: (False, 64, (2, 2, 2, 2)),
    20: (False, 16, (3, 3, 3)),
    32: (False, 16, (5, 5, 5)),
    50: (True, 64, (3, 4, 6, 3)),
}


def resnet_cifar(
    depth: int,
    input_shape: tuple[int | None, int | None, int] = (32, 32, 3),
    classes: int = 10,
    *,
    width: int | None = None,
    normalization: str | None = "batch",
    dropout: float = 0.0,
    seed: int | None = None,
    mean: float | Sequence[float] = CIFAR10_MEAN,
    std: float | Sequence[float] = CIFAR10_STD,
    name: str | None = None,
) -> keras.Model:
    """A residual network for images of about 32 pixels: pixels in [0, 1] in, logits out.

    All start with a 3 x 3 convolution of stride 1 without pooling and activate after the addition.

    =====  =========================  ==================  =============================  ====================
    depth  blocks                     widths              shortcut where shapes change   trainable, 10 classes
    =====  =========================  ==================  =============================  ====================
    18     4 x 2, two 3 x 3           64, 128, 256, 512   1 x 1 convolution              11,173,962
    20     3 x 3, two 3 x 3           16, 32, 64          none: zeros fill the channels  269,722
    32     3 x 5, two 3 x 3           16, 32, 64          none: zeros fill the channels  464,154
    50     3 + 4 + 6 + 3 bottlenecks  64 to 512, times 4  1 x 1 convolution              23,520,842
    =====  =========================  ==================  =============================  ====================

    Images are channels last, whatever Keras is configured for.

    Args:
        depth: 18, 20, 32 or 50.
        input_shape: `(height, width, channels)`; height and width may be `None`, odd or different.
        classes: Number of classes, at least 2.
        width: Filters of the first stage; every further stage has twice as many. `None` takes the published
            width of the table.
        normalization: `"batch"`; `"batch_statistics"` for batch normalization with the statistics of the
            batch in inference too, so that predictions depend on the other images of the batch
            (`keras_freq.models.BatchStatisticsNormalization`); or `None` for a network without: its
            convolutions have biases, and the last one of every block starts at zero, so that activations keep
            their size at any depth.
        dropout: Share of the pooled features that is dropped in training, in front of the last layer, from 0
            to below 1. With 0 there is no such layer.
        seed: Seed of the dropout, for the same draws in every run.
        mean: Mean of the pixels, a number or one per channel. The default is that of CIFAR-10.
        std: Standard deviation of the pixels, likewise.
        name: Name of the model, by default `resnet<depth>_cifar`.

    Returns:
        A functional `keras.Model`: `(batch, height, width, channels)` in [0, 1] to logits `(batch, classes)`.
        Its first layer computes `(pixels - mean) / std`.

    Raises:
        ValueError: if an argument is not one of those above.

    Source: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2 (20
        and 32) and table 1 (18 and 50, here with the stem for small images that is customary for CIFAR).
        Differs from the original: in depth 50 the stride sits in the 3 x 3 convolution; pixels are normalized
        by the mean and standard deviation of each channel, where the original subtracts the mean of each
        pixel.

    Example:
        >>> keras_freq.models.resnet_cifar(20, classes=100).output_shape
        (None, 100)
    """
    if isinstance(depth, bool) or depth not in _DESIGNS:
        raise ValueError(
            f"`depth` must be one of {', '.join(map(str, _DESIGNS))}. Received: depth={show(depth)}"
        )
    bottleneck, published, blocks = _DESIGNS[depth]
    first = check_whole(published if width is None else width, "width")
    shortcut = pad_shortcut if len(blocks) == 3 else project_shortcut

    def body(x):
        x = conv(x, first, 3, bias=normalization is None, name="stem")
        x = relu(norm(x, normalization, name="stem_norm"), name="stem_relu")
        for stage, count in enumerate(blocks):
            filters = first * 2**stage
            for index in range(count):
                strides = 2 if stage > 0 and index == 0 else 1
                part = f"stage{stage + 1}_block{index + 1}"
                if bottleneck:
                    x = bottleneck_block(x, filters, 4 * filters, strides, normalization, name=part)
                else:
                    x = _basic_block(x, filters, strides, normalization, shortcut, name=part)
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
        name=name or f"resnet{depth}_cifar",
    )


def _basic_block(
    x: keras.KerasTensor,
    filters: int,
    strides: int,
    normalization: str | None,
    shortcut: Callable[..., keras.KerasTensor],
    *,
    name: str,
) -> keras.KerasTensor:
    """Convolve, twice; add and activate."""
    bias = normalization is None
    y = conv(x, filters, 3, strides=strides, bias=bias, name=f"{name}_conv1")
    y = relu(norm(y, normalization, name=f"{name}_norm1"), name=f"{name}_relu1")
    y = conv(y, filters, 3, bias=bias, zero=bias, name=f"{name}_conv2")
    y = norm(y, normalization, name=f"{name}_norm2")
    x = shortcut(x, filters, strides, normalization, name=name)
    return relu(keras.layers.Add(name=f"{name}_add")([x, y]), name=f"{name}_relu")
