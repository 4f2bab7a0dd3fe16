"""Linear filters on stacks of planes `(n, channels, height, width)`, each over the whole stack at once."""

from __future__ import annotations

import functools

import numpy as np


@functools.lru_cache(maxsize=64)
def gaussian_matrix(size: int, sigma: float, *, truncate: float = 4.0, border: str = "nearest") -> np.ndarray:
    """Gaussian smoothing of `size` samples as a matrix `(size, size)`; rows sum to 1.

    The window reaches `floor(truncate * sigma + 0.5)` samples. Beyond the ends stands the last sample
    (`"nearest"`) or the mirror image with the last sample repeated (`"reflect"`), as in SciPy.
    """
    reach = int(truncate * sigma + 0.5)
    offsets = np.arange(-reach, reach + 1)
    # exp(-x²/2) is 0 in float64 from 39 deviations on, where sigma = 0 is the identity.
    weights = np.exp(-0.5 * np.square(offsets / max(sigma, 1e-3)))
    source = np.arange(size)[:, None] + offsets
    source = np.clip(source, 0, size - 1) if border == "nearest" else half_sample_mirror(source, size)
    matrix = np.zeros((size, size))
    np.add.at(matrix, (np.arange(size)[:, None], source), weights / weights.sum())
    return matrix.astype("float32")


def half_sample_mirror(index: np.ndarray, size: int) -> np.ndarray:
    """`... 1 0 | 0 1 ... size-1 | size-1 ...`"""
    index = index % (2 * size)
    return np.minimum(index, 2 * size - 1 - index)


def whole_sample_mirror(index: np.ndarray, size: int) -> np.ndarray:
    """`... 2 1 | 0 1 ... size-1 | size-2 ...`"""
    period = max(2 * (size - 1), 1)
    index = index % period
    return np.minimum(index, period - index) if size > 1 else np.zeros_like(index)


def separable(planes: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """`rows @ plane @ columns.T` for every plane; what is zero in bands of the matrices is left out."""
    across = np.empty((*planes.shape[:-1], len(columns)), "float32")
    for target, source in _bands(columns):
        across[..., target] = planes[..., source] @ columns[target, source].T
    result = np.empty((*planes.shape[:-2], len(rows), len(columns)), "float32")
    for target, source in _bands(rows):
        result[..., target, :] = rows[target, source] @ across[..., source, :]
    return result


def _bands(matrix: np.ndarray, size: int = 32) -> list[tuple[slice, slice]]:
    """Rows of the matrix, `size` at a time, and the columns that they use; small matrices in one piece."""
    if len(matrix) <= 2 * size:
        return [(slice(None), slice(None))]
    bands = []
    for start in range(0, len(matrix), size):
        used = np.flatnonzero(matrix[start : start + size].any(axis=0))
        bands.append((slice(start, start + size), slice(used[0], used[-1] + 1)))
    return bands


def gaussian(planes: np.ndarray, sigma: float, **window: float | str) -> np.ndarray:
    """Gaussian smoothing of every plane; see `gaussian_matrix`."""
    if sigma == 0:
        return planes
    rows, columns = (gaussian_matrix(size, sigma, **window) for size in planes.shape[-2:])
    return separable(planes, rows, columns)


def box3(planes: np.ndarray) -> np.ndarray:
    """Mean over 3x3 pixels, mirrored at the borders."""
    return correlate(planes, np.full((3, 3), 1 / 9, "float32"))


def correlate(planes: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Correlation with one kernel of odd sides, the planes mirrored without repeating the last pixel."""
    height, width = planes.shape[-2:]
    up, left = (side // 2 for side in kernel.shape)
    row = whole_sample_mirror(np.arange(-up, height + up), height)
    column = whole_sample_mirror(np.arange(-left, width + left), width)
    padded = planes[:, :, row[:, None], column]
    taps = np.argwhere(kernel)
    if len(taps) > 40:
        return _correlate_fft(padded, kernel)[..., :height, :width]
    result = np.zeros_like(planes)
    for y, x in taps:
        result += padded[..., y : y + height, x : x + width] * kernel[y, x]
    return result


def _correlate_fft(padded: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    import scipy.fft

    # A little more that transforms quickly. The wrap falls outside of what the caller keeps.
    size = tuple(scipy.fft.next_fast_len(side, real=True) for side in padded.shape[-2:])
    spectrum = scipy.fft.rfft2(padded, size)
    spectrum *= scipy.fft.rfft2(kernel, size).conj()
    return scipy.fft.irfft2(spectrum, size, overwrite_x=True)


def zoom(planes: np.ndarray, factor: float) -> np.ndarray:
    """The middle of every plane, enlarged bilinearly to the full size."""
    for axis in (-2, -1):
        planes = interpolate(planes, _zoom_positions(planes.shape[axis], factor), axis)
    return planes


def _zoom_positions(size: int, factor: float) -> np.ndarray:
    # The middle ceil(size / factor) samples become round(that * factor), ends on ends; what is over is cut.
    middle = int(np.ceil(size / factor))
    large = max(size, round(middle * factor))
    places = np.arange(size) + (large - size) // 2
    return places * ((middle - 1) / max(large - 1, 1)) + (size - middle) // 2


def interpolate(planes: np.ndarray, positions: np.ndarray, axis: int) -> np.ndarray:
    """The planes at other places along axis -2 or -1, linearly between the pixels."""
    last = planes.shape[axis] - 1
    low = np.clip(np.floor(positions).astype(int), 0, last)
    weight = (positions - low).astype("float32")
    result = np.take(planes, low, axis)
    step = np.take(planes, np.minimum(low + 1, last), axis)
    step -= result
    step *= weight[:, None] if axis == -2 else weight
    result += step
    return result
