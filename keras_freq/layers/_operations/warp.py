"""Affine maps of images, bilinear with black outside, one map per image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_freq.spectral._backend import Array, float_side, library_of, places_along, sides_of


def _centers(side, shape, like):
    """Where the centers of pixels lie along a side."""
    xp = library_of(like)
    if isinstance(side, int):
        return xp.constant(np.arange(side).reshape(shape) + 0.5, like)
    return xp.reshape(xp.cast(places_along(side, like), like.dtype) + 0.5, shape)


def affine(levels: Array, matrix: tuple[Array, ...]) -> Array:
    """Pull every image through its own affine map.

    The pixel at `(x, y)` takes the value at `(a*x' + b*y' + c, d*x' + e*y' + f)` with `x' = x + 1/2`, `y' = y
    + 1/2`: black where that point lies outside the image, else bilinear between the four nearest pixel
    centers (edges repeated), rounded down to a whole level. That is the arithmetic of Pillow's
    `Image.transform(..., AFFINE, resample=BILINEAR)`.

    Args:
        levels: `(batch, height, width, channels)`, whole levels.
        matrix: Six arrays `a, b, c, d, e, f` of shape `(batch,)`.

    Returns:
        Whole levels of the same shape.
    """
    xp = library_of(levels)
    batch = xp.shape(levels)[0]
    (height, width), channels = sides_of(levels, 1), levels.shape[-1]
    wide, high = float_side(width, levels), float_side(height, levels)
    a, b, c, d, e, f = (xp.reshape(entry, (-1, 1, 1)) for entry in matrix)
    columns = _centers(width, (1, 1, -1), levels)
    rows = _centers(height, (1, -1, 1), levels)
    x, y = a * columns + b * rows + c, d * columns + e * rows + f
    inside = xp.logical_and(xp.logical_and(x >= 0.0, x < wide), xp.logical_and(y >= 0.0, y < high))
    x, y = x - 0.5, y - 0.5
    left, top = xp.floor(x), xp.floor(y)
    right_share, lower_share = xp.expand_dims(x - left, -1), xp.expand_dims(y - top, -1)
    x0, x1 = (xp.cast(xp.clip(left + k, 0.0, wide - 1.0), "int32") for k in (0, 1))
    y0, y1 = (xp.cast(xp.clip(top + k, 0.0, high - 1.0), "int32") for k in (0, 1))
    pixels = xp.reshape(levels, (-1, channels))
    first = height * width * xp.reshape(xp.cast(xp.arange(batch), "int32"), (-1, 1, 1))

    def row(y_index):
        start = first + width * y_index
        near, far = xp.take(pixels, start + x0, axis=0), xp.take(pixels, start + x1, axis=0)
        return near + (far - near) * right_share

    upper = row(y0)
    value = upper + (row(y1) - upper) * lower_share
    return xp.floor(xp.where(xp.expand_dims(inside, -1), value, xp.zeros_like(value)))


def make_matrix(
    levels: Array, choice: Array, strength: Array, sign: Array, operations: Sequence[str]
) -> tuple[Array, ...]:
    """Six arrays `(batch,)`, the identity where the operation is no affine map."""
    xp = library_of(levels)
    height, width = (float_side(side, levels) for side in sides_of(levels, 1))
    zero, one = xp.zeros_like(strength), xp.ones_like(strength)

    def amount(name, value):
        """`sign * value` where `name` was drawn, else 0."""
        drawn = zero
        for index, other in enumerate(operations):
            if other == name:
                drawn = xp.where(choice == float(index), sign * value, drawn)
        return drawn

    # Pillow turns counter-clockwise for positive degrees and measures y downwards.
    angle = -np.pi / 180 * amount("rotate", xp.floor(3 * strength))
    cosine, sine = xp.cos(angle), xp.sin(angle)
    shear_x, shear_y = amount("shear_x", 0.03 * strength), amount("shear_y", 0.03 * strength)
    shift_x = amount("translate_x", xp.floor(strength * (width / 30)))
    shift_y = amount("translate_y", xp.floor(strength * (height / 30)))
    middle_x, middle_y = width / 2, height / 2
    return (
        cosine,
        sine + shear_x,
        middle_x * (one - cosine) - middle_y * sine + shift_x,
        shear_y - sine,
        cosine,
        middle_x * sine + middle_y * (one - cosine) + shift_y,
    )
