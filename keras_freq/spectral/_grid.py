"""Where each frequency lies in a centered spectrum."""

from __future__ import annotations

import functools
from typing import Literal

import numpy as np

from keras_freq._core.checks import check_choice, check_whole

Units = Literal["index", "cycles_per_pixel"]
UNITS = ("index", "cycles_per_pixel")
LARGEST_SIDE = 1 << 16


def choose_units(units: Units | None, size: tuple[int, int]) -> Units:
    """What is asked for; else bins for square images, where both are the same rings, and cycles per pixel."""
    if units is None:
        return "index" if size[0] == size[1] else "cycles_per_pixel"
    return check_choice(units, "units", UNITS)


def check_sides(height: int, width: int) -> tuple[int, int]:
    return check_whole(height, "height", most=LARGEST_SIDE), check_whole(width, "width", most=LARGEST_SIDE)


@functools.lru_cache(maxsize=128)
def _axes(height: int, width: int, units: str) -> tuple[np.ndarray, np.ndarray]:
    rows = np.arange(height, dtype="float64")[:, None] - height // 2
    columns = np.arange(width, dtype="float64")[None, :] - width // 2
    if units == "cycles_per_pixel":
        rows, columns = rows / height, columns / width
    return rows, columns


def frequency_axes(height: int, width: int, *, units: Units = "index") -> tuple[np.ndarray, np.ndarray]:
    """Signed vertical and horizontal frequency of a centered spectrum, shapes `(height, 1)` and `(1,
    width)`."""
    height, width = check_sides(height, width)
    return _axes(height, width, check_choice(units, "units", UNITS))


def radial_distance(height: int, width: int, *, units: Units = "index") -> np.ndarray:
    """Distance of every frequency from DC in a centered spectrum.

    `d[i, j] = sqrt((i - height // 2)**2 + (j - width // 2)**2)`

    Args:
        height: Rows of the spectrum (pixels of the image).
        width: Columns of the spectrum.
        units: `"index"` counts bins, as the published methods do; `"cycles_per_pixel"` divides each axis by
            its size first (0 to 0.707), which treats both axes of a non-square image alike.

    Returns:
        A float64 array of shape `(height, width)`, 0 at `(height // 2, width // 2)`.

    Raises:
        ValueError: if a side is no whole number of at least 1, or the units are unknown.

    Source: Wang et al., "High-frequency Component Helps Explain the Generalization of Convolutional Neural
        Networks", CVPR 2020, section 3.
        Differs from the original: the center is `N // 2` on each axis; the original uses `N / 2`, half a bin
        off DC for odd sizes, where its masks are not symmetric.

    Example:
        >>> keras_freq.spectral.radial_distance(4, 4)[2]
        array([2., 1., 0., 1.])
    """
    rows, columns = frequency_axes(height, width, units=units)
    return np.hypot(rows, columns)


def mirror_index(n: int) -> np.ndarray:
    """Index of the conjugate partner along one axis of a centered spectrum.

    `mirror[i] = (2 * (n // 2) - i) mod n`: the partner of frequency `k` is `-k`. DC is its own partner, and
    so is the Nyquist frequency (index 0) of an even size.

    Args:
        n: Size of the axis.

    Returns:
        An integer array of shape `(n,)`, an involution.

    Raises:
        ValueError: if `n` is no whole number of at least 1.

    Example:
        >>> keras_freq.spectral.mirror_index(4)
        array([0, 3, 2, 1])
        >>> keras_freq.spectral.mirror_index(5)
        array([4, 3, 2, 1, 0])
    """
    n, _ = check_sides(n, 1)
    return (2 * (n // 2) - np.arange(n)) % n


def mirror(map: np.ndarray) -> np.ndarray:
    """A centered map `(..., height, width)` with every entry at the place of its conjugate partner."""
    return map[..., mirror_index(map.shape[-2])[:, None], mirror_index(map.shape[-1])]


@functools.lru_cache(maxsize=64)
def one_of_each_pair(height: int, width: int, half: Literal["right", "upper"] = "right") -> np.ndarray:
    """Which frequencies of a centered spectrum stand for their conjugate pair.

    `"right"` takes the partner in the right half, and the lower one where both lie in the same column;
    `"upper"` the first one in reading order. DC and other frequencies that are their own partner belong to
    both. Read-only bool `(height, width)`.
    """
    i, j = np.indices((height, width))
    mirror_i, mirror_j = mirror_index(height)[:, None], mirror_index(width)
    if half == "right":
        chosen = (j > mirror_j) | ((j == mirror_j) & (i >= mirror_i))
    else:
        chosen = (i < mirror_i) | ((i == mirror_i) & (j <= mirror_j))
    chosen.flags.writeable = False
    return chosen


def own_mirror(height: int, width: int) -> np.ndarray:
    """Which frequencies of a centered spectrum are their own conjugate partner, bool `(height, width)`."""
    rows, columns = (mirror_index(side) == np.arange(side) for side in (height, width))
    return np.outer(rows, columns)
