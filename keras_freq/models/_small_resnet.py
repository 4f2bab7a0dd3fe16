"""A residual network small enough to train on a CPU in a minute."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from keras_freq._core.checks import check_whole
from keras_freq.models._blocks import conv, norm, relu
from keras_freq.models._classifier import CIFAR10_MEAN, CIFAR10_STD, make_classifier


def small_resnet(
    input_shape: tuple[int | None, int | None, int] = (32, 32, 3),
    classes: int = 10,
    *,
    width: int = 16,
    normalization: str | None = "batch",
    dropout: float = 0.0,
    seed: int | None = None,
    mean: float | Sequence[float] = CIFAR10_MEAN,
    std: float | Sequence[float] = CIFAR10_STD,
    name: str = "small_resnet",
) -> keras.Model:
    """A pre-activation residual network of eight layers for a CPU: pixels in [0, 1] in, logits out.

    A 3 x 3 convolution at full resolution, then three blocks of two 3 x 3 convolutions that each halve height
    and width and double the channels. Everything but the first convolution works on a quarter of the pixels
    or less, which is what makes it fast; the first sees every frequency of the image. Images are channels
    last, whatever Keras is configured for.

    Args:
        input_shape: `(height, width, channels)`; height and width may be `None`, odd or different.
        classes: Number of classes, at least 2.
        width: Channels of the first convolution; the blocks have 2, 4 and 8 times as many.
        normalization: `"batch"`; `"batch_statistics"` for batch normalization with the statistics of the
            batch in inference too, so that predictions depend on the other images of the batch
            (`keras_freq.models.BatchStatisticsNormalization`); or `None` for a network without: its
            convolutions have biases, and the last one of every block starts at zero.
        dropout: Share of the pooled features that is dropped in training, in front of the last layer, from 0
            to below 1. With 0 there is no such layer.
        seed: Seed of the dropout, for the same draws in every run.
        mean: Mean of the pixels, a number or one per channel. The default is that of CIFAR-10.
        std: Standard deviation of the pixels, likewise.
        name: Name of the model.

    Returns:
        A functional `keras.Model`: `(batch, height, width, channels)` in [0, 1] to logits `(batch, classes)`.
        Its first layer computes `(pixels - mean) / std`.

    Raises:
        ValueError: if an argument is not one of those above.

    Source: the blocks are those of He, Zhang, Ren and Sun, "Identity Mappings in Deep Residual Networks",
        ECCV 2016, figure 4e.
        Differs from the original: eight layers, and every block strides.

    Example:
        >>> keras_freq.models.small_resnet(input_shape=(32, 32, 3), classes=10).output_shape
        (None, 10)
    """
    check_whole(width, "width")

    def body(x):
        x = conv(x, width, 3, bias=normalization is None, name="stem")
        for index in (1, 2, 3):
            x = _block(x, width * 2**index, normalization, name=f"block{index}")
        return relu(norm(x, normalization, name="last_norm"), name="last_relu")

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
        name=name,
    )


def _block(x: keras.KerasTensor, filters: int, normalization: str | None, *, name: str) -> keras.KerasTensor:
    """Normalize, activate, convolve, twice; half the height and width."""
    bias = normalization is None
    y = relu(norm(x, normalization, name=f"{name}_norm1"), name=f"{name}_relu1")
    # The shortcut starts from the activated features, as wherever the shape changes in the original.
    shortcut = conv(y, filters, 1, strides=2, bias=bias, name=f"{name}_shortcut")
    y = conv(y, filters, 3, strides=2, bias=bias, name=f"{name}_conv1")
    y = relu(norm(y, normalization, name=f"{name}_norm2"), name=f"{name}_relu2")
    y = conv(y, filters, 3, bias=bias, zero=bias, name=f"{name}_conv2")
    return keras.layers.Add(name=f"{name}_add")([shortcut, y])
