"""Images as the plots show them: checked, their amplitudes, and where a map lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from keras_freq.spectral import amplitude


def check_images(images: ArrayLike, name: str = "images") -> np.ndarray:
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


def amplitudes(images: np.ndarray) -> np.ndarray:
    """`|F|` of each image, averaged over the channels, DC in the center: `(batch, height, width)`."""
    return np.asarray(amplitude(images)).mean(axis=-1)


def decades(amplitude: np.ndarray, *, span: float = 6.0) -> np.ndarray:
    """`log10` of an amplitude map; what lies more than `span` decades below the top is raised to there."""
    top = float(amplitude.max())
    if top <= 0:
        return np.full(amplitude.shape, -span)
    return np.log10(np.maximum(amplitude, top * 10.0**-span))


def extent(height: int, width: int) -> tuple[float, float, float, float]:
    """Edges of a centered map for `imshow`, so that DC is drawn at (0, 0)."""
    return (-(width // 2) - 0.5, width - width // 2 - 0.5, height - height // 2 - 0.5, -(height // 2) - 0.5)
