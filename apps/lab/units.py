"""Units of work that know their digest: kept in a folder, claimed by one process at a time, tried again.

``<folder>/<digest>.json`` is what came out of a unit. Several processes, also on several machines that share
the folder, take units from it without another service: each claims one by a lock that ends with the process.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from apps.lab.errors import RunError, one_line
from apps.lab.files import clear_halves, hold, read_checked, write_checked
from apps.lab.interruption import stop_if_interrupted


@dataclasses.dataclass(frozen=True)
class Unit:
    """One piece of work.

    Args:
        name: Its name in the run.
        digest: Digest of all that its outcome follows from.
        work: What the worker is told, plain values.
        after: Digest of the unit that must be done before; empty if none.
    """

    name: str
    digest: str
    work: Mapping[str, Any]
    after: str = ""


class UnitStore:
    """A folder of outcomes, each written whole, with a check sum."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    def read(self, unit: Unit) -> dict[str, Any] | None:
        """What came out of a unit, or None where it is not there; a damaged file counts as none."""
        path = self._path(unit)
        if not path.exists():
            return None
        try:
            found: dict[str, Any] = read_checked(path)["outcome"]
            return found
        except (OSError, ValueError, KeyError):
            return None

    def keep(self, unit: Unit, outcome: dict[str, Any]) -> None:
        """Keeps what came out of a unit."""
        write_checked(self._path(unit), {"unit": unit.name, "digest": unit.digest, "outcome": outcome})

    def claim(self, unit: Unit) -> Any:
        """An open file while no other process works on the unit, which ends with its closing; else None."""
        try:
            return hold(self.folder / ".claims" / unit.digest)
        except OSError as error:
            raise RunError(
                f"`units` must be a folder that can be written. Received: units={self.folder} "
                f"({error.strerror})",
                code=1,
            ) from error

    def take(self, unit: Unit) -> tuple[dict[str, Any] | None, Any]:
        """What came out of a unit, or else the claim to it; neither where another process works on it."""
        outcome = self.read(unit)
        claim = self.claim(unit) if outcome is None else None
        if claim is not None:
            clear_halves(self.folder, self._path(unit).name)
            outcome = self.read(unit)  # another may have ended it before the claim
            if outcome is not None:
                claim.close()
        return outcome, claim

    def _path(self, unit: Unit) -> Path:
        return self.folder / f"{unit.digest}.json"


class Backlog:
    """The units that are not done yet, in order, and what became of those that failed.

    Attributes:
        failed: Reason by name of the unit, of those that were given up.
    """

    def __init__(self, units: Sequence[Unit], store: UnitStore, *, tries: int):
        self.store, self.tries = store, tries
        self.failed: dict[str, str] = {}
        self._open = {unit.digest: unit for unit in units}
        self._count = dict.fromkeys(self._open, 0)

    def __len__(self) -> int:
        return len(self._open)

    def ready(self) -> Iterator[Unit]:
        """The open units that wait for no other."""
        for unit in list(self._open.values()):
            if unit.digest in self._open and unit.after not in self._open:
                yield unit

    def done(self, unit: Unit) -> None:
        """Takes a unit off."""
        del self._open[unit.digest]

    def fail(self, unit: Unit, reason: str) -> str:
        """Counts a failure, and gives up after the last try, also what waits for the unit. A line to say."""
        self._count[unit.digest] += 1
        if self._count[unit.digest] < self.tries:
            return f"{unit.name}: try {self._count[unit.digest]} of {self.tries} failed: {reason}"
        self.failed[unit.name] = reason
        self.done(unit)
        for other in [other for other in self._open.values() if other.after == unit.digest]:
            self.failed[other.name] = f"needs {unit.name}"
            self.done(other)
        return f"{unit.name}: given up after {self.tries} tries: {reason}"


def work_locally(
    backlog: Backlog, do: Callable[[Unit], dict[str, Any]], *, say: Callable[[str], None]
) -> Iterator[tuple[Unit, dict[str, Any]]]:
    """Does the units in this process, and takes what others did meanwhile; gives each with its outcome."""
    waiting = False
    while len(backlog):
        progress = False
        for unit in backlog.ready():
            stop_if_interrupted()
            outcome, claim = backlog.store.take(unit)
            if outcome is None:
                if claim is None:
                    continue
                with contextlib.closing(claim):
                    try:
                        outcome = do(unit)
                        backlog.store.keep(unit, outcome)
                    except OSError:  # a full disk, say, which the next unit would meet too
                        raise
                    except Exception as error:
                        say(backlog.fail(unit, one_line(error)))
                        progress = True
                        continue
            backlog.done(unit)
            progress = True
            yield unit, outcome
        if len(backlog) and not progress:
            if not waiting:
                say(f"{len(backlog)} units are claimed by other processes; waiting")
            waiting = True
            time.sleep(0.5)
