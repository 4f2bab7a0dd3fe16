"""VGG-16 with batch normalization and a single linear layer."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from keras_freq._core.checks import check_whole
from keras_freq.models._blocks import FORMAT, conv, norm, relu
from keras_freq.models._classifier import CIFAR10_MEAN, CIFAR10_STD, make_classifier

# Convolutions of each stage, and its channels in units of the width.
_STAGES = ((2, 1), (2, 2), (3, 4), (3, 8), (3, 8))


def vgg16_bn(
    input_shape: tuple[int | None, int | None, int] = (32, 32, 3),
    classes: int = 10,
    *,
    width: int = 64,
    normalization: str | None = "batch",
    dropout: float = 0.0,
    seed: int | None = None,
    mean: float | Sequence[float] = CIFAR10_MEAN,
    std: float | Sequence[float] = CIFAR10_STD,
    name: str = "vgg16_bn",
) -> keras.Model:
    """VGG-16 with batch normalization: pixels in [0, 1] in, logits out.

    Thirteen 3 x 3 convolutions in five stages of 64, 128, 256, 512 and 512 channels, each stage ended by the
    largest of 2 x 2 pixels; then the global average and one linear layer: 14,728,266 trainable parameters for
    10 classes. Convolutions have biases, with normalization too, as in the published code. Images are
    channels last, whatever Keras is configured for.

    Args:
        input_shape: `(height, width, channels)`; height and width may be `None`, odd or different. A side is
            halved, rounding up, until it is 1.
        classes: Number of classes, at least 2.
        width: Channels of the first stage; the others have 2, 4, 8 and 8 times as many.
        normalization: `"batch"`; `"batch_statistics"` for batch normalization with the statistics of the
            batch in inference too, so that predictions depend on the other images of the batch
            (`keras_freq.models.BatchStatisticsNormalization`); or `None` for a network without.
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

    Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR
        2015, table 1, column D.
        Differs from the original: batch normalization, and a global average in place of two layers of 4096
        units.

    Example:
        >>> keras_freq.models.vgg16_bn(classes=100, width=4).output_shape
        (None, 100)
    """
    check_whole(width, "width")

    def body(x):
        for stage, (count, times) in enumerate(_STAGES, start=1):
            for index in range(1, count + 1):
                x = conv(x, times * width, 3, bias=True, name=f"stage{stage}_conv{index}")
                x = norm(x, normalization, name=f"stage{stage}_norm{index}")
                x = relu(x, name=f"stage{stage}_relu{index}")
            # A side of 1 stays.
            x = layers.MaxPooling2D(2, padding="same", data_format=FORMAT, name=f"stage{stage}_pool")(x)
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
        name=name,
    )
