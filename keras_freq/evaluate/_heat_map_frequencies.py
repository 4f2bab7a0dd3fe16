"""Which frequencies of a heat map are measured, and how the others are filled in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_freq.spectral import mirror_index, radial_distance

COVERAGES = ("half", "reference", "full")


def check_window(window: int | Sequence[int] | None, height: int, width: int) -> tuple[int, int] | None:
    """Half sizes (rows, columns) of a window about DC that lies inside the spectrum."""
    if window is None:
        return None
    sizes = (window, window) if np.ndim(window) == 0 else tuple(window)
    most = ((height - 1) // 2, (width - 1) // 2)
    if len(sizes) != 2 or not all(
        isinstance(size, (int, np.integer)) and not isinstance(size, bool) and 0 <= size <= top
        for size, top in zip(sizes, most, strict=False)
    ):
        raise ValueError(
            f"`window` must be whole numbers of 0 to {most[0]} rows and 0 to {most[1]} columns from DC for "
            f"images of {height}x{width}. Received: window={window!r}"
        )
    return int(sizes[0]), int(sizes[1])


def measured_frequencies(
    height: int, width: int, *, coverage: str = "half", window: tuple[int, int] | None = None
) -> list[tuple[int, int]]:
    """Centred indices of the frequencies to be measured, from DC outward.

    Of a pair `(i, j)` and its mirror, `"half"` takes the one with the larger `j`, or with the larger `i`
    where `j` is its own mirror; `"reference"` takes both in the column `j = width // 2`; `"full"` takes all.
    """
    i, j = np.indices((height, width))
    mirror_i, mirror_j = mirror_index(height)[i], mirror_index(width)[j]
    taken = (j > mirror_j) | ((j == mirror_j) & (i >= mirror_i))
    if coverage == "full":
        taken[:] = True
    elif coverage == "reference":
        taken[:, width // 2] = True
    if window is not None:
        taken &= (np.abs(i - height // 2) <= window[0]) & (np.abs(j - width // 2) <= window[1])
    found = np.argwhere(taken)
    order = np.argsort(radial_distance(height, width)[taken], kind="stable")
    return [(int(row), int(column)) for row, column in found[order]]


def centred_map(
    size: tuple[int, int], frequencies: Sequence[tuple[int, int]], values: Sequence[float]
) -> np.ndarray:
    """Values at their frequencies, each copied to a mirror that has none; NaN elsewhere."""
    height, width = size
    picture = np.full((height, width), np.nan)
    rows, columns = np.asarray(frequencies, "int64").reshape(-1, 2).T
    picture[rows, columns] = values
    mirrored = picture[np.ix_(mirror_index(height), mirror_index(width))]
    return np.where(np.isnan(picture), mirrored, picture)
