"""Values of the half spectrum of real planes, the same for both frequencies of a conjugate pair."""

from __future__ import annotations

from keras_freq.spectral._backend import Array, library_of, places_along, sides_of


def share_in_pairs(values: Array, width: int | Array) -> Array:
    """Gives pairs within a column of a half spectrum `(..., height, width // 2 + 1)` the value of the first.

    Column 0, and that of the Nyquist frequency of an even width, hold both frequencies of their pairs.
    """
    xp = library_of(values)
    height, columns = sides_of(values)
    row, column = places_along(height, values), places_along(columns, values)
    partner = (height - row) % height
    second = (row > partner)[:, None] & ((column == 0) | (2 * column == width))
    return xp.where(second, xp.take(values, partner, axis=-2), values)
