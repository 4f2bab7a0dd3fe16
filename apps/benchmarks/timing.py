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


def time_pair(
    ours: Callable[[], object], other: Callable[[], object], *, repeats: int, inner: int = 1
) -> Pair:
    """Runs both once to warm up, then `repeats` times in turn. Both must wait for their results.

    What takes a few milliseconds is run `inner` times in a row, as in a training loop: after a pause the
    first run pays for waking the threads.
    """
    ours()
    other()
    seconds = [(_seconds(ours, inner), _seconds(other)) for _ in range(repeats)]
    return Pair(
        ours=statistics.median(a for a, _ in seconds),
        other=statistics.median(b for _, b in seconds),
        ratio=statistics.median(b / a for a, b in seconds),
    )


def _seconds(function: Callable[[], object], times: int = 1) -> float:
    start = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - start) / times


def describe(what: str, ours: str, other: str, ratio: str, target: str = "-") -> dict[str, str]:
    """A row of the table."""
    return {"what": what, "ours": ours, "other": other, "ratio": ratio, "target": target}
