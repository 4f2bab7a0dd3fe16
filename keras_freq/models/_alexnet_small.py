"""AlexNet cut to small images."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from keras_freq._core.checks import check_whole
from keras_freq.models._blocks import FORMAT, conv, drop, norm, relu
from keras_freq.models._classifier import CIFAR10_MEAN, CIFAR10_STD, make_classifier

# Channels of each convolution in units of the width, and whether the largest of 2 x 2 pixels follows.
_CONVOLUTIONS = ((1, True), (3, True), (6, False), (4, False), (4, True))
_HIDDEN = 16


def alexnet_small(
    input_shape: tuple[int | None, int | None, int] = (32, 32, 3),
    classes: int = 10,
    *,
    width: int = 64,
    normalization: str | None = None,
    dropout: float = 0.5,
    seed: int | None = None,
    mean: float | Sequence[float] = CIFAR10_MEAN,
    std: float | Sequence[float] = CIFAR10_STD,
    name: str = "alexnet_small",
) -> keras.Model:
    """AlexNet for images of about 32 pixels: pixels in [0, 1] in, logits out.

    Five 3 x 3 convolutions with 64, 192, 384, 256 and 256 channels, the first with a stride of 2; the largest
    of 2 x 2 pixels after the first, the second and the last; the global average; two layers of 1024 units and
    a linear one: 3,574,602 trainable parameters for 10 classes. Images are channels last, whatever Keras is
    configured for.

    Args:
        input_shape: `(height, width, channels)`; height and width may be `None`, odd or different.
        classes: Number of classes, at least 2.
        width: Channels of the first convolution; all other widths follow in proportion.
        normalization: `None`, as published; `"batch"`; or `"batch_statistics"` for batch normalization with
            the statistics of the batch in inference too (`keras_freq.models.BatchStatisticsNormalization`).
        dropout: Share of the features that is dropped in training in front of each of the two layers of 1024
            units, from 0 to below 1. With 0 there are no such layers.
        seed: Seed of the dropout, for the same draws in every run.
        mean: Mean of the pixels, a number or one per channel. The default is that of CIFAR-10.
        std: Standard deviation of the pixels, likewise.
        name: Name of the model.

    Returns:
        A functional `keras.Model`: `(batch, height, width, channels)` in [0, 1] to logits `(batch, classes)`.
        Its first layer computes `(pixels - mean) / std`.

    Raises:
        ValueError: if an argument is not one of those above.

    Source: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural
        Networks", NeurIPS 2012, section 3.5; channels as in Krizhevsky, "One weird trick for parallelizing
        convolutional neural networks", 2014.
        Differs from the original: 3 x 3 convolutions and 2 x 2 pooling, which small images allow; the global
        average; 1024 units in place of 4096; no local response normalization.

    Example:
        >>> keras_freq.models.alexnet_small(classes=100, width=4).output_shape
        (None, 100)
    """
    check_whole(width, "width")

    def body(x):
        for index, (times, pooled) in enumerate(_CONVOLUTIONS, start=1):
            x = conv(x, times * width, 3, strides=2 if index == 1 else 1, bias=True, name=f"conv{index}")
            x = relu(norm(x, normalization, name=f"conv{index}_norm"), name=f"conv{index}_relu")
            if pooled:
                x = layers.MaxPooling2D(2, padding="same", data_format=FORMAT, name=f"pool{index}")(x)
        x = layers.GlobalAveragePooling2D(data_format=FORMAT, name="pool")(x)
        for index in (1, 2):
            x = drop(x, dropout, seed, name=f"hidden{index}_dropout")
            x = layers.Dense(
                _HIDDEN * width, activation="relu", kernel_initializer="he_normal", name=f"hidden{index}"
            )(x)
        return x

    return make_classifier(
        body,
        input_shape,
        classes,
        normalization=normalization,
        dropout=dropout,
        seed=seed,
        mean=mean,
        std=std,
        name=name,
    )
