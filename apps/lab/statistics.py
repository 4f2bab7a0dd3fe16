"""Differences between rows of networks: intervals, tests, and the words for what they show.

The unit of replication is the training. A rate of a row is the mean over its seeds of a ratio of sums over
images; a plain rate has the sum of ones below. Nothing here imports Keras.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy.stats import rankdata

DRAWS = 10_000


@dataclasses.dataclass(frozen=True)
class Samples:
    """A measure of the networks of one row.

    Args:
        above: Sum over images of what is counted, `(seeds, n)`.
        below: Of what it is counted among, `(seeds, n)`.
    """

    above: np.ndarray
    below: np.ndarray

    @property
    def rate(self) -> float:
        return float(np.mean(self.above.sum(axis=1) / self.below.sum(axis=1)))


@dataclasses.dataclass(frozen=True)
class Difference:
    """`second - first`, with a bootstrap interval and the p-value of a test of no difference."""

    first: float
    second: float
    low: float
    high: float
    p: float
    seeds: int
    n: int

    @property
    def value(self) -> float:
        return self.second - self.first


def compare(first: Samples, second: Samples, *, draws: int = DRAWS, seed: int = 0) -> Difference:
    """Compares two rows whose networks have the same seeds, in the same order, and saw the same images.

    Interval: 95 % percentiles over draws of seeds with replacement, then of images with replacement, the
    same for both rows. p: of all ways to exchange the two rows' outcomes, image by image within the seeds,
    the share that differ at least as much; it speaks of these networks where there are few seeds.
    """
    if first.above.shape != second.above.shape:
        raise ValueError(
            "both rows must have the same seeds and images. "
            f"Received: shapes {first.above.shape} and {second.above.shape}"
        )
    seeds, n = first.above.shape
    rng = np.random.default_rng(seed)
    columns = np.concatenate([first.above, first.below, second.above, second.below]).T
    sums = resample(columns, draws=draws, rng=rng).reshape(draws, 4, seeds)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_seed = sums[:, 2] / sums[:, 3] - sums[:, 0] / sums[:, 1]
    drawn = np.take_along_axis(by_seed, rng.integers(0, seeds, (draws, seeds)), axis=1).mean(axis=1)
    low, high = np.nanpercentile(drawn, (2.5, 97.5))
    shares = [sample.above / sample.below.sum(axis=1, keepdims=True) for sample in (first, second)]
    p = exchange_test((shares[1] - shares[0]).reshape(-1), draws=draws, rng=rng)
    return Difference(first.rate, second.rate, float(low), float(high), p, seeds, n)


def resample(columns: np.ndarray, *, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Sums of the columns over `draws` draws of their rows with replacement: `(n, k)` to `(draws, k)`."""
    n = len(columns)
    columns = columns.astype("float32")
    sums = np.empty((draws, columns.shape[1]), "float64")
    chunk = max(1, min(draws, 2**22 // n))
    for start in range(0, draws, chunk):
        size = min(chunk, draws - start)
        rows = rng.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        counts = np.bincount(rows.reshape(-1), minlength=size * n).reshape(size, n)
        sums[start : start + size] = counts.astype("float32") @ columns
    return sums


def exchange_test(differences: np.ndarray, *, draws: int, rng: np.random.Generator) -> float:
    """Two-sided p of a sum of differences whose signs are exchangeable.

    Where all that are not 0 are of one size this is McNemar's exact test; otherwise signs are drawn, and the
    draw at hand counts as one of them.
    """
    differences = differences[differences != 0]
    if not len(differences):
        return 1.0
    sizes = np.abs(differences)
    if np.allclose(sizes, sizes[0], rtol=1e-9):
        from scipy.stats import binomtest

        return float(binomtest(int((differences > 0).sum()), len(differences)).pvalue)
    seen = abs(differences.sum()) * (1 - 1e-12)
    more, chunk = 0, max(1, 2**22 // len(differences))
    for start in range(0, draws, chunk):
        size = min(chunk, draws - start)
        signs = rng.integers(0, 2, (size, len(differences)), dtype="int8") * 2.0 - 1
        more += int((np.abs(signs @ differences) >= seen).sum())  # in double precision: draws tie with it
    return (more + 1) / (draws + 1)


class RankCorrelation(NamedTuple):
    """Spearman's correlation, with the 95 % percentiles over draws of networks."""

    value: float
    low: float
    high: float


def rank_correlation(
    first: np.ndarray,
    second: np.ndarray,
    *,
    given: np.ndarray | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> RankCorrelation:
    """Spearman's correlation of two numbers of each network; with `given`, of networks alike in a third one.

    That is the partial correlation of the ranks, `(r12 - r13 r23) / sqrt((1 - r13^2) (1 - r23^2))`; NaN where
    a number is the same for all networks, or follows from the third one.

    Args:
        first: Numbers `(networks,)`, or `(recipes, seeds)`: then the intervals are over draws of recipes, and
            of seeds of each of them, since networks of one recipe are no independent ones.
        second: As many.
        given: As many: the third number.
        draws: How many draws.
        seed: Of the draws.
    """
    numbers = np.stack([first, second] if given is None else [first, second, given])
    numbers = numbers.reshape(*numbers.shape, 1)[..., :1] if numbers.ndim == 2 else numbers
    _, recipes, seeds = numbers.shape
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, recipes, (draws, recipes, 1))
    members = rng.integers(0, seeds, (draws, recipes, seeds))
    found = _correlation_of_ranks(numbers[:, groups, members].reshape(len(numbers), draws, -1))
    value = float(_correlation_of_ranks(numbers.reshape(len(numbers), 1, -1))[0])
    if np.isnan(found).all():
        return RankCorrelation(value, math.nan, math.nan)
    low, high = np.nanpercentile(found, (2.5, 97.5))  # NaN where all that are drawn are equal
    return RankCorrelation(value, float(low), float(high))


def _correlation_of_ranks(numbers: np.ndarray) -> np.ndarray:
    """Of the first two of `(2 or 3, draws, n)`, given the third: `(draws,)`."""
    ranks = rankdata(numbers, axis=2)
    ranks -= ranks.mean(axis=2, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        ranks /= np.sqrt((ranks**2).sum(axis=2, keepdims=True))
        between = np.einsum("idn,jdn->ijd", ranks, ranks)
        if len(numbers) == 2:
            return between[0, 1]
        (_, plain, left), (_, _, right) = between[0], between[1]
        # What rounding leaves of 0 is no ground to divide by.
        rest = [np.where(one**2 > 1 - 1e-9, np.nan, 1 - one**2) for one in (left, right)]
        return (plain - left * right) / np.sqrt(rest[0] * rest[1])


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number, in the given order (Holm's step-down method)."""
    order = np.argsort(p_values)
    adjusted = np.empty(len(p_values))
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, (len(p_values) - rank) * p_values[index])
        adjusted[index] = min(1.0, largest)
    return adjusted.tolist()


def verdict(
    difference: Difference, p: float, *, direction: Literal["higher", "lower"], smallest: float
) -> str:
    """*shown*, *opposite* or *not shown*, with the effect that could have been seen.

    `p` is adjusted; `smallest` the smallest difference that matters. *shown*: the interval lies beyond 0 in
    the claimed direction, p is below .05, and the difference is at least the smallest one; where it alone is
    missing, that is said.
    """
    sign = 1 if direction == "higher" else -1
    value, near = sign * difference.value, min(sign * difference.low, sign * difference.high)
    far = max(sign * difference.low, sign * difference.high)
    if near > 0 and p < 0.05 and value >= smallest:
        return "shown"
    if far < 0 and p < 0.05 and -value >= smallest:
        return "opposite"
    if p < 0.05 and (near > 0 or far < 0):
        return f"not shown (below {smallest:g})"
    return f"not shown (half-width {(far - near) / 2:.3f})"
