"""What a process does to itself before it works: dies at a step, has a clock that jumps."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from pathlib import Path


def die_at(folder: Path, step: int) -> None:
    """Is killed before a step: the so-maniest time that it opens, makes, renames, cuts or removes a file of
    the folder."""
    count = itertools.count(1)

    def look(event: str, args: tuple) -> None:
        if event in _TOUCHING and _name(args[0]).startswith(str(folder)) and next(count) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)


def _name(file: object) -> str:
    return os.readlink(f"/proc/self/fd/{file}") if isinstance(file, int) else str(file)


_TOUCHING = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.chmod"}


def jump_clock(seconds: float) -> None:
    """The clock of the wall goes back and forth by so much at every look."""
    inner, sign = time.time, itertools.cycle((1, -1, 0))
    time.time = lambda: inner() + seconds * next(sign)
    time.time_ns = lambda: int(1e9 * time.time())
