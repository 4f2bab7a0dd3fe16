"""Killed at any moment, again and again, each kind of work goes on and ends with the same bytes.

Ten kills of each kind here; ``pytest --slow --kills 50 tests/faults/test_kills.py`` before a release.
"""

from __future__ import annotations

import functools
import time

import numpy as np
import pytest

from tests.faults import inflict, work

pytestmark = [pytest.mark.once, pytest.mark.slow]


@pytest.mark.parametrize("kind", work.KINDS)
def test_killed_and_resumed_equals_undisturbed(kind, begin, undisturbed, ends_the_same, tmp_path, request):
    """Half of the kills come from outside at a random time after it begins to write, half at a random step
    of the process: right before it opens, renames or removes something."""
    kills, wanted, folders = 0, request.config.getoption("--kills"), 0
    rng = np.random.default_rng(list(kind.encode()))
    undisturbed(kind)
    while kills < wanted:
        folder = tmp_path / str(folders)
        folders += 1
        assert folders <= 3 * wanted, "it is too fast to be killed"
        for _ in range(rng.integers(1, 5)):  # so often before it may end
            at_step = bool(rng.integers(2))
            step = int(rng.integers(1, 60))
            worker = begin(kind, folder, functools.partial(inflict.die_at, folder, step) if at_step else None)
            if at_step:
                killed = worker.end() < 0
            else:
                worker.writes()
                time.sleep(rng.uniform(0, 0.4))
                killed = worker.kill()
            kills += killed
            if kills == wanted:
                break
        ends_the_same(kind, begin(kind, folder))
