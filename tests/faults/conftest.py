"""Processes that work, and what they leave where nothing disturbs them."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults import work


@dataclasses.dataclass(frozen=True)
class Worker:
    """A process at work in a folder."""

    process: Any
    folder: Path
    log: Path

    def wait(self, done: Callable[[], object]) -> bool:
        """Whether something has come about before the process ended; a minute at most."""
        deadline = time.monotonic() + 60
        while not done():
            if not self.process.is_alive():
                return False
            assert time.monotonic() < deadline
            time.sleep(0.001)
        return True

    def writes(self) -> bool:
        """Waits until the process has changed its folder since now."""
        before = look(self.folder)
        return self.wait(lambda: look(self.folder) != before)

    def was_killed(self) -> bool:
        """Whether it was killed before its end, which is a good one."""
        code = self.end()
        assert code in (0, -signal.SIGKILL), self.told()
        return code != 0

    def end(self) -> int:
        """Waits for its end; its exit code."""
        self.process.join(120)
        assert not self.process.is_alive()
        return self.process.exitcode

    def told(self) -> str:
        return self.log.read_text()

    def ends_well(self) -> None:
        assert self.end() == 0, self.told()

    def ends_with_a_line(self) -> str:
        """Its only line of error, after which it ends by itself."""
        code, told = self.end(), self.told()
        assert code > 0, told
        assert "Traceback" not in told
        (line,) = [line for line in told.splitlines() if line.startswith("error: ")]
        return line


def look(folder: Path) -> set[tuple[str, int, int]]:
    """Names, sizes and times of all that is in a folder."""
    found = set()
    for place, folders, files in os.walk(folder):
        for path in (os.path.join(place, name) for name in folders + files):
            with contextlib.suppress(OSError):  # it has just gone
                status = os.stat(path)
                found.add((path, status.st_size, status.st_mtime_ns))
    return found


@pytest.fixture(scope="session")
def begin(tmp_path_factory) -> Iterator[Callable[..., Worker]]:
    """Begins a kind of work in a folder, in a process of its own.

    It is forked off one that has imported everything, computed nothing and has no second thread.
    """
    if sys.platform != "linux":
        pytest.skip("needs a server that forks, and /proc")
    context = multiprocessing.get_context("forkserver")
    running: list[Any] = []
    logs = tmp_path_factory.mktemp("logs")

    def start(kind: str, folder: Path, fault: Callable[[], Any] | None = None) -> Worker:
        with contextlib.suppress(NotADirectoryError):
            folder.mkdir(exist_ok=True)
        log = logs / str(len(running))
        process = context.Process(target=work.work, args=(kind, folder, log, fault), daemon=True)
        process.start()
        running.append(process)
        return Worker(process, folder, log)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        context.set_forkserver_preload(["tests.faults.work"])
        yield start
    for process in running:
        process.kill()


@pytest.fixture(scope="session")
def undisturbed(begin, tmp_path_factory) -> Callable[[str], tuple[Path, float]]:
    """The folder of a kind of work that was left alone, and the seconds from its first change to its end."""

    @functools.cache
    def find(kind: str) -> tuple[Path, float]:
        worker = begin(kind, tmp_path_factory.mktemp("undisturbed") / "folder")
        worker.writes()
        begun = time.perf_counter()
        worker.ends_well()
        return worker.folder, time.perf_counter() - begun

    return find


@pytest.fixture
def ends_the_same(undisturbed) -> Callable[[str, Worker], None]:
    """Lets a process end, and holds what it leaves against what there is where nothing disturbs."""

    def check(kind: str, worker: Worker) -> None:
        worker.ends_well()
        assert work.result(worker.folder) == work.result(undisturbed(kind)[0])

    return check


class Disk:
    """A small disk of its own."""

    def __init__(self, folder: Path):
        self.folder, self._filling = folder, folder / "filling"

    def fill(self, left: int) -> None:
        """Leaves so many bytes."""
        self._filling.unlink(missing_ok=True)
        free = shutil.disk_usage(self.folder).free - left
        with open(self._filling, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, free)

    def empty(self) -> None:
        self._filling.unlink()

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", self.folder], check=True)


@pytest.fixture
def disk(tmp_path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
