"""Images as the plots show them: checked, and their frequency content in plain NumPy."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike


def checked_images(images: ArrayLike, name: str = "images") -> np.ndarray:
    """Images as finite float64 of shape `(batch, height, width, channels)`, with 1 or 3 channels."""
    array = np.asarray(images)
    if array.ndim != 4 or array.shape[-1] not in (1, 3) or not array.size:
        raise ValueError(
            f"`{name}` must hold at least one image, (batch, height, width, channels) with 1 or 3 channels. "
            f"Received: {name} of shape {array.shape}"
        )
    if array.dtype == np.uint8:
        return array / 255.0
    if array.dtype.kind not in "fiu":
        raise ValueError(f"`{name}` must be real numbers. Received: {name} of dtype {array.dtype}")
    array = array.astype("float64")
    if not np.isfinite(array).all():
        raise ValueError(
            f"`{name}` must be finite. Received: {name} with {(~np.isfinite(array)).sum()} NaN or infinite"
        )
    return array


def checked_radius(radius: float) -> float:
    """A radius in index units that is a finite number of at least 0."""
    if isinstance(radius, bool) or not isinstance(radius, Real) or not np.isfinite(radius) or radius < 0:
        raise ValueError(f"`radius` must be a number of at least 0 (index units). Received: radius={radius}")
    return radius


def amplitudes(images: np.ndarray) -> np.ndarray:
    """`|F|` a channel, averaged over the channels, DC in the centre: `(batch, height, width)`."""
    spectrum = np.fft.fftshift(np.fft.fft2(images, axes=(1, 2)), axes=(1, 2))
    return np.abs(spectrum).mean(axis=-1)


def split(images: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Low part (bins with distance `d < radius` from DC) and high part (the rest) of the images."""
    height, width = images.shape[1:3]
    rows = np.fft.fftfreq(height, 1 / height)[:, None]
    columns = np.fft.fftfreq(width, 1 / width)[None, :]
    inside = (np.hypot(rows, columns) < radius)[None, :, :, None]
    low = np.fft.ifft2(np.fft.fft2(images, axes=(1, 2)) * inside, axes=(1, 2)).real
    return low, images - low


def decades(amplitude: np.ndarray, *, span: float = 6.0) -> np.ndarray:
    """`log10` of an amplitude map; what lies more than `span` decades below the top is raised to there."""
    top = float(amplitude.max())
    if top <= 0:
        return np.full(amplitude.shape, -span)
    return np.log10(np.maximum(amplitude, top * 10.0**-span))


def extent(height: int, width: int) -> tuple[float, float, float, float]:
    """Edges of a centred map for `imshow`, so that DC is drawn at (0, 0)."""
    return (-(width // 2) - 0.5, width - width // 2 - 0.5, height - height // 2 - 0.5, -(height // 2) - 0.5)
