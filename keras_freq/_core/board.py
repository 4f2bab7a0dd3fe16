"""The board of a crew: what its members have found so far, and who works on what."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

# A step, the n-th of the m-th loop of a measurement: (m, n).
Step = tuple[int, int]

_MOST_AT_ONCE = 16


class Board:
    """Gives out the steps of one measurement at a time, and keeps their results until the next.

    A crew has a first member, who takes results alone, and workers. All run the same program, and so come by
    the same steps. A worker that comes late, in place of a lost one, finds what is done and goes on from
    there. Methods wait a second at most, and may be called from several threads.

    Args:
        tries: How often a step may fail, or a worker be lost with it, before it is given up.
    """

    def __init__(self, tries: int):
        self._tries = tries
        self._changed = threading.Condition()
        self.begin(0, 1)

    def begin(self, call: int, workers: int) -> None:
        """Wipes the board for the measurement `call`; members of an earlier one are told that it is over."""
        with self._changed:
            self._call, self._workers = call, workers
            self._found: dict[Step, Any] = {}
            self._claimed: dict[Step, int] = {}
            self._failed: dict[Step, int] = {}
            self._said: dict[int, Any] = {}
            self._broken = ""
            self._changed.notify_all()

    def say(self, call: int, number: int, value: Any) -> None:
        """The first member tells the workers a value, its `number`-th one."""
        with self._changed:
            if call == self._call:
                self._said[number] = value
                self._changed.notify_all()

    def hear(self, call: int, number: int) -> tuple[str, Any]:
        """What the first member says: `("found", value)`, or as `take`."""
        with self._changed:
            self._changed.wait_for(lambda: self._ends(call) or number in self._said, timeout=1)
            if self._ends(call):
                return self._end(call)
            return ("found", self._said[number]) if number in self._said else ("wait", None)

    def take(
        self,
        call: int,
        member: int,
        wanted: Sequence[Step],
        offered: Sequence[Step],
        done: Mapping[Step, Any],
    ) -> tuple[str, Any]:
        """Takes the results `done`, and gives those that are `wanted` or else steps to do.

        Args:
            call: The measurement.
            member: Number of the worker; 0 is the first member, who gets no steps.
            wanted: Steps whose results the member needs to go on.
            offered: Steps that it could do.
            done: Results by step.

        Returns:
            `("found", results)`, `("work", steps)`, `("wait", None)` after a second,
            `("broken", why)` where a step was given up, or `("over", None)` after the end of the measurement.
        """
        with self._changed:
            if call == self._call:
                for step, result in done.items():
                    self._found.setdefault(step, result)
                    self._claimed.pop(step, None)
                if done:
                    self._changed.notify_all()
            self._changed.wait_for(
                lambda: (
                    self._ends(call)
                    or all(step in self._found for step in wanted)
                    or (member > 0 and any(map(self._is_free, offered)))
                ),
                timeout=1,
            )
            if self._ends(call):
                return self._end(call)
            if all(step in self._found for step in wanted):
                return "found", [self._found[step] for step in wanted]
            free = [step for step in offered if self._is_free(step)] if member else []
            # A few at once, which the device queues, but not so many that others have none at the end.
            chosen = free[: min(_MOST_AT_ONCE, max(1, len(free) // (2 * self._workers)))]
            self._claimed |= dict.fromkeys(chosen, member)
            return ("work", chosen) if chosen else ("wait", None)

    def fail(self, call: int, member: int, why: str, steps: Sequence[Step] | None = None) -> None:
        """A worker could not do some steps, by default all that it had, and lets them go."""
        with self._changed:
            if call != self._call:
                return
            if steps is None:
                steps = [step for step, owner in self._claimed.items() if owner == member]
            for step in steps:
                self._claimed.pop(step, None)
                self._failed[step] = self._failed.get(step, 0) + 1
                if self._failed[step] == self._tries:
                    self._broken = f"step {step[1]} was given up after {self._tries} tries: {why}"
            self._changed.notify_all()

    def _is_free(self, step: Step) -> bool:
        return step not in self._found and step not in self._claimed

    def _ends(self, call: int) -> bool:
        return bool(self._broken) or call != self._call

    def _end(self, call: int) -> tuple[str, Any]:
        return ("broken", self._broken) if call == self._call else ("over", None)
