"""Spatter: drops of water or mud on the lens."""

from __future__ import annotations

import numpy as np

from keras_freq.data._corruptions import draws, filters
from keras_freq.data._corruptions.weather import gray

WATER = np.array([175, 238, 238], "float32")[None, :, None, None] / 255
_MUD = np.array([63, 42, 20], "float32")[None, :, None, None] / 255
_RELIEF = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], "float32")
_FARTHEST = 20
_WEAK, _STRONG = 50, 150


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
    color = _MUD if mud else WATER
    if planes.shape[1] == 1:
        color = gray(color)
    if mud:
        cover = filters.gaussian(wet.astype("float32"), extent)
        cover[cover < 0.8] = 0
        return planes * (1 - cover) + cover * color
    light = np.where(wet, liquid, 0)
    light *= shade_drops(light)
    light *= extent / np.maximum(light.max(axis=(2, 3), keepdims=True), 1e-12)
    return planes + light * color


def shade_drops(liquid: np.ndarray) -> np.ndarray:
    """Light and shade on the drops of a layer of liquid `(n, 1, height, width)`, 0 where there is none."""
    return _relief(_find_edges(np.floor(255 * liquid[:, 0]).astype("int32")))


def _find_edges(levels: np.ndarray) -> np.ndarray:
    """Canny's edges of images of 0 to 255, `(n, height, width)`, without smoothing, thresholds 50 and 150.

    The gradient is Sobel's, its size the sum of both parts; an edge is a pixel whose gradient is the largest
    along its direction, to the nearest of four, and above 150, or above 50 in a chain of such pixels that
    reaches above 150.
    """
    from scipy.ndimage import label

    height, width = levels.shape[1:]
    around = np.pad(levels, ((0, 0), (1, 1), (1, 1)), mode="edge")
    down = around[:, :-2] + 2 * around[:, 1:-1] + around[:, 2:]
    across = around[..., :-2] + 2 * around[..., 1:-1] + around[..., 2:]
    dx, dy = down[..., 2:] - down[..., :-2], across[:, 2:] - across[:, :-2]
    wide, high = np.abs(dx), np.abs(dy)
    size = wide + high
    framed = np.pad(size, ((0, 0), (1, 1), (1, 1)))

    def beside(y: int, x: int) -> np.ndarray:
        return framed[:, 1 + y : 1 + y + height, 1 + x : 1 + x + width]

    # Of two equal neighbors in a row or column the first is the edge, as is usual.
    level = (size > beside(0, -1)) & (size >= beside(0, 1))
    upright = (size > beside(-1, 0)) & (size >= beside(1, 0))
    falling = (size > beside(-1, -1)) & (size > beside(1, 1))
    rising = (size > beside(-1, 1)) & (size > beside(1, -1))
    slanted = np.where((dx < 0) == (dy < 0), falling, rising)
    tangent = np.tan(np.pi / 8)
    largest = np.where(high < tangent * wide, level, np.where(wide < tangent * high, upright, slanted))
    chains, count = label(largest & (size > _WEAK), np.pad(np.ones((1, 3, 3)), ((1, 1), (0, 0), (0, 0))))
    kept = np.zeros(count + 1, bool)
    kept[chains[largest & (size > _STRONG)]] = True
    return kept[chains]


def _relief(edges: np.ndarray) -> np.ndarray:
    """Light and shade on the drops `(n, 1, height, width)`, 0 to 255, from the distance to their edges."""
    from scipy.ndimage import distance_transform_edt

    distance = np.full(edges.shape, _FARTHEST, "float64")
    places = np.indices(edges.shape[1:], "int32")
    for edge, lengths in zip(edges, distance, strict=True):
        if edge.any():  # an image without drops has no nearest edge
            nearest = distance_transform_edt(~edge, return_distances=False, return_indices=True)
            lengths[...] = _chamfer(*np.abs(nearest - places))
    distance = distance[:, None]
    distance = np.floor(filters.box3(distance.astype("float32")) + 1e-4)
    relief = np.clip(filters.correlate(_equalize(distance.astype(int)), _RELIEF), 0, 255)
    return filters.box3(relief)


def _chamfer(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Length of the shortest way by steps of a king and of a knight in chess, at most `_FARTHEST`.

    The steps count 1, 1.4 and 2.1969, OpenCV's approximation of the Euclidean distance.
    """
    long, short = np.maximum(rows, columns), np.minimum(rows, columns)
    knights = np.minimum(short, long - short)
    straight, slanted = np.maximum(long - 2 * short, 0), np.maximum(2 * short - long, 0)
    return np.minimum(straight + 1.4 * slanted + 2.1969 * knights, _FARTHEST)


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
