"""The figure of metrics on filtered images says what the result says."""

from __future__ import annotations

import numpy as np
import pytest

from keras_freq import plots
from keras_freq.evaluate import FilteredResult
from tests.refusals import refused

pytestmark = pytest.mark.once


def made(shift=0.0, **more) -> FilteredResult:
    def of(*values):
        return {"iou": tuple(value + shift for value in values), "right": values}

    fields = {
        "model": "m",
        "n": 50,
        "settings": {},
        "versions": {},
        "radii": (8.0, 4.0),
        "bands": ((0.0, 3.0), (3.0, np.inf)),
        "masks": ("ring",),
        "clean": {"iou": 0.9 + shift, "right": 0.95},
        "low": of(0.5, 0.25),
        "high": of(0.75, 0.125),
        "band": of(0.3, 0.6),
        "masked": of(0.2),
    }
    return FilteredResult(**fields | more)


def test_rows_are_metrics_and_columns_filters(tmp_path):
    figure = plots.filtered({"plain": made(), "other": [made(0.0), made(0.02)]})
    assert len(figure.axes) == 2 * 4
    low, high, band, masked = figure.axes[:4]
    np.testing.assert_allclose(low.lines[0].get_data(), [(4, 8), (0.25, 0.5)])
    np.testing.assert_allclose(low.lines[2].get_ydata(), (0.26, 0.51))
    edges = low.collections[0].get_paths()[0].vertices[:, 1]
    np.testing.assert_allclose((edges.min(), edges.max()), (0.25, 0.52))
    np.testing.assert_allclose(high.lines[0].get_ydata(), (0.125, 0.75))
    assert [text.get_text() for text in band.get_xticklabels()] == ["0 to 3", "3 to inf"]
    assert band.lines[0].get_linestyle() == "None"
    assert [text.get_text() for text in masked.get_xticklabels()] == ["ring"]
    np.testing.assert_allclose(low.lines[1].get_ydata(), 0.9)  # dashed: whole images
    assert (low.get_ylabel(), figure.axes[4].get_ylabel()) == ("iou", "right")
    assert "n = 50 images, mean and range of 1 to 2 seeds" in figure.get_suptitle()
    figure.savefig(tmp_path / "figure.png")


def test_one_metric_and_the_filters_that_there_are():
    figure = plots.filtered(made(bands=(), masks=()), metrics=["right"], title="Mine")
    assert len(figure.axes) == 2
    assert figure.axes[0].get_ylabel() == "right"
    assert figure.get_suptitle() == "Mine"


@pytest.mark.parametrize(
    ("draw", "says"),
    [
        (lambda: plots.filtered({"a": made(), "b": made(radii=(4.0, 9.0))}), "the same radii"),
        (lambda: plots.filtered(made(radii=(), bands=(), masks=())), "one filter at least"),
        (lambda: plots.filtered(made(), metrics=["loss"]), "`metrics` must hold some of 'iou', 'right'"),
        (lambda: plots.filtered(3), "int without radii"),
    ],
)
def test_refuses(draw, says):
    with refused(says):
        draw()
