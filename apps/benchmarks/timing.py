"""Two ways of doing the same, timed in turn, so that a drift of the machine's speed hits both alike."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Pair:
    """Median seconds of both ways, and the median of the ratios pair by pair."""

    ours: float
    other: float
    ratio: float  # other / ours


def time_pair(ours: Callable[[], object], other: Callable[[], object], *, repeats: int) -> Pair:
    """Runs both once to warm up, then `repeats` times in turn. Both must wait for their results."""
    ours()
    other()
    seconds = [(_seconds(ours), _seconds(other)) for _ in range(repeats)]
    return Pair(
        ours=statistics.median(a for a, _ in seconds),
        other=statistics.median(b for _, b in seconds),
        ratio=statistics.median(b / a for a, b in seconds),
    )


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
