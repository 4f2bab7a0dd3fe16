"""The table of errors under corruptions."""

import numpy as np
import pytest

import keras_freq as kf
from keras_freq.data import CORRUPTIONS

pytestmark = pytest.mark.once
pytest.importorskip("matplotlib")


def result(errors, clean=0.1):
    rows = tuple((value, value) for value in errors.values())
    return kf.evaluate.CorruptionResult(
        model="m",
        n=10,
        settings={},
        versions={},
        corruptions=tuple(errors),
        severities=(1, 2),
        errors=rows,
        clean_error=clean,
        mean=float(np.mean(rows)),
    )


def cells(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_cells_are_percent_and_the_mean_stands_last():
    rows = {
        "standard": result({"fog": 0.2, "snow": 0.4}),
        "APR-SP": {"snow": [0.3, 0.2], "clean": 0.12, "fog": 0.1},
    }
    figure = kf.plots.corruption_table(rows)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["clean", "fog", "snow", "mean"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["standard", "APR-SP"]
    assert cells(figure) == ["10.0", "20.0", "40.0", "30.0", "12.0", "10.0", "25.0", "17.5"]
    bold = [text.get_text() for text in axes.texts if text.get_weight() == "bold"]
    assert bold == ["10.0", "10.0", "25.0", "17.5"]


def test_one_result_and_one_row_of_numbers():
    every = kf.plots.corruption_table(result(dict.fromkeys(CORRUPTIONS, 0.5), clean=float("nan")))
    assert cells(every) == ["50.0"] * 16
    assert cells(kf.plots.corruption_table({"fog": 0.25})) == ["25.0"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({}, "at least one row"),
        ({"a": {"fog": 0.1}, "b": {"snow": 0.1}}, "must hold the same corruptions"),
        ({"a": {"fog": 1.1}}, r"must lie in \[0, 1\]"),
        ({"a": {"fog": float("nan")}}, r"must lie in \[0, 1\]"),
        ({"a": "fog"}, "must be a result, a list of results or a mapping"),
    ],
)
def test_bad_rows_are_one_line(rows, message):
    with pytest.raises(ValueError, match=message):
        kf.plots.corruption_table(rows)
