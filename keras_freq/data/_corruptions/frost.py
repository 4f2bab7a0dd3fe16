"""Frost: a generated texture of ice crystals, or photographs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_freq.data._corruptions import draws
from keras_freq.data._corruptions.photographs import Photographs
from keras_freq.data._corruptions.weather import gray

# Mean and deviation, in bytes, of five pictures of ice, of which each image draws one. The published have
# these means, and deviations from 23 to 44: the bright ones, with less room, get the smaller.
_LEVELS = np.array([(131, 44), (207, 28), (207, 23), (152, 34), (124, 39)], "float32") / 255
# Thin ice is a little blue: what red, green and blue gain there; nothing in the mean.
_TINT = np.array([-0.07, 0, 0.07], "float32")[:, None, None]
_FAMILIES = 3
# Sizes in pixels at scale 1, with the least that a pixel grid shows.
_THICKNESS, _LENGTH, _CRYSTAL, _PATCH = (1.6, 0.35), (9, 1.6), (14, 2), (45, 6)


def frost(
    planes: np.ndarray,
    rngs: draws.Generators,
    image_weight: float,
    ice_weight: float,
    scale: float,
    photographs: Photographs | None = None,
) -> np.ndarray:
    """`image_weight * x + ice_weight * ice`, the ice generated or cut from photographs."""
    channels, *size = planes.shape[1:]
    if photographs is not None:
        texture = photographs.cut(rngs, (size[0], size[1]), scale)
        if channels == 1:
            texture = gray(texture)
    else:
        texture = ice(rngs, size, scale)[:, None]
        if channels == 3:
            texture = texture * (1 + _TINT * (1 - texture))
    return image_weight * planes + ice_weight * texture


def ice(rngs: draws.Generators, size: Sequence[int], scale: float) -> np.ndarray:
    """Needles in three directions 60 degrees apart, as ice grows.

    Each direction is Gaussian noise filtered to thin ridges of two lengths. Smooth random fields say which
    direction a crystal takes, and how far the ice has grown. Mean and deviation are drawn from `_LEVELS`.

    Args:
        rngs: One generator for each image.
        size: `(height, width)`.
        scale: Size of the crystals; 1 suits 224 pixels.

    Returns:
        float32 `(n, height, width)` in [0, 1].
    """
    import scipy.fft

    height, width = grid = _round_up(size[0]), _round_up(size[1])
    turn = draws.uniform(rngs, 0, np.pi / _FAMILIES, (1, 1))
    noise = scipy.fft.rfft2(draws.normal(rngs, (2 * _FAMILIES + 1, *grid)))
    y = np.fft.fftfreq(height).astype("float32")[:, None]
    x = np.fft.rfftfreq(width).astype("float32")
    thickness, length, crystal, patch = (
        max(scale * pixels, least) for pixels, least in (_THICKNESS, _LENGTH, _CRYSTAL, _PATCH)
    )

    needles = []
    for family in range(_FAMILIES):
        angle = turn + family * np.pi / _FAMILIES
        along = np.square(x * np.cos(angle) + y * np.sin(angle))
        across = np.square(y * np.cos(angle) - x * np.sin(angle))
        # A Gaussian of deviation d in the plane is exp(-2 (pi d f)²) in the spectrum.
        fine = np.exp(-2 * np.pi**2 * (length**2 * along + thickness**2 * across))
        cube = fine * fine * fine
        ridges = fine + 3 * cube * cube
        grown = _field(noise[:, 2 * family] * ridges, grid)
        grown += _field(noise[:, 2 * family + 1] * _smooth(along + across, crystal), grid)
        needles.append(grown)
    far = _field(noise[:, -1] * _smooth(y**2 + x**2, patch), grid)
    texture = _standardize(np.maximum.reduce(needles) + 0.8 * far)
    mean, deviation = _LEVELS[draws.integers(rngs, 0, len(_LEVELS), ())].T[:, :, None, None]
    texture = mean + deviation * texture[:, : size[0], : size[1]]
    return np.clip(texture, 0, 1).astype("float32")


def _round_up(side: int) -> int:
    """A margin keeps the periodic texture from meeting itself; multiples of 16 transform quickly."""
    return -(-(side + 8) // 16) * 16


def _smooth(squared_frequency: np.ndarray, deviation: float) -> np.ndarray:
    return np.exp(-2 * np.square(np.pi * deviation) * squared_frequency)


def _field(spectra: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Back to the plane, mean 0 and variance 1."""
    import scipy.fft

    return _standardize(scipy.fft.irfft2(spectra, size))


def _standardize(fields: np.ndarray) -> np.ndarray:
    fields -= fields.mean(axis=(1, 2), keepdims=True)
    fields /= np.maximum(fields.std(axis=(1, 2), keepdims=True), 1e-12)
    return fields
