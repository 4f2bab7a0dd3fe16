"""The all convolutional network in the version that papers on robustness train on CIFAR."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers, ops

from keras_freq._core.checks import check_choice, check_whole, show
from keras_freq.models._blocks import FORMAT, conv, drop, norm
from keras_freq.models._classifier import CIFAR10_MEAN, CIFAR10_STD, make_classifier


def all_conv(
    input_shape: tuple[int | None, int | None, int] = (32, 32, 3),
    classes: int = 10,
    *,
    width: int = 96,
    downsampling: str = "max_pool",
    normalization: str | None = "batch",
    dropout: float = 0.5,
    seed: int | None = None,
    mean: float | Sequence[float] = CIFAR10_MEAN,
    std: float | Sequence[float] = CIFAR10_STD,
    name: str = "all_conv",
) -> keras.Model:
    """All-CNN-C with batch normalization and GELU: pixels in [0, 1] in, logits out.

    Nine convolutions, each normalized and activated by `x * sigmoid(1.702 x)`, with 1,409,674 trainable
    parameters for 10 classes:

    =================================================  ========  ====================
    convolutions                                       channels  size out, of 32 x 32
    =================================================  ========  ====================
    three 3 x 3, then half the size and dropout        96        16 x 16
    three 3 x 3, then half the size and dropout        192       8 x 8
    one 3 x 3 without padding                          192       6 x 6
    two 1 x 1, then global average and a linear layer  192       1 x 1
    =================================================  ========  ====================

    Convolutions have biases, with normalization too, as in the published code. Images are channels last,
    whatever Keras is configured for.

    Args:
        input_shape: `(height, width, channels)`; height and width may be `None`, odd or different, and are at
            least 9.
        classes: Number of classes, at least 2.
        width: Channels of the first three convolutions; the others have twice as many.
        downsampling: `"max_pool"` for the largest of 2 x 2 pixels, as AugMix and APR have it; or `"stride"`
            for a stride of 2 in the third and the sixth convolution, as All-CNN-C itself. The parameters are
            as many.
        normalization: `"batch"`; `"batch_statistics"` for batch normalization with the statistics of the
            batch in inference too, so that predictions depend on the other images of the batch
            (`keras_freq.models.BatchStatisticsNormalization`); or `None` for a network without.
        dropout: Share of the features that is dropped in training after each halving, from 0 to below 1. With
            0 there are no such layers.
        seed: Seed of the dropout, for the same draws in every run.
        mean: Mean of the pixels, a number or one per channel. The default is that of CIFAR-10.
        std: Standard deviation of the pixels, likewise.
        name: Name of the model.

    Returns:
        A functional `keras.Model`: `(batch, height, width, channels)` in [0, 1] to logits `(batch, classes)`.
        Its first layer computes `(pixels - mean) / std`.

    Raises:
        ValueError: if an argument is not one of those above.

    Source: Springenberg, Dosovitskiy, Brox and Riedmiller, "Striving for Simplicity: The All Convolutional
        Net", ICLR 2015 workshop, table 1 and appendix A; in the version of Hendrycks et al., "AugMix", ICLR
        2020, and Chen et al., "Amplitude-Phase Recombination", ICCV 2021.
        Differs from the original: compared to that version, the 1 x 1 convolutions add no border, which those
        papers' code adds and then drops in part, and the average is over all of the 6 x 6 pixels; so the
        parameters are as many, and published weights fit in shape but give other numbers.

    Example:
        >>> keras_freq.models.all_conv(classes=100, width=8).output_shape
        (None, 100)
    """
    check_whole(width, "width")
    check_choice(downsampling, "downsampling", ("max_pool", "stride"))

    def body(x):
        # Two halvings must leave the 3 pixels of the convolution without padding.
        if any(side is not None and side < 9 for side in x.shape[1:3]):
            raise ValueError(
                "`input_shape` must have a height and a width of at least 9 or None. "
                f"Received: input_shape={show(input_shape)}"
            )
        for stage in (1, 2):
            for index in (1, 2, 3):
                strides = 2 if downsampling == "stride" and index == 3 else 1
                part = f"stage{stage}_conv{index}"
                x = _layer(x, width * stage, 3, normalization, strides=strides, name=part)
            if downsampling == "max_pool":
                x = layers.MaxPooling2D(2, padding="same", data_format=FORMAT, name=f"stage{stage}_pool")(x)
            x = drop(x, dropout, seed, name=f"stage{stage}_dropout")
        x = _layer(x, 2 * width, 3, normalization, padded=False, name="stage3_conv1")
        x = _layer(x, 2 * width, 1, normalization, name="stage3_conv2")
        return _layer(x, 2 * width, 1, normalization, name="stage3_conv3")

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


def _layer(
    x: keras.KerasTensor,
    filters: int,
    size: int,
    normalization: str | None,
    *,
    name: str,
    strides: int = 1,
    padded: bool = True,
) -> keras.KerasTensor:
    x = conv(x, filters, size, strides=strides, padded=padded, bias=True, name=name)
    x = norm(x, normalization, name=f"{name}_norm")
    return x * ops.sigmoid(1.702 * x)
