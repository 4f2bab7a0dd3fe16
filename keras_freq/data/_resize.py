"""Images of any size to one size: the shorter side resized, the middle cut out.

Bilinear with antialiasing (a triangle filter as wide as the reduction), rounded to bytes. Pillow and
TensorFlow agree to two levels of 255.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from keras_freq.data._tf_feed import import_tensorflow


def resize_and_crop(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 `(height, width, 1 or 3)` to `(*size, channels)` through Pillow."""
    from PIL import Image

    height, width, channels = image.shape
    if channels not in (1, 3):
        raise ValueError(
            f"Only images of 1 or 3 channels are resized. Received: an image of shape {image.shape}"
        )
    scale = max(size[0] / height, size[1] / width)
    new = (max(size[0], math.floor(height * scale + 0.5)), max(size[1], math.floor(width * scale + 0.5)))
    if new != (height, width):
        picture = Image.fromarray(image[..., 0] if channels == 1 else image)
        image = np.asarray(picture.resize(new[::-1], Image.Resampling.BILINEAR)).reshape(*new, channels)
    top, left = (new[0] - size[0]) // 2, (new[1] - size[1]) // 2
    return image[top : top + size[0], left : left + size[1]]


def tf_resize_and_crop(image: Any, size: tuple[int, int]) -> Any:
    """The same inside `tf.data`, for an image whose height and width may be unknown."""
    tf = import_tensorflow()
    sides = tf.cast(tf.shape(image)[:2], tf.float64)
    target = tf.constant(size, tf.float64)
    new = tf.maximum(tf.cast(tf.floor(sides * tf.reduce_max(target / sides) + 0.5), tf.int32), size)
    resized = tf.image.resize(image, new, method="bilinear", antialias=True)
    top, left = (new[0] - size[0]) // 2, (new[1] - size[1]) // 2
    image = resized[top : top + size[0], left : left + size[1]]
    image = tf.cast(tf.clip_by_value(tf.floor(image + 0.5), 0.0, 255.0), tf.uint8)
    return tf.ensure_shape(image, (*size, None))
