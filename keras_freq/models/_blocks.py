"""The pieces that the networks share. All are channels last, whatever Keras is configured for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_freq.models._batch_statistics import BatchStatisticsNormalization
from keras_freq.models._grouped_convolution import GroupedConv2D

# Per-channel mean and standard deviation of the CIFAR-10 training images in [0, 1].
CIFAR10_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR10_STD = (0.2470, 0.2435, 0.2616)

FORMAT = "channels_last"

_NORMALIZATIONS = {"batch": layers.BatchNormalization, "batch_statistics": BatchStatisticsNormalization}


def check_arguments(
    input_shape: Any, classes: Any, normalization: Any, mean: Any, std: Any
) -> tuple[tuple[int | None, int | None, int], np.ndarray, np.ndarray]:
    """The arguments that all networks share, checked: input shape, mean and deviation per channel."""
    shape = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    if (
        len(shape) != 3
        or not all(side is None or _is_whole(side, 1) for side in shape[:2])
        or not _is_whole(shape[2], 1)
    ):
        raise ValueError(
            "`input_shape` must be (height, width, channels), where height and width may be None. "
            f"Received: input_shape={input_shape!r}"
        )
    if not _is_whole(classes, 2):
        raise ValueError(f"`classes` must be a whole number of at least 2. Received: classes={classes!r}")
    if normalization not in (*_NORMALIZATIONS, None):
        raise ValueError(
            "`normalization` must be 'batch', 'batch_statistics' or None. "
            f"Received: normalization={normalization!r}"
        )
    return shape, _per_channel("mean", mean, shape[2]), _per_channel("std", std, shape[2])


def check_whole(name: str, value: Any) -> None:
    if not _is_whole(value, 1):
        raise ValueError(f"`{name}` must be a whole number of at least 1. Received: {name}={value!r}")


def repeats(depth: Any, layers: int, rest: int) -> int:
    """`n` of a network of depth `layers * n + rest`."""
    if not _is_whole(depth, layers + rest) or (depth - rest) % layers:
        raise ValueError(
            f"`depth` must be {layers}n + {rest} with a whole number n of at least 1, such as "
            f"{layers + rest} or {2 * layers + rest}. Received: depth={depth!r}"
        )
    return (depth - rest) // layers


def check_dropout(dropout: Any, seed: Any) -> None:
    if not isinstance(dropout, Real) or isinstance(dropout, bool) or not 0 <= dropout < 1:
        raise ValueError(f"`dropout` must be a number from 0 to below 1. Received: dropout={dropout!r}")
    if seed is not None and not _is_whole(seed, 0):
        raise ValueError(f"`seed` must be a whole number of at least 0 or None. Received: seed={seed!r}")


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= least


def _per_channel(name: str, value: float | Sequence[float], channels: int) -> np.ndarray:
    try:
        values = np.asarray(value, "float64")
    except (TypeError, ValueError):
        values = np.array(np.nan)
    if values.shape not in ((), (channels,)) or not np.isfinite(values).all():
        raise ValueError(
            f"`{name}` must be a number or one number for each of the {channels} input channels. "
            f"Received: {name}={value!r}"
        )
    if name == "std" and values.min() <= 0:
        raise ValueError(f"`std` must be greater than 0. Received: std={value!r}")
    return np.broadcast_to(values, (channels,)).copy()


def inputs_and_normalized(
    shape: tuple[int | None, int | None, int], mean: np.ndarray, std: np.ndarray
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Pixels in [0, 1] and `(pixels - mean) / std`, the first layer of every network."""
    inputs = keras.Input(shape, name="pixels")
    rescale = layers.Normalization(
        axis=-1, mean=mean.tolist(), variance=np.square(std).tolist(), name="normalization"
    )
    return inputs, rescale(inputs)


def conv(
    x: keras.KerasTensor,
    filters: int,
    size: int,
    *,
    name: str,
    strides: int = 1,
    groups: int = 1,
    padded: bool = True,
    bias: bool = False,
    zero: bool = False,
) -> keras.KerasTensor:
    """Convolution, He's initialisation, zeros added evenly on all sides: `ceil(side / strides)` out."""
    # Keras' own "same" adds more on the lower right where it strides, which shifts the feature map.
    if padded and size > 1 and strides > 1:
        x = layers.ZeroPadding2D(size // 2, data_format=FORMAT, name=f"{name}_pad")(x)
    kind, options = (layers.Conv2D, {}) if groups == 1 else (GroupedConv2D, {"groups": groups})
    return kind(
        filters,
        size,
        strides=strides,
        padding="same" if padded and strides == 1 else "valid",
        data_format=FORMAT,
        use_bias=bias,
        kernel_initializer="zeros" if zero else "he_normal",
        name=name,
        **options,
    )(x)


def norm(x: keras.KerasTensor, normalization: str | None, *, name: str) -> keras.KerasTensor:
    """Batch normalisation of the chosen kind, or nothing."""
    if normalization is None:
        return x
    return _NORMALIZATIONS[normalization](axis=-1, momentum=0.9, epsilon=1e-5, name=name)(x)


def relu(x: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
    return layers.ReLU(name=name)(x)


def drop(x: keras.KerasTensor, dropout: float, seed: int | None, *, name: str) -> keras.KerasTensor:
    """Dropout within a network, or nothing; each layer's draws are its own, though all come from one seed."""
    if not dropout:
        return x
    if seed is not None:
        seed = int(np.random.SeedSequence([seed, *name.encode()]).generate_state(1)[0] % 2**31)
    return layers.Dropout(float(dropout), seed=seed, name=name)(x)


def padded_shortcut(x: keras.KerasTensor, filters: int, strides: int, *, name: str) -> keras.KerasTensor:
    """The shortcut without parameters: every `strides`-th pixel, and channels of zeros up to `filters`."""
    if strides > 1:
        x = layers.MaxPooling2D(1, strides=strides, data_format=FORMAT, name=f"{name}_pick")(x)
    missing = filters - x.shape[-1]
    if missing:
        # Half before and half after, as in the networks of He et al. for CIFAR-10.
        before = math.floor(missing / 2)
        x = keras.ops.pad(x, [[0, 0], [0, 0], [0, 0], [before, missing - before]])
    return x


def logits(x: keras.KerasTensor, classes: int, dropout: float, seed: int | None) -> keras.KerasTensor:
    """Global average, then one linear layer; float32 also under mixed precision."""
    x = layers.GlobalAveragePooling2D(data_format=FORMAT, name="pool")(x)
    if dropout:
        x = layers.Dropout(float(dropout), seed=seed, name="dropout")(x)
    return layers.Dense(classes, dtype="float32", name="logits")(x)
