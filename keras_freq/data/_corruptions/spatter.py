"""Spatter: drops of water or mud on the lens."""

from __future__ import annotations

import numpy as np

from keras_freq.data._corruptions import draws, filters
from keras_freq.data._corruptions.weather import gray

_WATER = np.array([175, 238, 238], "float32")[None, :, None, None] / 255
_MUD = np.array([63, 42, 20], "float32")[None, :, None, None] / 255
_RELIEF = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], "float32")
_FARTHEST = 20


def spatter(
    planes: np.ndarray,
    rngs: draws.Generators,
    mean: float,
    deviation: float,
    smoothing: float,
    threshold: float,
    extent: float,
    mud: bool,
) -> np.ndarray:
    """Where smoothed noise exceeds a threshold there is liquid: water adds light, mud hides.

    Args:
        extent: For water the greatest weight of its color, for mud the smoothing of its rim.
    """
    liquid = draws.normal(rngs, (1, *planes.shape[2:]))
    liquid *= deviation
    liquid += mean
    liquid = filters.gaussian(liquid, smoothing)
    wet = liquid > threshold
    color = _MUD if mud else _WATER
    if planes.shape[1] == 1:
        color = gray(color)
    if mud:
        cover = filters.gaussian(wet.astype("float32"), extent)
        cover[cover < 0.8] = 0
        return planes * (1 - cover) + cover * color
    light = np.where(wet, liquid, 0) * _relief(wet)
    light *= extent / np.maximum(light.max(axis=(2, 3), keepdims=True), 1e-12)
    return planes + light * color


def _relief(wet: np.ndarray) -> np.ndarray:
    """Light and shade on the drops, 0 to 255, from the distance to their rims."""
    from scipy.ndimage import distance_transform_edt

    padded = np.pad(wet, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    inside = (
        padded[:, :, 2:, 1:-1] & padded[:, :, :-2, 1:-1] & padded[:, :, 1:-1, 2:] & padded[:, :, 1:-1, :-2]
    )
    # One transform for all images: they lie farther apart than any distance counts, and so does the slice of
    # rim in front, for images without drops.
    away = np.concatenate([np.zeros_like(wet[:1, 0]), ~(wet & ~inside)[:, 0]])
    distance = distance_transform_edt(away, sampling=(10 * _FARTHEST, 1, 1))[1:, None]
    distance = np.floor(filters.box3(np.minimum(distance, _FARTHEST).astype("float32")) + 1e-4)
    relief = np.clip(filters.correlate(_equalize(distance.astype(int)), _RELIEF), 0, 255)
    return filters.box3(relief)


def _equalize(levels: np.ndarray) -> np.ndarray:
    """Histogram equalization of every image to 0 ... 255: `(cdf - cdf_least) / (n - cdf_least) * 255`."""
    count, depth = len(levels), _FARTHEST + 1
    flat = levels.reshape(count, -1)
    histogram = np.bincount((flat + depth * np.arange(count)[:, None]).ravel(), minlength=count * depth)
    cumulative = histogram.reshape(count, depth).cumsum(axis=1)
    least = np.take_along_axis(cumulative, flat.min(axis=1, keepdims=True), 1)
    scale = 255 / np.maximum(flat.shape[1] - least, 1)
    table = np.maximum(cumulative - least, 0) * scale
    return np.take_along_axis(table, flat, 1).reshape(levels.shape).astype("float32")
