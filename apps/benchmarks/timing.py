"""Two ways of doing the same, timed in turn, so that a drift of the machine's speed hits both alike."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable

import numpy as np

LEAST = 3  # pairs, however slow they are
SAMPLE = 0.02  # seconds: what is shorter is run several times in a row
MOST = 50  # times in a row


@dataclasses.dataclass(frozen=True)
class Pair:
    """Seconds of both ways, pair by pair, and of our very first call, which compiles where a backend does."""

    ours: tuple[float, ...]
    other: tuple[float, ...]
    first: float

    @property
    def ratios(self) -> np.ndarray:
        """Ours over the other, pair by pair."""
        return np.array(self.ours) / np.array(self.other)


def time_pair(ours: Callable[[], object], other: Callable[[], object], *, seconds: float, pairs: int) -> Pair:
    """Runs both once to warm up, then in turn: at most `pairs` times, and three times at least.

    Both must wait for their results. What takes a few milliseconds is run several times in a row, as in a
    training loop: after a pause the first run pays for waking the threads.
    """
    first = _seconds(ours)
    other()
    stop = time.perf_counter() + seconds
    second = _seconds(ours), _seconds(other)
    rows = [_in_a_row(one) for one in second]
    found = [second] if rows == [1, 1] else []
    while len(found) < min(LEAST, pairs) or (len(found) < pairs and time.perf_counter() < stop):
        found.append((_seconds(ours, rows[0]), _seconds(other, rows[1])))
    mine, others = zip(*found, strict=True)
    return Pair(ours=mine, other=others, first=first)


def spread(values: object) -> tuple[float, float, float]:
    """Median and both quartiles."""
    low, middle, high = np.percentile(np.asarray(values, "float64"), (25, 50, 75))
    return float(middle), float(low), float(high)


def describe(pair: Pair, other: str, **entries: object) -> dict:
    """A row: medians and quartiles in milliseconds, and of ours over the other, pair by pair."""
    row: dict = {"other": other, **entries}
    scales = (("ours", pair.ours, 1e3), ("theirs", pair.other, 1e3), ("ratio", pair.ratios, 1))
    for name, values, scale in scales:
        for suffix, value in zip(("", "_low", "_high"), spread(values), strict=True):
            row[name + suffix] = float(f"{scale * value:.5g}")
    return row | {"pairs": len(pair.ours), "first": float(f"{1e3 * pair.first:.5g}")}


def _in_a_row(seconds: float) -> int:
    return min(MOST, max(1, math.ceil(SAMPLE / max(seconds, 1e-9))))


def _seconds(function: Callable[[], object], times: int = 1) -> float:
    start = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - start) / times
