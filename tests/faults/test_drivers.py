"""Two processes on one folder, and clocks that jump."""

from __future__ import annotations

import functools
import os
import signal

import pytest

from tests.faults import inflict, work
from tests.faults.conftest import look

pytestmark = [pytest.mark.once, pytest.mark.slow]


@pytest.mark.parametrize("kind", work.KINDS)
def test_a_second_process_is_refused_and_the_first_ends_as_alone(kind, begin, ends_the_same, tmp_path):
    first = begin(kind, tmp_path / "folder")
    assert first.wait(lambda: any(size for name, size, _ in look(first.folder) if os.path.isfile(name)))
    os.kill(first.process.pid, signal.SIGSTOP)
    try:
        before = look(first.folder)
        line = begin(kind, first.folder).ends_with_a_line()
        assert any(words in line for words in ("in use", "another process has open"))
        assert str(first.folder) in line
        assert look(first.folder) == before
    finally:
        os.kill(first.process.pid, signal.SIGCONT)
    ends_the_same(kind, first)


@pytest.mark.parametrize("kind", work.KINDS)
def test_nothing_depends_on_the_clock_of_the_wall(kind, begin, ends_the_same, tmp_path):
    """It jumps by a day at every look, and files are of the future when the work goes on."""
    fault = functools.partial(inflict.jump_clock, 86_400)
    worker = begin(kind, tmp_path / "folder", fault)
    worker.writes()
    worker.process.kill()
    worker.was_killed()
    for path in (tmp_path / "folder").rglob("*"):
        os.utime(path, (4e9, 4e9))
    ends_the_same(kind, begin(kind, tmp_path / "folder", fault))
