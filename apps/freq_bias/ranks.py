"""Agreement of two orders."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Spearman's rank correlation of two series, ties at their mean rank; NaN where one is constant.

    Raises:
        ValueError: If the two are not of one length of at least 2, or not finite.
    """
    first, second = np.asarray(first, "float64"), np.asarray(second, "float64")
    if first.ndim != 1 or first.shape != second.shape or len(first) < 2:
        raise ValueError(
            "Two series of one length, 2 or more, are needed. "
            f"Received: shapes {first.shape} and {second.shape}"
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("Both series must be finite. Received: NaN or infinity")
    a, b = (_ranks(series) - (len(first) - 1) / 2 for series in (first, second))
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 0 else float("nan")


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[place]
