"""Blur: Gaussian, defocus, motion and zoom."""

from __future__ import annotations

import functools

import numpy as np

from keras_freq.data._corruptions import draws, filters

_BLOCK = 2**16


def gaussian_blur(planes: np.ndarray, sigma: float) -> np.ndarray:
    """Convolution with a Gaussian."""
    return filters.gaussian(planes, sigma)


def defocus_blur(planes: np.ndarray, radius: float, smoothing: float) -> np.ndarray:
    """Convolution with a disk whose rim is smoothed."""
    return filters.correlate(planes, disk(radius, smoothing))


@functools.lru_cache(maxsize=32)
def disk(radius: float, smoothing: float) -> np.ndarray:
    """Pixels with `x² + y² <= radius²`, smoothed over 3x3 pixels (5x5 beyond radius 8); sums to 1."""
    reach = 1 if radius <= 8 else 2
    half = int(radius) + reach
    y, x = np.ogrid[-half : half + 1, -half : half + 1]
    solid = (x**2 + y**2 <= radius**2).astype("float64")
    weights = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / smoothing))
    rim = np.apply_along_axis(np.convolve, 0, solid, weights, mode="same")
    rim = np.apply_along_axis(np.convolve, 1, rim, weights, mode="same")
    rim /= rim.sum()
    # Taps that could not change a byte are dropped.
    rim[rim < 1e-6] = 0
    return (rim / rim.sum()).astype("float32")


def motion_blur(planes: np.ndarray, rngs: draws.Generators, radius: int, sigma: float) -> np.ndarray:
    """A trail in a direction within 45 degrees of the horizontal."""
    return trails(planes, draws.uniform(rngs, -45, 45, (1,))[:, 0], radius, sigma)


def trails(planes: np.ndarray, degrees: np.ndarray, radius: int, sigma: float) -> np.ndarray:
    """Smears every image along its own direction, one way only.

    Pixel `p` becomes the weighted mean of the pixels at `p + round(i * (cos, sin))`, `i = 0, 1, ...,
    2 * radius`, with weights `exp(-i² / 2 sigma²)`; the border pixels go on outside. Images whose rounded
    steps agree are smeared together.

    Args:
        planes: float32 `(n, channels, height, width)`.
        degrees: One direction for each image, `(n,)`; 0 is horizontal, 90 downwards.
        radius: Half the length of the trail.
        sigma: Standard deviation of the one-sided Gaussian.

    Returns:
        An array like `planes`.
    """
    steps = np.arange(2 * radius + 1)
    weights = np.exp(-0.5 * np.square(steps / sigma))
    # The far end of a steep Gaussian moves no byte.
    steps = steps[weights > 1e-4 * weights.sum()]
    weights = (weights[steps] / weights[steps].sum()).astype("float32")
    angle = np.deg2rad(degrees.astype("float64"))[:, None]
    offsets = np.ceil(np.stack([steps * np.sin(angle), steps * np.cos(angle)], -1) - 0.5).astype(int)

    height, width = planes.shape[-2:]
    before, after = np.maximum(-offsets.min(axis=(0, 1)), 0), np.maximum(offsets.max(axis=(0, 1)), 0)
    around = np.pad(planes, ((0, 0), (0, 0), *zip(before, after, strict=True)), mode="edge")
    result = np.empty_like(planes)
    patterns, members = np.unique(offsets.reshape(len(planes), -1), axis=0, return_inverse=True)
    members = members.ravel()
    for number, pattern in enumerate(patterns):
        group = np.flatnonzero(members == number)
        padded = around[group].reshape(-1, *around.shape[-2:])
        blurred = np.zeros((len(padded), height, width), "float32")
        # So many planes that they stay in the processor's cache from tap to tap.
        block = max(1, _BLOCK // (height * width))
        for first in range(0, len(padded), block):
            source, total = padded[first : first + block], blurred[first : first + block]
            term = np.empty_like(total)
            for (y, x), weight in zip(pattern.reshape(-1, 2) + before, weights, strict=True):
                np.multiply(source[:, y : y + height, x : x + width], weight, out=term)
                total += term
        result[group] = blurred.reshape(-1, *planes.shape[1:])
    return result


def zoom_blur(planes: np.ndarray, stop: float, step: float) -> np.ndarray:
    """Mean of the image and of its enlargements by `1, 1 + step, ...` below `stop`."""
    factors = np.arange(1, stop, step)
    total = planes.copy()
    for factor in factors:
        total += filters.zoom(planes, factor)
    total /= len(factors) + 1
    return total
