"""Killed at any moment, again and again, each kind of work goes on and ends with the same bytes.

Two kills of each kind here; ``pytest --slow --kills 50 tests/faults/test_kills.py`` before a release.
"""

from __future__ import annotations

import functools
import itertools
import time

import numpy as np
import pytest

from tests.faults import inflict, work

pytestmark = [pytest.mark.once, pytest.mark.slow]


@pytest.mark.parametrize("kind", work.KINDS)
def test_killed_and_resumed_equals_undisturbed(kind, begin, undisturbed, ends_the_same, tmp_path, request):
    """Half of the kills come from outside at a random time after the process begins to write, half at a
    random step of its own: right before it opens, renames, cuts or removes a file."""
    wanted, killed = request.config.getoption("--kills"), 0
    rng = np.random.default_rng(list(kind.encode()))
    _, seconds = undisturbed(kind)
    for count in itertools.count():
        folder = tmp_path / str(count)
        for _ in range(rng.integers(1, 5)):  # so often before it may end
            if rng.integers(2):
                fault = functools.partial(inflict.die_at, folder, int(100 ** rng.random()))
                killed += begin(kind, folder, fault).was_killed()
            else:
                worker = begin(kind, folder)
                worker.writes()
                time.sleep(rng.uniform(0, 0.7 * seconds))
                worker.process.kill()
                killed += worker.was_killed()
            if killed == wanted:
                break
        ends_the_same(kind, begin(kind, folder))
        if killed == wanted:
            break
        assert count < 2 * wanted, "it is too fast to be killed"
