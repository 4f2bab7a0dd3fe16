"""Many filtered copies of a batch: its spectrum once, then a product and a way back for each mask."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from keras_freq.spectral._dft import half_mask, irfft2, rfft2


def halve_masks(masks: np.ndarray) -> np.ndarray:
    """The halves of centered masks `(masks, height, width)` that a half spectrum is multiplied by.

    Returns:
        float32 `(masks, 1, 1, height, width // 2 + 1)`, to be broadcast over images and channels.
    """
    halves = np.stack([half_mask(mask, *mask.shape) for mask in masks]).astype("float32")
    return halves[:, None, None]


def compute_spectra(images: Any, data_format: str) -> tuple[Any, Any]:
    """Half spectra `(re, im)` of a batch, `(batch, channels, height, columns)`."""
    return rfft2(ops.transpose(images, (0, 3, 1, 2)) if data_format == "channels_last" else images)


def apply_masks(spectra: tuple, halves: Any, *, shape: tuple[int, int, int], data_format: str) -> Any:
    """Every image under every mask, `(masks * batch, ...)`, all images under the first mask in front.

    Args:
        spectra: What `compute_spectra` returns.
        halves: What `halve_masks` returns, as a tensor.
        shape: Channels, height and width of the images.
        data_format: Layout of the result.
    """
    re, im = spectra
    planes = ops.reshape(irfft2(re * halves, im * halves, *shape[1:]), (-1, *shape))
    return ops.transpose(planes, (0, 2, 3, 1)) if data_format == "channels_last" else planes
