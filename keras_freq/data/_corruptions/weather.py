"""Weather: snow, fog and brightness. Frost, which needs a texture, has a file of its own."""

from __future__ import annotations

import numpy as np

from keras_freq.data._corruptions import draws, filters
from keras_freq.data._corruptions.blur import trails


def snow(
    planes: np.ndarray,
    rngs: draws.Generators,
    mean: float,
    deviation: float,
    factor: float,
    threshold: float,
    radius: int,
    sigma: float,
    mix: float,
) -> np.ndarray:
    """Flakes with trails over a whitened image.

    Flakes are enlarged noise above a threshold, smeared within 45 degrees of the vertical, laid on twice, the
    second time turned by 180 degrees.
    """
    flakes = draws.normal(rngs, (1, *planes.shape[2:]))
    flakes *= deviation
    flakes += mean
    flakes = filters.zoom(flakes, factor)
    flakes[flakes < threshold] = 0
    np.clip(flakes, 0, 1, out=flakes)
    flakes = trails(flakes, draws.uniform(rngs, -135, -45, (1,))[:, 0], radius, sigma)
    result = np.maximum(planes, 1.5 * gray(planes) + 0.5)
    result *= 1 - mix
    result += mix * planes
    result += flakes
    result += flakes[:, :, ::-1, ::-1]
    return result


def gray(planes: np.ndarray) -> np.ndarray:
    """`0.299 R + 0.587 G + 0.114 B` of shape `(n, 1, height, width)`; gray images stay as they are."""
    if planes.shape[1] == 1:
        return planes
    return 0.299 * planes[:, :1] + 0.587 * planes[:, 1:2] + 0.114 * planes[:, 2:]


def fog(planes: np.ndarray, rngs: draws.Generators, strength: float, decay: float) -> np.ndarray:
    """`(x + strength * f) * m / (m + strength)`, `f` a cloud in [0, 1], `m` the image's largest value."""
    height, width = planes.shape[2:]
    cloud = clouds(rngs, max(height, width), decay)[:, None, :height, :width]
    largest = planes.max(axis=(1, 2, 3), keepdims=True)
    result = planes + strength * cloud
    result *= largest / (largest + strength)
    return result


def clouds(rngs: draws.Generators, size: int, decay: float) -> np.ndarray:
    """Fractal height maps in [0, 1] by the diamond-square rule, periodic.

    Points are filled in at half the distance of those before: first the centers of squares, then the centers
    of their sides, each the mean of its four neighbors plus a uniform draw that shrinks by `decay²` with
    every halving.

    Args:
        rngs: One generator for each image.
        size: Least side of the maps; the next power of two is used.
        decay: Larger is smoother.

    Returns:
        float32 `(n, side, side)`.
    """
    side = 1 << max(size - 1, 1).bit_length()
    chance = draws.uniform(rngs, -1, 1, (side * side,))
    maps = np.zeros((len(rngs), side, side), "float32")
    step, strength, used = side, 1.0, 0

    def wobble(count: int) -> np.ndarray:
        nonlocal used
        used += count * count
        return strength * chance[:, used - count * count : used].reshape(-1, count, count)

    while step > 1:
        half, count = step // 2, side // step
        corners = maps[:, ::step, ::step]
        right = corners + np.roll(corners, -1, 2)
        centers = (right + np.roll(right, -1, 1)) / 4 + wobble(count)
        below = corners + np.roll(corners, -1, 1)
        maps[:, half::step, half::step] = centers
        maps[:, ::step, half::step] = (right + centers + np.roll(centers, 1, 1)) / 4 + wobble(count)
        maps[:, half::step, ::step] = (below + centers + np.roll(centers, 1, 2)) / 4 + wobble(count)
        step, strength = half, strength / decay**2
    maps -= maps.min(axis=(1, 2), keepdims=True)
    maps /= np.maximum(maps.max(axis=(1, 2), keepdims=True), 1e-12)
    return maps


def brightness(planes: np.ndarray, amount: float) -> np.ndarray:
    """Adds to the value V of HSV; hue and saturation stay.

    With `V = max(R, G, B)` every channel is multiplied by `min(V + amount, 1) / V`; black becomes gray.
    """
    value = planes.max(axis=1, keepdims=True)
    raised = np.minimum(value + np.float32(amount), 1)
    factor = raised / np.where(value > 0, value, 1)
    return np.where(value > 0, planes * factor, raised)
