"""The masks of `_masks` by operations, for sizes that are known only when compiled code runs.

Keras compiles a step of TensorFlow for the second size of images with height and width left open. Here
`height` and `width` are whole numbers of the library `xp`, and masks are its tensors, centered, float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_freq.spectral._backend import Array, ArrayLibrary


def _axes(xp: ArrayLibrary, height: Array, width: Array, units: str) -> tuple[Array, Array]:
    """`frequency_axes`, in float64 too: a frequency on the edge of a disk falls on the same side."""
    axes = []
    for size, direction in ((height, 1), (width, 0)):
        axis = xp.cast(xp.arange(size) - size // 2, "float64")
        axis = axis / xp.cast(size, "float64") if units == "cycles_per_pixel" else axis
        axes.append(xp.expand_dims(axis, direction))
    return axes[0], axes[1]


def traced_low_pass_mask(
    xp: ArrayLibrary, height: Array, width: Array, radius: float, *, kind: str, order: float, units: str
) -> Array:
    """`low_pass_mask`."""
    rows, columns = _axes(xp, height, width, units)
    if kind == "square":
        distance = xp.maximum(xp.abs(rows), xp.abs(columns))
    else:
        distance = xp.sqrt(rows * rows + columns * columns)
    gain: Any = distance < radius
    if radius > 0 and kind == "gaussian":
        gain = xp.exp(-0.5 * (distance / radius) ** 2)
    elif radius > 0 and kind == "butterworth":
        gain = 1 / (1 + (distance / radius) ** (2 * order))
    return xp.cast(gain, "float32")


def traced_disk(xp: ArrayLibrary, height: Array, width: Array, inside: Callable[[Array], Array]) -> Array:
    """1 where `inside` holds of the distance from DC in bins, else 0."""
    rows, columns = _axes(xp, height, width, "index")
    return xp.cast(inside(xp.sqrt(rows * rows + columns * columns)), "float32")


def traced_blur_mask(xp: ArrayLibrary, height: Array, width: Array, sigma: float, kernel_size: int) -> Array:
    """`blur_mask`."""
    offsets = np.arange(kernel_size) - kernel_size // 2
    with np.errstate(over="ignore"):
        kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()
    rows, columns = _axes(xp, height, width, "cycles_per_pixel")
    row, column = (
        sum(
            float(weight) * xp.cos(2 * np.pi * int(offset) * axis)
            for weight, offset in zip(kernel, offsets, strict=True)
        )
        for axis in (rows, columns)
    )
    return xp.cast(row * column, "float32")


def traced_band_mask(
    xp: ArrayLibrary, height: Array, width: Array, low: float, high: float, **options: Any
) -> Array:
    """`band_mask`."""
    inner = traced_low_pass_mask(xp, height, width, low, **options)
    if np.isinf(high):
        return 1 - inner
    return traced_low_pass_mask(xp, height, width, high, **options) - inner
