"""Tone curves: what a level from 0 to 255 becomes, per image and channel."""

from __future__ import annotations

import numpy as np

from keras_freq.spectral._backend import Array, library_of

LEVELS = 256
NAMES = ("autocontrast", "equalize", "posterize", "solarize")


def _offsets(levels: Array) -> Array:
    """Where the 256 entries of each image's channels begin in a flat table."""
    xp = library_of(levels)
    batch, channels = xp.shape(levels)[0], levels.shape[-1]
    images = xp.reshape(xp.arange(batch), (-1, 1, 1, 1))
    return LEVELS * (channels * xp.cast(images, "int32") + xp.indices(np.arange(channels)))


def histogram(levels: Array) -> Array:
    """Counts `(batch, channels, 256)` of whole levels `(batch, height, width, channels)`."""
    xp = library_of(levels)
    batch, channels = xp.shape(levels)[0], levels.shape[-1]
    places = xp.reshape(xp.cast(levels, "int32") + _offsets(levels), (-1,))
    counts = xp.segment_sum(xp.ones_like(xp.reshape(levels, (-1,))), places, batch * channels * LEVELS)
    return xp.reshape(counts, (-1, channels, LEVELS))


def apply_curve(levels: Array, curve: Array) -> Array:
    """Look every level up in its image's and channel's curve `(batch, channels, 256)`."""
    xp = library_of(levels)
    return xp.take(xp.reshape(curve, (-1,)), xp.cast(levels, "int32") + _offsets(levels))


def _whole_quotient(numerator: Array, denominator: Array) -> Array:
    """Whole part of a quotient of whole numbers."""
    # The half keeps rounding away from the steps: XLA divides by multiplying, TensorFlow does by constants.
    return library_of(numerator).floor((numerator + 0.5) / denominator)


def grid_like(like: Array) -> Array:
    return library_of(like).constant(np.arange(LEVELS, dtype="float32"), like)


def bend(name: str, levels: Array, strength: Array, low: Array, high: Array) -> Array:
    """The tone operations that need no counts, of strengths 0 to 10 and each plane's extremes."""
    floor = library_of(levels).floor
    if name == "posterize":
        return posterize(levels, 4 - floor(0.4 * strength))
    if name == "solarize":
        return solarize(levels, 256 - floor(25.6 * strength))
    return autocontrast(levels, low, high)


def posterize(grid: Array, bits: Array) -> Array:
    """Keep the highest `bits` bits."""
    step = 2.0 ** (8 - bits)
    return _whole_quotient(grid, step) * step


def solarize(grid: Array, threshold: Array) -> Array:
    """Invert the levels from `threshold` on."""
    return library_of(grid).where(grid < threshold, grid, 255 - grid)


def autocontrast(grid: Array, low: Array, high: Array) -> Array:
    """Stretch `low..high` to 0..255, rounded down; unchanged where the two are equal."""
    xp = library_of(grid)
    flat = high <= low
    span = xp.where(flat, xp.ones_like(high), high - low)
    return xp.where(flat, grid, xp.clip(_whole_quotient(255 * (grid - low), span), 0.0, 255.0))


def equalize(grid: Array, counts: Array) -> Array:
    """Spread the levels so that their counts become even, in whole steps as Pillow does."""
    xp = library_of(counts)
    below = xp.cumsum(counts, axis=-1) - counts
    total = xp.sum(counts, axis=-1, keepdims=True)
    present = xp.where(counts > 0, grid, -xp.ones_like(counts))
    last = xp.max(present, axis=-1, keepdims=True)
    last_count = xp.sum(xp.where(grid == last, counts, xp.zeros_like(counts)), axis=-1, keepdims=True)
    step = _whole_quotient(total - last_count, 255.0)
    # A step of 0 (few levels above the last one's count, or one level only) leaves the image as it is.
    flat = step < 1
    step = xp.where(flat, xp.ones_like(step), step)
    spread = xp.minimum(_whole_quotient(xp.floor(step / 2) + below, step), 255 * xp.ones_like(below))
    return xp.where(flat, grid, spread)
