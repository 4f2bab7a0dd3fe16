"""The pieces that the networks share. All are channels last, whatever Keras is configured for."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_freq._core.checks import show
from keras_freq.models._batch_statistics import BatchStatisticsNormalization
from keras_freq.models._grouped_convolution import GroupedConv2D

FORMAT = "channels_last"

NORMALIZATIONS = {"batch": layers.BatchNormalization, "batch_statistics": BatchStatisticsNormalization}


def count_repeats(depth: Any, layers: int, rest: int) -> int:
    """`n` of a network of depth `layers * n + rest`."""
    whole = isinstance(depth, (int, np.integer)) and not isinstance(depth, bool)
    if not whole or depth < layers + rest or (depth - rest) % layers:
        raise ValueError(
            f"`depth` must be {layers}n + {rest} with a whole number n of at least 1, such as "
            f"{layers + rest} or {2 * layers + rest}. Received: depth={show(depth)}"
        )
    return int(depth - rest) // layers


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
    """Convolution, He's initialization, zeros added evenly on all sides: `ceil(side / strides)` out."""
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
    """Batch normalization of the chosen kind, or nothing."""
    if normalization is None:
        return x
    return NORMALIZATIONS[normalization](axis=-1, momentum=0.9, epsilon=1e-5, name=name)(x)


def relu(x: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
    return layers.ReLU(name=name)(x)


def drop(x: keras.KerasTensor, dropout: float, seed: int | None, *, name: str) -> keras.KerasTensor:
    """Dropout within a network, or nothing; each layer's draws are its own, though all come from one seed."""
    if not dropout:
        return x
    if seed is not None:
        seed = int(np.random.SeedSequence([seed, *name.encode()]).generate_state(1)[0] % 2**31)
    return layers.Dropout(float(dropout), seed=seed, name=name)(x)


def pad_shortcut(
    x: keras.KerasTensor, filters: int, strides: int, normalization: str | None = None, *, name: str
) -> keras.KerasTensor:
    """The shortcut without parameters: every `strides`-th pixel, and channels of zeros up to `filters`."""
    if strides > 1:
        x = layers.MaxPooling2D(1, strides=strides, data_format=FORMAT, name=f"{name}_pick")(x)
    missing = filters - x.shape[-1]
    if missing:
        # Half before and half after, as in the networks of He et al. for CIFAR-10.
        before = math.floor(missing / 2)
        x = keras.ops.pad(x, [[0, 0], [0, 0], [0, 0], [before, missing - before]])
    return x


def project_shortcut(
    x: keras.KerasTensor, filters: int, strides: int, normalization: str | None, *, name: str
) -> keras.KerasTensor:
    """The shortcut with parameters: a 1 x 1 convolution where the shape changes."""
    if strides > 1 or x.shape[-1] != filters:
        x = conv(x, filters, 1, strides=strides, bias=normalization is None, name=f"{name}_shortcut")
        x = norm(x, normalization, name=f"{name}_shortcut_norm")
    return x


def bottleneck_block(
    x: keras.KerasTensor,
    inner: int,
    outer: int,
    strides: int,
    normalization: str | None,
    *,
    name: str,
    groups: int = 1,
) -> keras.KerasTensor:
    """Convolve 1 x 1 to `inner` channels, 3 x 3 in groups, 1 x 1 to `outer`; add and activate."""
    bias = normalization is None
    y = conv(x, inner, 1, bias=bias, name=f"{name}_conv1")
    y = relu(norm(y, normalization, name=f"{name}_norm1"), name=f"{name}_relu1")
    y = conv(y, inner, 3, strides=strides, groups=groups, bias=bias, name=f"{name}_conv2")
    y = relu(norm(y, normalization, name=f"{name}_norm2"), name=f"{name}_relu2")
    y = conv(y, outer, 1, bias=bias, zero=bias, name=f"{name}_conv3")
    y = norm(y, normalization, name=f"{name}_norm3")
    x = project_shortcut(x, outer, strides, normalization, name=name)
    return relu(layers.Add(name=f"{name}_add")([x, y]), name=f"{name}_relu")
