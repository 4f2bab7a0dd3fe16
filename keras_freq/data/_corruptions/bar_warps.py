"""C-bar: pinches and twirls, ripples, and the refraction of light in water."""

from __future__ import annotations

import numpy as np

from keras_freq.data._corruptions import draws, filters


def pinch_and_twirl(planes: np.ndarray, rngs: draws.Generators, amount: float) -> np.ndarray:
    """Pinches and turns the disk in each of 3 x 3 blocks, 5 x 5 from a side of 120 pixels on.

    At `d` radii from the center, stands what was at `d sin(pi d / 2)^-(.04 amount + .1)`, turned
    by `± (1 - d)² amount pi / 20`. Along a longer side there are as many more blocks as fit.
    """
    height, width = planes.shape[-2:]
    side = min(height, width)
    across = 5 if side >= 120 else 3
    block = side // across
    counts = across * height // side, across * width // side
    if block == 0:
        return planes
    offset_y, offset_x = np.mgrid[:block, :block] - block / 2
    radius = np.hypot(offset_y, offset_x) / (block / 2)
    inside = (radius > 0) & (radius <= 1)
    d = np.where(inside, radius, 1)
    pinch = np.where(inside, np.sin(np.pi * d / 2) ** -(0.04 * amount + 0.1), 1)
    turn = np.where(inside, amount * np.pi / 20 * (1 - d) ** 2, 0)
    result = np.empty_like(planes)
    for image, rng, out in zip(planes, rngs, result, strict=True):
        y, x = np.mgrid[:height, :width].astype("float64")
        signs = np.where(rng.random(counts) < 0.5, -1, 1)
        for row, column in np.ndindex(*counts):
            cosine, sine = np.cos(signs[row, column] * turn), np.sin(signs[row, column] * turn)
            part = np.s_[row * block : (row + 1) * block, column * block : (column + 1) * block]
            y[part] = (row + 0.5) * block + pinch * (cosine * offset_y - sine * offset_x)
            x[part] = (column + 0.5) * block + pinch * (sine * offset_y + cosine * offset_x)
        read_at(image, y, x, out)
    return result


def ripple(planes: np.ndarray, rngs: draws.Generators, amount: float) -> np.ndarray:
    """Moves rows by a sine over the rows and columns by one over the columns, by `.0025 amount` sides."""
    height, width = planes.shape[-2:]
    side = min(height, width)
    y, x = np.mgrid[:height, :width].astype("float64")
    result = np.empty_like(planes)
    for image, rng, out in zip(planes, rngs, result, strict=True):
        lengths, phases = side * rng.uniform(0.1, 0.3, 2), rng.uniform(0, 2 * np.pi, 2)
        down, across = (
            0.0025 * amount * side * np.sin(2 * np.pi * place / length + phase)
            for place, length, phase in zip((y, x), lengths, phases, strict=True)
        )
        read_at(image, y + down, x + across, out)
    return result


def caustic_refraction(planes: np.ndarray, rngs: draws.Generators, amount: float) -> np.ndarray:
    """The image below moving water: bent along the slopes of a pattern of light, and lit by them."""
    height, width = planes.shape[-2:]
    side = min(height, width)
    y, x = np.mgrid[:height, :width].astype("float64")
    result = np.empty_like(planes)
    for image, rng, out in zip(planes, rngs, result, strict=True):
        light = np.pad(_caustics(rng, y, x), 1)
        down = light[2:, 1:-1] - light[:-2, 1:-1]
        across = light[1:-1, 2:] - light[1:-1, :-2]
        cosine = 1 / np.sqrt(down**2 + across**2 + 1)
        angle = np.arccos(np.minimum(cosine, 1))
        bend = 0.05 * amount * side * np.sin(angle - np.arcsin(np.sin(angle) / 4))
        slope = np.hypot(down, across)
        bend = np.where(cosine < 0.999, bend / np.where(slope > 0, slope, 1), 0)
        read_at(image, y + bend * down, x + bend * across, out)
        out += 0.2 * amount * (down - across)
    return result


def _caustics(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """A net of light in [0, 1], smoothed by one pixel."""
    time, size = rng.uniform(0.5, 2), min(y.shape) * rng.uniform(0.75, 1.25)
    place_y, place_x = (place / size % 1 * 2 * np.pi - 250 for place in (y, x))
    moved_y, moved_x, total = place_y, place_x, np.ones_like(y)
    for number in (1, 2, 3, 4, 5):
        t = time * (1 - 3.5 / number)
        moved_y, moved_x = (
            place_y + np.cos(t - moved_y) + np.sin(t + moved_x),
            place_x + np.sin(t - moved_x) + np.cos(t + moved_y),
        )
        # 1 / hypot(.005 p / sin, .005 p' / cos) without a division by zero.
        sine, cosine = np.sin(moved_y + t), np.cos(moved_x + t)
        total += np.abs(sine * cosine) / np.hypot(0.005 * place_y * cosine, 0.005 * place_x * sine)
    light = np.clip(np.abs(1.17 - (total / 5) ** 1.4) ** 8, 0, 1)
    return filters.gaussian(light[None, None].astype("float32"), 1.0)[0, 0].astype("float64")


def read_at(image: np.ndarray, y: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
    """Fills `out` with the planes of an image at other places, bilinearly, 0 outside."""
    from scipy.ndimage import map_coordinates

    for plane, target in zip(image, out, strict=True):
        map_coordinates(plane, (y, x), output=target, order=1, mode="constant")
