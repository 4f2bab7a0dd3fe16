"""Filters that whiten small patches of natural images."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_freq._core.checks import check_channels, check_number, check_pixels, check_whole
from keras_freq._core.pixels import unit_float32


def whitening_kernel(
    images: Any,
    *,
    size: int = 2,
    mean: Any = 0.0,
    std: Any = 1.0,
    epsilon: float = 5e-4,
) -> np.ndarray:
    """Convolution kernel whose outputs are uncorrelated, of about equal variance, on patches of the images.

    With the eigenvectors v_k and eigenvalues l_k of the second moments of all `size x size` patches of
    `(pixels - mean) / std`, the filters are `v_k / sqrt(l_k + epsilon)`, largest eigenvalue first, followed
    by their negatives.

    Args:
        images: `(n, height, width, channels)`, uint8 in [0, 255] or floats in [0, 1]; a few thousand are
            enough.
        size: Side of the patches in pixels.
        mean: Mean of the pixels in [0, 1], a number or one per channel.
        std: Their standard deviation, likewise.
        epsilon: Keeps directions without variance finite, greater than 0.

    Returns:
        float32 `(size, size, channels, 2 * size**2 * channels)`.

    Raises:
        ValueError: if an argument is not one of those above.

    Source: Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", arXiv 2404.00498, section 3.2.

    Example:
        >>> keras_freq.models.whitening_kernel(images, size=2).shape
        (2, 2, 3, 24)
    """
    images = check_pixels(images, unit=True)
    size = check_whole(size, "size")
    mean, std = (
        check_channels(value, name, images.shape[-1]) for value, name in ((mean, "mean"), (std, "std"))
    )
    if min(images.shape[1:3]) < size:
        raise ValueError(
            f"`images` must have sides of at least `size`={size} pixels. "
            f"Received: shape={tuple(images.shape)}"
        )
    epsilon = check_number(epsilon, "epsilon", above=0)
    moments: Any = 0.0
    count = 0
    for start in range(0, len(images), 1000):
        pixels = (unit_float32(images[start : start + 1000]) - mean) / std
        windows = np.lib.stride_tricks.sliding_window_view(pixels, (size, size), axis=(1, 2))
        patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, size * size * images.shape[-1])
        moments = moments + patches.T.astype("float64") @ patches
        count += len(patches)
    values, vectors = np.linalg.eigh(moments / count)
    filters = (vectors / np.sqrt(np.maximum(values, 0.0) + epsilon))[:, ::-1]
    # The sign of an eigenvector is free: its largest entry is made positive.
    filters = filters * np.sign(filters[np.abs(filters).argmax(axis=0), np.arange(filters.shape[1])])
    return (
        np.concatenate([filters, -filters], axis=1)
        .reshape(size, size, images.shape[-1], -1)
        .astype("float32")
    )
