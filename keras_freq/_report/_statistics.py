"""Intervals of shares, of means and of differences, for the findings."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

Interval = tuple[float, float]


def share_interval(count: float, n: int, *, level: float = 0.95) -> Interval:
    """Interval of a share `count / n`, in [0, 1].

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
    """
    z = _quantile(level)
    share, spread = count / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def difference_interval(count: float, n: int, other: float, m: int, *, level: float = 0.95) -> Interval:
    """Interval of the difference `count / n - other / m` of shares of images that are not paired.

    Source: Newcombe, "Interval estimation for the difference between independent proportions", Statistics in
        Medicine 1998, method 10.
    """
    (low, high), (below, above) = share_interval(count, n, level=level), share_interval(other, m, level=level)
    one, two = count / n, other / m
    return (
        one - two - math.hypot(one - low, above - two),
        one - two + math.hypot(high - one, two - below),
    )


def paired_interval(right: np.ndarray, other: np.ndarray, *, level: float = 0.95) -> Interval:
    """Interval of the mean difference of two numbers of each image, such as right (1) or wrong (0).

    `d +- z s / sqrt(n)`, after one image more with each of the differences -1 and 1, which keeps it honest
    where few images differ.

    Source: Agresti and Min, "Simple improved confidence intervals for comparing matched proportions",
        Statistics in Medicine 2005, for shares.
    """
    differences = np.append(np.asarray(right, "float64") - np.asarray(other, "float64"), (-1.0, 1.0))
    half = _quantile(level) * float(np.std(differences)) / math.sqrt(len(differences))
    middle = float(np.mean(differences))
    return max(-1.0, middle - half), min(1.0, middle + half)


def ratio_interval(
    counted: np.ndarray, among: np.ndarray, other: np.ndarray, other_among: np.ndarray, *, level: float = 0.95
) -> Interval:
    """Interval of the difference of two shares of the same images, each among images of its own.

    `d +- z s / sqrt(n)`, `s` the standard deviation of what each image adds to the difference to first order.
    NaN where one of the shares is among none.
    """
    parts, shares = [], []
    for above, below in ((counted, among), (other, other_among)):
        below = np.asarray(below, "float64")
        above = np.asarray(above, "float64") * below
        if not below.any():
            return math.nan, math.nan
        shares.append(above.sum() / below.sum())
        parts.append((above - shares[-1] * below) / below.mean())
    half = _quantile(level) * float(np.std(parts[0] - parts[1])) / math.sqrt(len(parts[0]))
    middle = float(shares[0] - shares[1])
    return max(-1.0, middle - half), min(1.0, middle + half)


def _quantile(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)
