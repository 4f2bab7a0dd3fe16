"""A convolutional network that reaches 94 % on CIFAR-10 in ten epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_freq._core.checks import check_choice, check_pixels, check_whole
from keras_freq.models._blocks import FORMAT, NORMALIZATIONS
from keras_freq.models._classifier import CIFAR10_MEAN, CIFAR10_STD, make_classifier
from keras_freq.models._scaled_bias import ScaledBias
from keras_freq.models._whitening import whitening_kernel

# U(-1 / sqrt(fan in), 1 / sqrt(fan in)).
_UNIFORM = {"scale": 1 / 3, "mode": "fan_in", "distribution": "uniform"}


@keras.saving.register_keras_serializable(package="keras_freq")
class PassThrough(keras.initializers.Initializer):
    """Kernels whose first filters hand their channel through: a one in the middle; the others are drawn.

    Filter k of `(height, width, channels, filters)` is 1 at the middle of channel k and 0 elsewhere, for k
    below `channels`; the entries of the others are uniform within 1 / sqrt(height * width * channels).

    Source: Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", arXiv 2404.00498, section 3.2.

    Example:
        >>> kernel = keras_freq.models.PassThrough()((3, 3, 4, 4))
        >>> float(keras.ops.sum(kernel))
        4.0
    """

    def __call__(self, shape, dtype=None):
        kernel = keras.initializers.VarianceScaling(**_UNIFORM)(shape, dtype=dtype)
        handed = np.zeros(shape, "float32")
        known = np.arange(min(shape[-2:]))
        handed[shape[0] // 2, shape[1] // 2, known, known] = 1
        drawn = (np.arange(shape[-1]) >= len(known)).astype("float32")
        return kernel * keras.ops.cast(drawn, kernel.dtype) + keras.ops.cast(handed, kernel.dtype)


def whitened_net(
    input_shape: tuple[int | None, int | None, int] = (32, 32, 3),
    classes: int = 10,
    *,
    width: int = 64,
    images: Any = None,
    normalization: str | None = "batch",
    dropout: float = 0.0,
    seed: int | None = None,
    mean: float | Sequence[float] = CIFAR10_MEAN,
    std: float | Sequence[float] = CIFAR10_STD,
    name: str = "whitened_net",
) -> keras.Model:
    """Six convolutions behind a whitening one, made for short trainings: pixels in [0, 1] in, logits out.

    A 2 x 2 convolution whose kernel whitens patches (`keras_freq.models.whitening_kernel`) and is not
    trained, then three blocks of (3 x 3 convolution, max-pooling by 2, normalization, GELU, 3 x 3
    convolution, normalization, GELU) with `width`, `4 width` and `4 width` channels, the maximum over space,
    divided by 9, and a linear layer without bias. Convolutions start by handing their channels through; the
    biases of the normalizations are multiplied by 8 (`keras_freq.models.ScaledBias`), their scales are 1.
    Images are channels last, whatever Keras is configured for.

    Args:
        input_shape: `(height, width, channels)`; height and width, at least 9, may be `None`, odd or
            different.
        classes: Number of classes, at least 2.
        width: Channels of the first block.
        images: Training images, uint8 or floats in [0, 1], whose patches the first kernel whitens. With
            `None` it hands the pixels through, and their negatives, until weights are loaded.
        normalization: `"batch"`; `"batch_statistics"` for batch normalization with the statistics of the
            batch in inference too (`keras_freq.models.BatchStatisticsNormalization`); or `None` for a network
            without, whose biases stay.
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

    Source: Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", arXiv 2404.00498, section 3 and
        listing 4.
        Differs from the original: the first bias is trained to the end; biases have a factor in place of a
        rate of their own.

    Example:
        >>> keras_freq.models.whitened_net(input_shape=(32, 32, 3), classes=10).output_shape
        (None, 10)
    """
    check_whole(width, "width")
    check_choice(normalization, "normalization", (*NORMALIZATIONS, None))

    def body(x):
        if any(side is not None and side < 9 for side in x.shape[1:3]):  # three halvings must leave a pixel
            raise ValueError(
                "`input_shape` must have a height and a width of at least 9 or None. "
                f"Received: input_shape={tuple(x.shape[1:])}"
            )
        filters = 8 * x.shape[-1]
        x = _conv(x, filters, 2, "orthogonal", padding="valid", trainable=False, name="whitening")
        x = layers.Activation("gelu", name="whitening_gelu")(ScaledBias(1.0, name="whitening_bias")(x))
        for index, block in enumerate((width, 4 * width, 4 * width), 1):
            x = _conv(x, block, 3, PassThrough(), name=f"block{index}_conv1")
            x = layers.MaxPooling2D(2, data_format=FORMAT, name=f"block{index}_pool")(x)
            x = _activate(x, normalization, name=f"block{index}_", number=1)
            x = _conv(x, block, 3, PassThrough(), name=f"block{index}_conv2")
            x = _activate(x, normalization, name=f"block{index}_", number=2)
        x = layers.GlobalMaxPooling2D(data_format=FORMAT, name="pool")(x)
        return layers.Rescaling(1 / 9, name="rescaling")(x)

    start = keras.initializers.VarianceScaling(**_UNIFORM)
    model = make_classifier(
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
        head={"use_bias": False, "kernel_initializer": start},
    )
    channels = model.input_shape[-1]
    if images is None:
        pixels = np.eye(4 * channels, dtype="float32")
        kernel = np.concatenate([pixels, -pixels], axis=1).reshape(2, 2, channels, -1)
    else:
        images = check_pixels(images, unit=True)
        if images.shape[-1] != channels:
            raise ValueError(
                f"`images` must have the {channels} channels of `input_shape`. "
                f"Received: images of {images.shape[-1]} channels"
            )
        kernel = whitening_kernel(images, mean=mean, std=std)
    model.get_layer("whitening").set_weights([kernel])
    return model


def _conv(x: keras.KerasTensor, filters: int, size: int, start: Any, **options: Any) -> keras.KerasTensor:
    options = {"padding": "same", "data_format": FORMAT, "use_bias": False} | options
    return layers.Conv2D(filters, size, kernel_initializer=start, **options)(x)


def _activate(
    x: keras.KerasTensor, normalization: str | None, *, name: str, number: int
) -> keras.KerasTensor:
    """Normalizes without learned numbers, adds the bias, activates."""
    if normalization is not None:
        kind = NORMALIZATIONS[normalization]
        x = kind(axis=-1, momentum=0.6, epsilon=1e-5, center=False, scale=False, name=f"{name}norm{number}")(
            x
        )
    x = ScaledBias(name=f"{name}bias{number}")(x)
    return layers.Activation("gelu", name=f"{name}gelu{number}")(x)
