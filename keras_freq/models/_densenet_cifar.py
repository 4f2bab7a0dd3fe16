"""Densely connected networks for CIFAR."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from keras_freq._core.checks import check_flag, check_number, check_whole
from keras_freq.models._blocks import FORMAT, conv, count_repeats, drop, norm, relu
from keras_freq.models._classifier import CIFAR10_MEAN, CIFAR10_STD, make_classifier


def densenet_cifar(
    depth: int = 40,
    growth: int = 12,
    input_shape: tuple[int | None, int | None, int] = (32, 32, 3),
    classes: int = 10,
    *,
    bottleneck: bool = False,
    compression: float = 1.0,
    stem: int | None = None,
    normalization: str | None = "batch",
    dropout: float = 0.0,
    seed: int | None = None,
    mean: float | Sequence[float] = CIFAR10_MEAN,
    std: float | Sequence[float] = CIFAR10_STD,
    name: str | None = None,
) -> keras.Model:
    """A densely connected network for images of about 32 pixels: pixels in [0, 1] in, logits out.

    A 3 x 3 convolution, then three dense blocks of `(depth - 4) / 3` layers. A layer normalizes, activates
    and convolves all that came before it in its block and adds `growth` channels to it. Between the blocks a
    1 x 1 convolution and an average over 2 x 2 pixels halve height and width. Images are channels last,
    whatever Keras is configured for.

    ==========================  =============================================  ==============================
    network                     arguments                                      trainable for 10 classes
    ==========================  =============================================  ==============================
    DenseNet-40-12              `(40, 12)`                                     1,019,722
    the same in AugMix and APR  `(40, 12, stem=24)`                            1,059,298
    DenseNet-100-12             `(100, 12)`                                    6,979,642
    DenseNet-BC-100-12          `(100, 12, bottleneck=True, compression=0.5)`  769,162
    DenseNet-BC-250-24          `(250, 24, bottleneck=True, compression=0.5)`  15,324,406
    ==========================  =============================================  ==============================

    Args:
        depth: Number of layers: `3n + 4` for n layers per block, with bottlenecks `6n + 4`, since each then
            holds two convolutions.
        growth: Channels that a layer adds, at least 1.
        input_shape: `(height, width, channels)`; height and width may be `None`, odd or different.
        classes: Number of classes, at least 2.
        bottleneck: `True` for a 1 x 1 convolution to `4 growth` channels in front of each 3 x 3 convolution.
        compression: Share of the channels that passes on from one block to the next, above 0, at most 1.
        stem: Channels of the first convolution, by default the paper's: 16, or `2 growth` with bottlenecks.
            The code of AugMix and APR has `2 growth` without bottlenecks too.
        normalization: `"batch"`; `"batch_statistics"` for batch normalization with the statistics of the
            batch in inference too, so that predictions depend on the other images of the batch
            (`keras_freq.models.BatchStatisticsNormalization`); or `None` for a network without, whose
            convolutions have biases.
        dropout: Share of the features that is dropped in training after every convolution but the first, from
            0 to below 1. The paper's is 0.2 without data augmentation. With 0 there are no such layers.
        seed: Seed of the dropout, for the same draws in every run.
        mean: Mean of the pixels, a number or one per channel. The default is that of CIFAR-10.
        std: Standard deviation of the pixels, likewise.
        name: Name of the model, by default `densenet<depth>_<growth>` or, with bottlenecks and compression,
            `densenet_bc<depth>_<growth>`.

    Returns:
        A functional `keras.Model`: `(batch, height, width, channels)` in [0, 1] to logits `(batch, classes)`.
        Its first layer computes `(pixels - mean) / std`.

    Raises:
        ValueError: if an argument is not one of those above.

    Source: Huang, Liu, van der Maaten and Weinberger, "Densely Connected Convolutional Networks", CVPR 2017,
        section 3.
        Differs from the original: of an odd height or width, the last row or column is averaged too.

    Example:
        >>> model = keras_freq.models.densenet_cifar(10, 4, bottleneck=True, compression=0.5, classes=100)
        >>> model.name, model.output_shape
        ('densenet_bc10_4', (None, 100))
    """
    check_flag(bottleneck, "bottleneck")
    count = count_repeats(depth, 6 if bottleneck else 3, 4)
    check_whole(growth, "growth")
    if stem is None:
        stem = 2 * growth if bottleneck else 16
    check_whole(stem, "stem")
    check_number(compression, "compression", above=0, most=1)

    def body(x):
        x = conv(x, stem, 3, bias=normalization is None, name="stem")
        for block in (1, 2, 3):
            for index in range(1, count + 1):
                part = f"block{block}_layer{index}"
                y = x
                if bottleneck:
                    y = _layer(y, 4 * growth, 1, normalization, dropout, seed, name=f"{part}_bottleneck")
                y = _layer(y, growth, 3, normalization, dropout, seed, name=part)
                x = layers.Concatenate(axis=-1, name=f"{part}_concat")([x, y])
            if block < 3:
                channels = max(1, int(x.shape[-1] * compression))
                part = f"transition{block}"
                x = _layer(x, channels, 1, normalization, dropout, seed, name=part)
                x = layers.AveragePooling2D(2, padding="same", data_format=FORMAT, name=f"{part}_pool")(x)
        return relu(norm(x, normalization, name="last_norm"), name="last_relu")

    kind = "densenet_bc" if bottleneck and compression < 1 else "densenet"
    return make_classifier(
        body,
        input_shape,
        classes,
        normalization=normalization,
        dropout=dropout,
        seed=seed,
        mean=mean,
        std=std,
        name=name or f"{kind}{depth}_{growth}",
    )


def _layer(
    x: keras.KerasTensor,
    filters: int,
    size: int,
    normalization: str | None,
    dropout: float,
    seed: int | None,
    *,
    name: str,
) -> keras.KerasTensor:
    x = relu(norm(x, normalization, name=f"{name}_norm"), name=f"{name}_relu")
    x = conv(x, filters, size, bias=normalization is None, name=f"{name}_conv")
    return drop(x, dropout, seed, name=f"{name}_dropout")
