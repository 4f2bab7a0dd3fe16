"""From images of any layout and type to float planes, and back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keras_freq._core.checks import DATA_FORMATS, check_choice
from keras_freq.spectral._backend import Array, as_array, dtype_of, is_floating, library_of


def check_images_shape(shape: tuple, data_format: str = "channels_last", *, open_size: bool = False) -> None:
    """Refuse shapes that are not those of images with known channels, height and width.

    With `open_size` height and width need not be known; only in TensorFlow's compiled code are they not.
    """
    check_choice(data_format, "data_format", DATA_FORMATS)
    shape = tuple(shape)
    if len(shape) not in (3, 4):
        raise ValueError(
            "Images must have shape (batch, height, width, channels) or (height, width, channels), "
            f'channels first with data_format="channels_first". Received: shape={shape}'
        )
    channels = shape[-1 if data_format == "channels_last" else -3]
    if 0 in shape[-3:] or channels is None or (None in shape[-3:] and not open_size):
        raise ValueError(
            "Height, width and channels of images must be known and not 0: give keras.Input the size, or "
            f"compile with run_eagerly=True where sizes differ. Received: shape={shape}"
        )


def to_planes(
    images: Array, data_format: str = "channels_last", *, open_size: bool = False
) -> tuple[Array, Callable[[Array], Array]]:
    """Float planes `(batch, channels, height, width)` of images, and the function that takes planes back.

    float32 and float64 stay; half precision and integers are computed in float32. The way back restores
    layout, rank and floating dtype; results for integer images stay float32, since filtered images have
    fractions and signs. With `open_size` height and width may be unknown, `None` in the shape, until compiled
    code runs.
    """
    images = as_array(images)
    xp = library_of(images)
    check_images_shape(images.shape, data_format, open_size=open_size)
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
