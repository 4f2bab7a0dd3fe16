"""The simulation of many workers against what can be counted by hand, and the benchmark in miniature."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.benchmarks.scaling import simulate
from tests.apps.running import CONFIGS, finish, records

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("units", "after", "workers", "start", "dispatch", "seconds"),
    [
        ([1] * 10, [], 1, 0, 0, 10),
        ([1] * 10, [], 2, 0, 0, 5),
        ([1] * 10, [], 3, 0, 0, 4),
        ([1] * 10, [], 100, 7, 0, 8),
        ([1] * 10, [], 100, 0, 0.5, 6),  # the last one is handed out after 5 seconds
        ([10, 10], [1] * 10, 100, 5, 0, 16),
        ([10, 10], [1] * 10, 1, 0, 0, 40),
        ([10, 4], [3], 2, 0, 0, 13),
        (
            [10, 4],
            [3, 3],
            2,
            0,
            0,
            13,
        ),  # the second worker has the four seconds, six of measuring, three more
    ],
)
def test_by_hand(units, after, workers, start, dispatch, seconds):
    assert simulate(units, after, workers=workers, start=start, dispatch=dispatch) == pytest.approx(seconds)


@given(
    units=st.lists(st.floats(0.1, 10), min_size=1, max_size=12),
    after=st.lists(st.floats(0.1, 10), max_size=4),
    workers=st.integers(1, 20),
)
def test_it_lies_between_what_must_be_done_and_one_worker(units, after, workers):
    work = sum(units) + len(units) * sum(after)
    seconds = simulate(units, after, workers=workers, start=0, dispatch=0)
    longest = max(units) + max(after, default=0)
    assert max(work / workers, longest) - 1e-9 <= seconds <= work + 1e-9
    assert simulate(units, after, workers=1, start=0, dispatch=0) == pytest.approx(work)


@pytest.mark.slow
def test_units_are_timed_and_more_workers_simulated(tmp_path):
    pytest.importorskip("ray")
    out = tmp_path / "run"
    config = CONFIGS / "benchmarks" / "scaling.yaml"
    small = ("workers=[1]", "units=2", "images=8", "radii=1", "simulated=[1, 10]")
    told = finish("benchmarks", "scaling", config, *small, f"output={out}")
    assert "times as fast" in told
    (row,) = records(out)
    assert row["workers"] == 1
    assert row["wall"] > row["unit"] > 0
    assert row["start"] > row["dispatch"] > 0
    assert (out / "figures" / "scaling.png").exists()
    assert "| workers | hours | times as fast |" in (out / "summary.md").read_text()
