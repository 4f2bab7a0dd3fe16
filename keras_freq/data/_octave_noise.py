"""Noise of one octave of frequencies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from keras_freq._core.checks import check_numbers, check_whole
from keras_freq.spectral import radial_distance


def octave_noise(
    height: int,
    width: int,
    centers: float | Sequence[float],
    *,
    count: int = 1,
    seed: int | Sequence[int] = 0,
) -> np.ndarray:
    """Gaussian noise with the frequencies of one octave, of root mean square 1.

    `n = IDFT(m * DFT(w)) / rms`, with `w` white Gaussian noise and `m = 1[c / sqrt(2) <= d < c * sqrt(2)]`,
    `d` the distance from DC in cycles per image, counted along the shorter side. Each image is divided by its
    own root mean square; it has mean 0. Octaves whose centers lie a factor of 2 apart share no frequency, and
    those of one image are filtered from the same white noise.

    Args:
        height: Rows.
        width: Columns.
        centers: Centers of the octaves, in cycles per image, one or several. Their lower edge, `c / sqrt(2)`,
            lies below half the shorter side.
        count: How many images of noise.
        seed: Of the white noise: a whole number, or several.

    Returns:
        float32 `(count, height, width)`, or `(count, centers, height, width)` where several were given.

    Raises:
        ValueError: If an octave holds no frequency of the image, or an argument is out of range.

    Source: Subramanian, Sizikova, Majaj and Pelli, "Spatial-frequency channels, shape bias, and adversarial
        robustness", NeurIPS 2023 (noise of one octave in seven bands).
        Differs from the original: ideal octaves for the levels of a Laplacian pyramid; every band has root
        mean square 1, where the published code gives all bands that of its finest level.

    Example:
        >>> noise = kf.data.octave_noise(32, 32, (3.5, 7), count=4)
        >>> noise.shape, bool(abs((noise**2).mean(axis=(2, 3)) - 1).max() < 1e-5)
        ((4, 2, 32, 32), True)
    """
    several = np.ndim(centers) == 1
    masks = octave_masks(height, width, centers)
    count = check_whole(count, "count")
    white = np.random.default_rng(seed).standard_normal((count, height, width), dtype="float32")
    noise = filter_noise(white, masks)
    return noise if several else noise[:, 0]


def octave_masks(height: int, width: int, centers: float | Sequence[float]) -> np.ndarray:
    """Masks of the octaves over a spectrum whose DC is its first entry, `(centers, height, width)`."""
    checked = check_numbers(centers, "centers", above=0)
    most = min(height, width) / math.sqrt(2)
    # Along the longer side an image of the same sampling has more cycles.
    distance = radial_distance(height, width, units="cycles_per_pixel") * min(height, width)
    distance = np.fft.ifftshift(distance)
    masks = []
    for center in checked:
        mask = (distance >= center / math.sqrt(2)) & (distance < center * math.sqrt(2))
        if center >= most or not mask.any():
            raise ValueError(
                f"`centers` must be octaves that hold frequencies of {height} x {width} pixels: they begin "
                f"below half the shorter side, so lie below {most:.4g} cycles per image. "
                f"Received: centers={center:g}"
            )
        masks.append(mask)
    return np.stack(masks).astype("float32")


def filter_noise(white: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """White noise `(count, height, width)` in each octave, float32 `(count, centers, height, width)`."""
    noise = np.fft.ifft2(np.fft.fft2(white)[:, None] * masks).real
    noise /= np.sqrt(np.mean(noise**2, axis=(2, 3), keepdims=True))
    return noise.astype("float32")
