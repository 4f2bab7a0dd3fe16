"""Pixels as bytes, 0 to 255, and as floats, 0 to 1."""

from __future__ import annotations

import numpy as np

# A float copy of all images may not fit into memory.
_CHUNK = 1000


def unit_float32(images: np.ndarray) -> np.ndarray:
    """uint8 in [0, 255] becomes float32 in [0, 1]; floats are cast to float32 and keep their range."""
    if images.dtype == np.uint8:
        return np.divide(images, np.float32(255), dtype="float32")
    return np.asarray(images, dtype="float32")


def to_bytes(images: np.ndarray) -> np.ndarray:
    """Floats in [0, 1] as uint8, rounded to the nearest of 256 values; uint8 as it is.

    What lies outside is clipped; where it is the user's, `check_pixels(images, unit=True)` comes first.
    """
    if images.dtype == np.uint8:
        return images
    result = np.empty(images.shape, "uint8")
    for start in range(0, len(images), _CHUNK):
        part = np.clip(images[start : start + _CHUNK], 0, 1, dtype="float32", casting="same_kind")
        part *= np.float32(255)
        result[start : start + _CHUNK] = np.rint(part, out=part)
    return result
