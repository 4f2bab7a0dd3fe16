"""Agreement of two orders."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Spearman's rank correlation of two series.

    `r = sum_i (a_i - a)(b_i - b) / sqrt(sum_i (a_i - a)^2 sum_i (b_i - b)^2)` of the ranks `a_i` and `b_i`;
    equal values share the mean of their ranks.

    Args:
        first: Finite numbers `(n,)`, two at least.
        second: As many.

    Returns:
        A number in [-1, 1]; NaN where one of the two is constant.

    Raises:
        ValueError: If the two are not of one length of at least 2, or not finite.

    Source: Spearman, "The Proof and Measurement of Association between Two Things", 1904.

    Example:
        >>> round(keras_freq.evaluate.rank_correlation([1, 2, 3, 4], [10, 30, 20, 40]), 6)
        0.8
    """
    one, other = np.asarray(first, "float64"), np.asarray(second, "float64")
    if one.ndim != 1 or one.shape != other.shape or len(one) < 2:
        raise ValueError(
            "`first` and `second` must be series of one length of at least 2. "
            f"Received: shapes {one.shape} and {other.shape}"
        )
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise ValueError("`first` and `second` must be finite. Received: NaN or infinity")
    a, b = (_rank(series) - (len(series) - 1) / 2 for series in (one, other))
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 0 else float("nan")


def _rank(values: np.ndarray) -> np.ndarray:
    """Ranks from 0; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[place]
