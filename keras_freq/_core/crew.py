"""A member of a crew: workers that share the steps of a measurement through a board, and come and go."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable, Mapping
from typing import Any, Protocol


class LostProcess(RuntimeError):
    """Another process has failed, or is gone: there is no result."""


class MeasurementOver(LostProcess):
    """The first member has its result, or has stopped."""


class Calls(Protocol):
    """How a member calls the board: `calls("take", ...)` is the board's `take(...)`."""

    def __call__(self, method: str, *args: Any) -> Any: ...


class Crew:
    """A member's view of the crew that shares one measurement.

    Args:
        calls: Calls the board.
        call: Number of the measurement.
        member: Number of this member; 0 is the first one, who takes results, and works on nothing.
        size: How many members there are.
        watch: Called about every second while the member waits.
    """

    def __init__(
        self, calls: Calls, *, call: int, member: int, size: int, watch: Callable[[], None] = lambda: None
    ):
        self.member, self.size = member, size
        self._calls, self._call, self._watch = calls, call, watch
        self._loops, self._values = itertools.count(), itertools.count()

    def begin_loop(self) -> int:
        """Number of a loop of steps, the same for all members."""
        return next(self._loops)

    def share(self, value: Any) -> list[Any]:
        """What the first member comes with, and, elsewhere, what this one does."""
        number = next(self._values)
        if self.member == 0:
            self._calls("say", self._call, number, pickle.dumps(value))
            return [value]
        return [pickle.loads(self._wait("hear", number)), value]

    def resolve(
        self, loop: int, wanted: int, starts: Mapping[int, Callable[[], Any]], fetch: Callable[[Any], Any]
    ) -> list[Any]:
        """Results of the first `wanted` of some steps. A worker does steps until they are there.

        Args:
            loop: Number of their loop.
            wanted: How many.
            starts: Functions that queue a step, by its number, in order.
            fetch: Makes arrays of what such a function returns.
        """
        offered = [(loop, turn) for turn in starts]
        done: dict[tuple[int, int], bytes] = {}
        while True:
            kind, found = self._calls("take", self._call, self.member, offered[:wanted], offered, done)
            done = {}
            if kind == "work":
                try:
                    queued = [(step, starts[step[1]]()) for step in found]
                    done = {step: pickle.dumps(fetch(result)) for step, result in queued}
                except Exception as error:
                    why = " ".join(f"{type(error).__name__}: {error}".split())
                    self._calls("fail", self._call, self.member, why, found)
            elif self._settles(kind, found):
                return [pickle.loads(result) for result in found]

    def _wait(self, method: str, number: int) -> Any:
        while True:
            kind, found = self._calls(method, self._call, number)
            if self._settles(kind, found):
                return found

    def _settles(self, kind: str, found: Any) -> bool:
        if kind == "broken":
            raise LostProcess(f"The workers could not go on: {found}")
        if kind == "over":
            raise MeasurementOver("The measurement is over.")
        if kind == "wait":  # where all is found, nobody is missed, though all workers may have ended
            self._watch()
        return kind == "found"
