"""The figure of the channel says what the result says."""

from __future__ import annotations

import math

import matplotlib
import numpy as np
import pytest

from keras_freq import plots
from keras_freq.evaluate import CriticalBandResult

pytestmark = pytest.mark.once


def made(
    thresholds=(math.nan, 0.04, 0.02), center=5.0, bandwidth=2.0, peak=40.0, **more
) -> CriticalBandResult:
    fields = {
        "model": "m",
        "n": 100,
        "settings": {},
        "versions": {},
        "centers": (1.75, 3.5, 7.0),
        "deviations": (0.02, 0.16),
        "accuracy": ((0.9, 0.8), (0.6, 0.2), (0.4, 0.1)),
        "unmasked": 0.9,
        "clean": 0.95,
        "thresholds": thresholds,
        "center": center,
        "bandwidth": bandwidth,
        "peak": peak,
    }
    return CriticalBandResult(**fields | more)


def test_markers_are_the_sensitivities_and_lines_the_channel():
    figure = plots.critical_band({"plain": made(), "APR-SP": [made(center=4.0), made(center=9.0)]})
    (axis,) = figure.axes
    lines = axis.get_lines()
    assert len(lines) == 2 * 2 + 1  # channel and markers of either, and the octave of people
    channel, markers = lines[0], lines[1]
    np.testing.assert_allclose(markers.get_xdata(), np.log2([1.75, 3.5, 7]))
    np.testing.assert_allclose(markers.get_ydata(), [0, 2, 3])
    x, y = channel.get_data()
    assert x[np.argmax(y)] == pytest.approx(math.log2(5), abs=0.02)
    assert y.max() == pytest.approx(math.log2(40 * 0.16), rel=1e-3)
    half = x[y >= y.max() / 2]
    assert half[-1] - half[0] == pytest.approx(2.0, abs=0.05)
    human = lines[-1]
    half = human.get_xdata()[human.get_ydata() >= human.get_ydata().max() / 2]
    assert half[-1] - half[0] == pytest.approx(1.0, abs=0.05)
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels[0] == "plain: 5 cycles, 2 octaves"
    assert labels[1] == "APR-SP: 6 cycles, 2 octaves"
    assert "n = 100" in figure.get_suptitle() or "100 test images" in figure.get_suptitle()


def test_nothing_fitted_draws_no_channel(tmp_path):
    nothing = made((math.nan,) * 3, center=math.nan, bandwidth=math.nan, peak=math.nan)
    figure = plots.critical_band(nothing)
    lines = figure.axes[0].get_lines()
    assert len(lines) == 2
    assert np.isnan(lines[0].get_ydata()).all()
    assert figure.axes[0].get_legend().get_texts()[0].get_text() == "m: no threshold"
    figure.savefig(tmp_path / "none.png")
    assert matplotlib.get_backend()


def test_results_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="centers"):
        plots.critical_band([made(), made(centers=(1.0, 2.0, 4.0))])
    with pytest.raises(ValueError, match=r"at least one"):
        plots.critical_band({})
