"""Real images that hold a single frequency."""

from __future__ import annotations

import numpy as np

from keras_freq._core.checks import show
from keras_freq.spectral._grid import check_sides, own_mirror


def fourier_basis(
    height: int, width: int, i: int | np.ndarray, j: int | np.ndarray, phase: float | np.ndarray = 0.0
) -> np.ndarray:
    """Real image of Frobenius norm 1 whose spectrum is `(i, j)` and its mirror.

    `U[h, w] = c * cos(2 * pi * (u * h / height + v * w / width) + phase)` with `u = i - height // 2`,
    `v = j - width // 2` and `c` such that the sum of squares is 1. At the frequencies that are their own
    mirror (DC, and Nyquist of even sizes) a phase has no meaning and 0 is taken.

    Args:
        height: Rows of the image.
        width: Columns of the image.
        i: Row in the centered spectrum, `0 <= i < height`; an integer or an array of them.
        j: Column in the centered spectrum, `0 <= j < width`; broadcast against `i`.
        phase: Radians; 0 and pi / 4 are the two published conventions. Broadcast too.

    Returns:
        A float64 array of shape `(height, width)`, or `(..., height, width)` for arrays of frequencies.

    Raises:
        ValueError: if an index lies outside the spectrum or is not whole, or a phase is not finite.

    Source: Yin et al., "A Fourier Perspective on Model Robustness in Computer Vision", NeurIPS 2019, section
        3.

    Example:
        >>> u = keras_freq.spectral.fourier_basis(32, 32, 16, 20)
        >>> float(round((u**2).sum(), 6)), int((np.abs(np.fft.fft2(u)) > 1e-6).sum())
        (1.0, 2)
    """
    height, width = check_sides(height, width)
    i, j = np.asarray(i), np.asarray(j)
    for name, index, size in (("i", i, height), ("j", j, width)):
        if not np.issubdtype(index.dtype, np.integer) or np.any(index < 0) or np.any(index >= size):
            raise ValueError(
                f"`{name}` must be whole and lie in 0 to {size - 1} (centered spectrum). "
                f"Received: {name}={show(index.tolist())}"
            )
    phase = np.asarray(phase, dtype="float64")
    if not np.isfinite(phase).all():
        raise ValueError(f"`phase` must be finite (radians). Received: phase={show(phase)}")
    i, j, phase = np.broadcast_arrays(i, j, phase)
    alone = own_mirror(height, width)[i, j]
    phase = np.where(alone, 0.0, phase)
    u, v = (i - height // 2)[..., None, None], (j - width // 2)[..., None, None]
    turns = u * np.arange(height)[:, None] / height + v * np.arange(width) / width
    scale = np.where(alone, 1.0, np.sqrt(2.0)) / np.sqrt(height * width)
    return scale[..., None, None] * np.cos(2 * np.pi * turns + phase[..., None, None])
