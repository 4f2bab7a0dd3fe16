"""The sequences: generators of frames, float32 `(n, channels, height, width)` in [0, 1], not clipped yet.

Each takes the clean planes, a generator of random numbers for each image, and its parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from keras_freq.data._corruptions import draws, filters, noise, spatter, weather
from keras_freq.data._corruptions.blur import trails
from keras_freq.data._perturbations import warps

Frames = Iterator[np.ndarray]
_NOISY = 30
# Rounding of float32 takes no whole level.
_SLACK = 1e-3


def truncate(planes: np.ndarray) -> np.ndarray:
    """Whole levels, 0 to 255, what is over cut off."""
    return np.floor(np.clip(planes, 0, 1) * np.float32(255) + np.float32(_SLACK))


def gaussian_noise(planes: np.ndarray, rngs: draws.Generators, scale: float) -> Frames:
    return _noisy(noise.gaussian_noise, planes, rngs, scale)


def shot_noise(planes: np.ndarray, rngs: draws.Generators, photons: float) -> Frames:
    return _noisy(noise.shot_noise, planes, rngs, photons)


def speckle_noise(planes: np.ndarray, rngs: draws.Generators, scale: float) -> Frames:
    return _noisy(noise.speckle_noise, planes, rngs, scale)


def _noisy(function: Callable, planes: np.ndarray, rngs: draws.Generators, level: float) -> Frames:
    """The clean planes, then noise drawn anew on them for every frame."""
    yield planes
    for _ in range(_NOISY):
        yield function(planes, rngs, level)


def motion_blur(
    planes: np.ndarray, rngs: draws.Generators, frames: int, radius: int, sigma: float, step: float
) -> Frames:
    """A trail that turns until it is horizontal."""
    for frame in range(frames):
        yield trails(planes, np.full(len(planes), step * (frame - frames + 1)), radius, sigma)


def zoom_blur(planes: np.ndarray, rngs: draws.Generators, frames: int, step: float) -> Frames:
    """Mean of more and more enlargements, each of which is cut to bytes."""
    total = np.zeros_like(planes)
    for frame in range(frames):
        total += truncate(warps.warp(planes, warps.scaling(1 + step * frame))) / np.float32(255)
        yield total / (frame + 1)


def gaussian_blur(
    planes: np.ndarray, rngs: draws.Generators, frames: int, sigma: float, step: float, reach: float
) -> Frames:
    """Convolution with a Gaussian that widens, cut off at `reach` deviations."""
    for frame in range(frames):
        yield filters.gaussian(planes, sigma + step * frame, truncate=reach)


def snow(
    planes: np.ndarray,
    rngs: draws.Generators,
    frames: int,
    mean: float,
    deviation: float,
    factor: float,
    radius: int,
    sigma: float,
) -> Frames:
    """The same flakes in every frame; their trails turn from -150 to -30 degrees."""
    flakes = draws.normal(rngs, (1, *planes.shape[2:]))
    flakes = filters.zoom(flakes * np.float32(deviation) + np.float32(mean), factor)
    flakes = np.where(flakes < 0.5, 0, np.minimum(flakes, 1)).astype("float32")
    whitened = np.maximum(planes, 1.5 * weather.gray(planes) + 0.5)
    ground = np.float32(0.85) * planes + np.float32(0.15) * whitened
    for frame in range(frames):
        fallen = trails(flakes, np.full(len(planes), 4.0 * frame - 150), radius, sigma)
        yield ground + fallen + fallen[:, :, ::-1, ::-1]


def water(
    planes: np.ndarray,
    rngs: draws.Generators,
    frames: int,
    mean: float,
    deviation: float,
    smoothing: float,
    threshold: float,
    flow: tuple[float, ...],
) -> Frames:
    """Water on the lens that runs down: from frame to frame its columns are convolved with `flow`."""
    liquid = draws.normal(rngs, (1, *planes.shape[2:])) * np.float32(deviation) + np.float32(mean)
    liquid = filters.gaussian(liquid, smoothing)
    liquid = np.where(liquid < threshold, 0, liquid).astype("float32")
    color = spatter.WATER if planes.shape[1] == 3 else weather.gray(spatter.WATER)
    size, start = planes.shape[2], (len(flow) - 1) // 2
    # Row by row, what `numpy.convolve(column, flow, mode="same")` gives for every column.
    run = np.zeros((size, size), "float32")
    for lag, weight in enumerate(flow):
        run += np.float32(weight) * np.eye(size, k=start - lag, dtype="float32")
    for _ in range(frames):
        light = liquid * spatter.shade_drops(liquid)
        yield planes + 0.6 * color * light / np.maximum(light.max(axis=(2, 3), keepdims=True), 1e-12)
        liquid = run @ liquid


def brightness(planes: np.ndarray, rngs: draws.Generators, frames: int, step: float) -> Frames:
    """The value V of HSV, from dark to bright."""
    for frame in range(frames):
        yield weather.brightness(planes, step * (frame - frames // 2))


def translate(planes: np.ndarray, rngs: draws.Generators, frames: int, first: int) -> Frames:
    """Moves to the right by whole pixels; black comes in."""
    width = planes.shape[-1]
    for shift in range(first, first + frames):
        source = np.arange(width) - shift
        inside = (source >= 0) & (source < width)
        yield planes[..., np.clip(source, 0, width - 1)] * inside.astype("float32")


def rotate(planes: np.ndarray, rngs: draws.Generators, frames: int, step: float) -> Frames:
    for frame in range(frames):
        yield warps.warp(planes, warps.rotation(step * (frame - frames // 2)))


def tilt(planes: np.ndarray, rngs: draws.Generators, frames: int, step: float) -> Frames:
    for frame in range(frames):
        yield warps.warp(planes, warps.tilting(step * (frame - frames // 2), *planes.shape[2:]))


def scale(planes: np.ndarray, rngs: draws.Generators, frames: int, least: float, step: float) -> Frames:
    for frame in range(frames):
        yield warps.warp(planes, warps.scaling(least + step * frame))


def shear(planes: np.ndarray, rngs: draws.Generators, frames: int, step: float) -> Frames:
    for frame in range(frames):
        yield warps.warp(planes, warps.shearing(step * (frame - frames // 2)))
