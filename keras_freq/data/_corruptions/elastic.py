"""Elastic transform: a random affine map, then a smooth random displacement of every pixel."""

from __future__ import annotations

import numpy as np

from keras_freq.data._corruptions import draws, filters

# Pixels interpolated at a time.
_BAND = 2**14


def elastic_transform(
    planes: np.ndarray, rngs: draws.Generators, strength: float, smoothing: float, shift: float
) -> np.ndarray:
    """Warps every image twice, bilinearly.

    The affine map moves three corners of a square in the middle, each by up to `shift` along both axes. The
    displacements are uniform noise in [-1, 1), smoothed with a Gaussian and multiplied. All three parameters
    are in shorter sides of the image.
    """
    height, width = planes.shape[2:]
    side = min(height, width)
    y, x = np.ogrid[:height, :width]
    y, x = y.astype("float32"), x.astype("float32")

    moved = draws.uniform(rngs, -shift * side, shift * side, (3, 2))
    inverse = _inverse_affine(moved, height, width)[..., None, None]
    planes = bilinear(
        planes,
        inverse[:, 0, 0] * y + (inverse[:, 1, 0] * x + inverse[:, 2, 0]),
        inverse[:, 1, 1] * x + (inverse[:, 0, 1] * y + inverse[:, 2, 1]),
        repeat_border=False,
    )
    if strength:
        field = draws.uniform(rngs, -1, 1, (2, height, width))
        field = filters.gaussian(field, smoothing * side, truncate=3.0, border="reflect")
        field *= strength * side
        planes = bilinear(planes, y + field[:, 0], x + field[:, 1], repeat_border=True)
    return planes


def _inverse_affine(moved: np.ndarray, height: int, width: int) -> np.ndarray:
    """The maps `(n, 3, 2)` with `[y, x, 1] @ map` = where the pixel at `(y, x)` comes from."""
    middle = np.array([height // 2, width // 2])
    half = max(min(height, width) // 3, 1)
    corners = middle + half * np.array([[1, 1], [-1, 1], [-1, -1]])
    # float64: the triangle may come out flat.
    homogeneous = np.concatenate([corners + moved, np.ones((len(moved), 3, 1))], axis=2, dtype="float64")
    return np.matmul(np.linalg.inv(homogeneous), corners).astype("float32")


def bilinear(planes: np.ndarray, y: np.ndarray, x: np.ndarray, *, repeat_border: bool) -> np.ndarray:
    """Images at other places, bilinearly, by sparse matrices with four entries in each row.

    Args:
        planes: float32 `(n, channels, height, width)`.
        y, x: float32 `(n, height, width)`, places in pixels.
        repeat_border: Whether the mirror images outside begin with the last pixel or with the one before.

    Returns:
        An array like `planes`.
    """
    from scipy.sparse import csr_array

    count, channels, height, width = planes.shape
    size = height * width
    # Channels first, images in a row: a matrix serves all channels of a few images.
    source = np.ascontiguousarray(planes.transpose(1, 0, 2, 3)).reshape(channels, -1)
    result = np.empty_like(source)
    y, x = y.reshape(-1), x.reshape(-1)
    tables_y = [table * width for table in _fold(height, repeat_border)]
    tables_x = _fold(width, repeat_border)
    group = max(1, _BAND // size) * size
    images = np.repeat(np.arange(0, group, size, dtype="int32"), size)
    rows = np.arange(0, 4 * _BAND + 1, 4, dtype="int32")
    for start in range(0, count * size, group):
        stop = min(start + group, count * size)
        # Small pieces: fresh pages of memory cost more than the arithmetic.
        for first in range(start, stop, _BAND):
            band = slice(first, min(first + _BAND, stop))
            top, bottom, down = _find_neighbors(y[band], *tables_y)
            left, right, across = _find_neighbors(x[band], *tables_x)
            if group > size:
                top, bottom = top + images[: len(top)], bottom + images[: len(top)]
            columns = np.empty((len(top), 4), "int32")
            corners = ((top, left), (top, right), (bottom, left), (bottom, right))
            for corner, (row, column) in enumerate(corners):
                np.add(row, column, out=columns[:, corner])
            entries = _weights(down, across).ravel(), columns.ravel(), rows[: len(top) + 1]
            matrix = csr_array(entries, shape=(len(top), stop - start))
            for channel in range(channels):
                result[channel, band] = matrix @ source[channel, start:stop]
    return result.reshape(channels, count, height, width).transpose(1, 0, 2, 3)


def _fold(size: int, repeat_border: bool) -> list[np.ndarray]:
    """The samples at the places 0, 1, ... and at 1, 2, ... over one period of the mirror images."""
    mirror = filters.half_sample_mirror if repeat_border else filters.whole_sample_mirror
    period = np.arange(2 * size if repeat_border else max(2 * (size - 1), 1))
    return [mirror(period + step, size).astype("int32") for step in (0, 1)]


def _find_neighbors(
    places: np.ndarray, before: np.ndarray, after: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The samples before and after each place, and the weight of the one after."""
    low = np.floor(places)
    index = low.astype("intp")
    return np.take(before, index, mode="wrap"), np.take(after, index, mode="wrap"), places - low


def _weights(down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """The weights `(n, 4)` of the top left, top right, bottom left and bottom right sample."""
    weights = np.empty((len(down), 4), "float32")
    np.multiply(down, across, out=weights[:, 3])
    np.subtract(down, weights[:, 3], out=weights[:, 2])
    np.subtract(across, weights[:, 3], out=weights[:, 1])
    np.subtract(1 - down, weights[:, 1], out=weights[:, 0])
    return weights
