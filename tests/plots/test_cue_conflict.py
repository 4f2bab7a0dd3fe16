"""The figure of a cue conflict says what the result says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from keras_freq import plots
from keras_freq.evaluate import CueConflictResult
from tests.refusals import refused

pytestmark = pytest.mark.once


def made(low=(0.75, 0.25), balance=6.0, intervals=None, **more) -> CueConflictResult:
    fields = {
        "model": "m",
        "n": 100,
        "settings": {},
        "versions": {},
        "radii": (8.0, 4.0),
        "low": low,
        "high": (0.125, 0.5),
        "neither": (0.125, 0.25),
        "low_bias": (0.8, 0.3),
        "balance": balance,
        "intervals": intervals or {},
        "clean": 0.9,
    }
    return CueConflictResult(**fields | more)


def test_panels_are_the_shares(tmp_path):
    edges = dict.fromkeys(("low", "high", "neither"), ((0.7, 0.8), (0.2, 0.3)))
    figure = plots.cue_conflict({"plain": made(intervals=edges), "APR-SP": [made(), made((0.5, 0.5), 4.0)]})
    assert len(figure.axes) == 3
    low, high, neither = figure.axes
    np.testing.assert_allclose(low.lines[0].get_data(), [(4, 8), (0.25, 0.75)])
    np.testing.assert_allclose(high.lines[0].get_ydata(), (0.5, 0.125))
    np.testing.assert_allclose(neither.lines[0].get_ydata(), (0.25, 0.125))
    band = low.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (0.2, 0.8)
    np.testing.assert_allclose(low.lines[2].get_ydata(), (0.375, 0.625))
    labels = [text.get_text() for text in neither.get_legend().get_texts()]
    assert labels == ["plain: balance at 6", "APR-SP: balance at 5"]
    np.testing.assert_allclose(low.lines[1].get_xdata(), 6)
    assert "n = 100 pairs, mean and range of 1 to 2 seeds" in figure.get_suptitle()
    figure.savefig(tmp_path / "figure.png")


def test_without_a_balance():
    figure = plots.cue_conflict(made(balance=math.nan))
    assert len(figure.axes[0].lines) == 1
    assert [text.get_text() for text in figure.axes[2].get_legend().get_texts()] == ["m"]


@pytest.mark.parametrize(
    ("draw", "says"),
    [
        (lambda: plots.cue_conflict([made(), made(radii=(1.0, 2.0))]), "the same radii"),
        (lambda: plots.cue_conflict(made(low=(0.5,))), "2, 1, 2, 2 values for 'm'"),
        (lambda: plots.cue_conflict(3), "int without radii"),
    ],
)
def test_refuses(draw, says):
    with refused(says):
        draw()
