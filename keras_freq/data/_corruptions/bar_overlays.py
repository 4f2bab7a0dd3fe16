"""C-bar: sparkles, a checkerboard with holes, and lines, laid over the image."""

from __future__ import annotations

import numpy as np

from keras_freq.data._corruptions import draws

_GRAY = 128 / 255


def sparkles(planes: np.ndarray, rngs: draws.Generators, amount: float) -> np.ndarray:
    """Five white stars, `x + w (1 - x)` one after the other."""
    height, width = planes.shape[-2:]
    radius = 0.01 * amount * min(height, width)
    result = planes.copy()
    for image, rng in zip(result, rngs, strict=True):
        for _ in range(5):
            center = rng.uniform(0, height), rng.uniform(0, width)
            lengths = np.maximum(1, radius + 0.25 * radius * rng.standard_normal(rng.integers(50, 200)))
            image += star((height, width), center, lengths, 1) * (1 - image)
    return result


def inverse_sparkles(planes: np.ndarray, rngs: draws.Generators, amount: float) -> np.ndarray:
    """White outside of one star, `1 + w (x - 1)`; the larger `amount`, the sooner it fades."""
    height, width = planes.shape[-2:]
    radius = 0.25 * min(height, width)
    result = np.empty_like(planes)
    for image, rng, out in zip(planes, rngs, result, strict=True):
        center = height * rng.uniform(0.25, 0.75), width * rng.uniform(0.25, 0.75)
        lengths = radius + 0.25 * radius * rng.standard_normal(rng.integers(50, 200))
        out[...] = 1 + star((height, width), center, lengths, 0.13 * amount) * (image - 1)
    return result


def star(size: tuple[int, int], center: tuple[float, float], lengths: np.ndarray, power: float) -> np.ndarray:
    """Weights in [0, 1] of a star, `clip((1 - (f - .5)²) (L² / (D² + 1e-4))^power, 0, 1)`.

    `D` is the distance from the center, `f` the place between two of the evenly spread rays, and `L` their
    length, linear between them.
    """
    y, x = np.ogrid[: size[0], : size[1]]
    down, across = y - center[0], x - center[1]
    turn = (np.arctan2(across, down) + np.pi) / (2 * np.pi) * len(lengths)
    ray = np.floor(turn).astype(int)
    share = turn - ray
    length = (1 - share) * lengths[ray % len(lengths)] + share * lengths[(ray + 1) % len(lengths)]
    light = np.square(length) / (np.square(down) + np.square(across) + 1e-4)
    return np.clip((1 - np.square(share - 0.5)) * light**power, 0, 1)


def checkerboard_cutout(planes: np.ndarray, rngs: draws.Generators, amount: float) -> np.ndarray:
    """Gray where a turned checkerboard has a square, a share of `amount / 10` of its squares."""
    height, width = planes.shape[-2:]
    y, x = np.ogrid[:height, :width]
    result = planes.copy()
    for image, rng in zip(result, rngs, strict=True):
        angle = rng.uniform(0, 2 * np.pi)
        cell = max(1, min(height, width) * rng.uniform(0.1, 0.25))
        cells = int(4 * max(height, width) // cell)
        marked = rng.random((cells, cells)) < amount / 10
        first = (y * np.cos(angle) + x * np.sin(angle)) / cell
        second = (x * np.cos(angle) - y * np.sin(angle)) / cell
        even = (first % 2).astype(int) == (second % 2).astype(int)
        image[:, even & marked[first.astype(int), second.astype(int)]] = _GRAY
    return result


def lines(planes: np.ndarray, rngs: draws.Generators, amount: float) -> np.ndarray:
    """`int(amount side / 10)` gray lines, one pixel wide, of directions more or less alike in an image."""
    height, width = planes.shape[-2:]
    side = min(height, width)
    result = planes.copy()
    for image, rng in zip(result, rngs, strict=True):
        common, variety = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 1)
        for _ in range(int(amount * side / 10)):
            middle = np.array([rng.uniform(0, height), rng.uniform(0, width)])
            angle = common + 2 * np.pi * variety * (rng.random() - 0.5)
            reach = max(height, width) * np.array([np.cos(angle), np.sin(angle)])
            coverage = line_coverage((height, width), np.trunc(middle - reach), np.trunc(middle + reach))
            image += coverage * (_GRAY - image)
    return result


def line_coverage(size: tuple[int, int], start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """`max(0, 1 - distance to the line)` between the ends along the longer axis of the line, 0 beyond."""
    y, x = np.ogrid[: size[0], : size[1]]
    down, across = end - start
    if down == 0 and across == 0:
        return ((y == start[0]) & (x == start[1])).astype("float64")
    distance = np.abs((x - start[1]) * down - (y - start[0]) * across) / np.hypot(down, across)
    along, axis = (y, 0) if abs(down) >= abs(across) else (x, 1)
    between = (along >= min(start[axis], end[axis])) & (along <= max(start[axis], end[axis]))
    return np.maximum(1 - distance, 0) * between
