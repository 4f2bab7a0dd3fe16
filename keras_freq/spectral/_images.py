"""From images of any layout and type to float planes, and back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keras_freq._core.checks import DATA_FORMATS, check_choice
from keras_freq.spectral._backend import Array, as_array, dtype_of, is_floating, library_of


def check_images_shape(shape: tuple, data_format: str = "channels_last") -> None:
    """Refuse shapes that are not those of images with known height, width and channels."""
    check_choice(data_format, "data_format", DATA_FORMATS)
    shape = tuple(shape)
    if len(shape) not in (3, 4):
        raise ValueError(
            "Images must have shape (batch, height, width, channels) or (height, width, channels), "
            f'channels first with data_format="channels_first". Received: shape={shape}'
        )
    if None in shape[-3:] or 0 in shape[-3:]:
        raise ValueError(
            f"Height, width and channels of images must be known and not 0. Received: shape={shape}"
        )


def to_planes(images: Array, data_format: str = "channels_last") -> tuple[Array, Callable[[Array], Array]]:
    """Float planes `(batch, channels, height, width)` of images, and the function that takes planes back.

    float32 and float64 stay; half precision and integers are computed in float32. The way back restores
    layout, rank and floating dtype; results for integer images stay float32, since filtered images have
    fractions and signs.
    """
    images = as_array(images)
    xp = library_of(images)
    check_images_shape(images.shape, data_format)
    dtype = dtype_of(images)
    if dtype == "bool" or "complex" in dtype:
        raise TypeError(f"Images must be floating or integer. Received: dtype={dtype}")
    planes = images if dtype in ("float32", "float64") else xp.cast(images, "float32")
    single = len(images.shape) == 3
    if single:
        planes = xp.expand_dims(planes, 0)
    if data_format == "channels_last":
        planes = xp.transpose(planes, (0, 3, 1, 2))

    def back(result: Array) -> Array:
        if data_format == "channels_last":
            result = xp.transpose(result, (0, 2, 3, 1))
        if single:
            result = xp.squeeze(result, 0)
        if is_floating(dtype) and dtype_of(result) != dtype:
            result = xp.cast(result, images.dtype if isinstance(images, np.ndarray) else dtype)
        return result

    return planes, back
