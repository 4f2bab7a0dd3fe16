"""C-bar: circular motion and chromatic aberration, both by cubic splines."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from keras_freq.data._corruptions import draws, filters


def circular_motion_blur(planes: np.ndarray, amount: float) -> np.ndarray:
    """Mean of 21 turns about the center by `1.5 amount u` degrees, weights `exp(-2 u²)`, `u` from -1 to 1.

    Cubic splines between the pixels, black outside.
    """
    from scipy.ndimage import spline_filter1d

    for axis in (-2, -1):
        planes = spline_filter1d(planes, order=3, axis=axis, mode="mirror", output="float32")
    flat = planes.reshape(-1, planes.shape[-2] * planes.shape[-1])
    return (_turns(planes.shape[-2], planes.shape[-1], amount) @ flat.T).T.reshape(planes.shape)


@functools.lru_cache(maxsize=2)
def _turns(height: int, width: int, amount: float) -> Any:
    """The weighted mean of the turns as a sparse matrix from spline coefficients to pixels."""
    from scipy.sparse import csr_array

    y, x = np.mgrid[:height, :width]
    y, x = y.ravel() - (height - 1) / 2, x.ravel() - (width - 1) / 2
    steps = np.linspace(-1, 1, 21)
    shares = np.exp(-2 * steps**2)
    total = csr_array((y.size, y.size), dtype="float32")
    for angle, share in zip(np.deg2rad(1.5 * amount * steps), shares / shares.sum(), strict=True):
        rows = np.cos(angle) * y + np.sin(angle) * x + (height - 1) / 2
        columns = np.cos(angle) * x - np.sin(angle) * y + (width - 1) / 2
        inside = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
        index_y, weight_y = spline_taps(rows, height)
        index_x, weight_x = spline_taps(columns, width)
        index = index_y[:, :, None] * width + index_x[:, None]
        weight = weight_y[:, :, None] * weight_x[:, None] * (share * inside)[:, None, None]
        ends = np.arange(0, 16 * y.size + 1, 16)
        total = total + csr_array((weight.astype("float32").ravel(), index.ravel(), ends), shape=total.shape)
    return total


def transverse_chromatic_abberation(planes: np.ndarray, rngs: draws.Generators, amount: float) -> np.ndarray:
    """Channels enlarged by 1, `1 + .025 amount` and `1 + .05 amount` in random order, around the middle.

    The spline is not prefiltered, as published: it blurs by `[1 4 1] / 6` both ways even at 1.
    An image of one channel is enlarged by one of the three.
    """
    orders = np.stack([rng.permutation(3) for rng in rngs])[:, : planes.shape[1]]
    result = np.empty_like(planes)
    for number in range(3):
        rows, columns = (_enlargement(size, 1 + 0.025 * amount * number) for size in planes.shape[-2:])
        chosen = orders == number
        result[chosen] = filters.separable(planes[chosen][None], rows, columns)[0]
    return result


@functools.lru_cache(maxsize=64)
def _enlargement(size: int, factor: float) -> np.ndarray:
    """The middle of `round(size * factor)` samples, ends on ends, as a matrix `(size, size)`."""
    large = round(size * factor)
    places = (np.arange(size) + (large - size) // 2) * ((size - 1) / max(large - 1, 1))
    index, weight = spline_taps(places, size)
    matrix = np.zeros((size, size))
    np.add.at(matrix, (np.arange(size)[:, None], index), weight)
    return matrix.astype("float32")


def spline_taps(places: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The four coefficients `(n, 4)` that a cubic spline uses at each place, and their weights."""
    low = np.floor(places).astype(int)
    t = places - low
    weights = [(1 - t) ** 3, 4 - 6 * t**2 + 3 * t**3, 1 + 3 * t + 3 * t**2 - 3 * t**3, t**3]
    index = filters.whole_sample_mirror(low[:, None] + np.arange(-1, 3), size)
    return index, np.stack(weights, axis=1) / 6
