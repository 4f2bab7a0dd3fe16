from types import SimpleNamespace

import numpy as np
import pytest

from keras_freq import plots
from tests.refusals import refused

pytestmark = pytest.mark.once


def report(tpr, fpr=None):
    tpr = np.asarray(tpr, float)
    fpr = np.full_like(tpr, np.nan) if fpr is None else np.asarray(fpr, float)
    return SimpleNamespace(tpr=tpr, fpr=fpr, clean_tpr=np.ones_like(tpr))


def test_each_class_has_a_row_with_its_rates(tmp_path):
    reports = {"map": report([0.5, 1, 0], [0.2, 0.1, 0]), "disk": [report([0, 0, 0]), report([1, 0, 0])]}
    figure = plots.shortcut_rates(reports, classes=("cat", "dog", "ship"), shown=(1, 0), title="rates")
    (axis,) = figure.axes
    lines = {line.get_label(): line.get_xdata().tolist() for line in axis.lines}
    assert lines == {
        "map, own images (TPR)": [1, 0.5],
        "map, other images (FPR)": [0.1, 0.2],
        "disk, own images (TPR)": [0, 0.5],
        "whole images (TPR)": [1, 1],
    }
    assert [label.get_text() for label in axis.get_yticklabels()] == ["dog", "cat"]
    assert axis.get_ylim() == (1.5, -0.5)  # the first is at the top
    assert axis.get_title("left") == "rates"
    figure.savefig(tmp_path / "rates.png")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"reports": {"a": report([1, 0]), "b": report([1])}}, "of the same classes"),
        ({"reports": dict.fromkeys("abcde", report([1, 0]))}, "at most 4 kinds"),
        ({"classes": ["one"]}, "must name the 2 classes"),
        ({"shown": (2,)}, "`shown` must hold 1 to 60 of the 2 classes"),
        ({"shown": (0.5,)}, "`shown` must hold"),
        ({"shown": ()}, "`shown` must hold"),
    ],
)
def test_refuses_bad_input(changed, message):
    with refused(message):
        plots.shortcut_rates(**({"reports": report([1, 0])} | changed))


@pytest.mark.parametrize(
    "name", ["map", "a disk of the same share", "a kind of masks with quite a long name"]
)
def test_the_legend_lies_inside_the_figure(name):
    figure = plots.shortcut_rates({"its map": report([0.5, 1], [0, 0]), name: report([0, 1], [0.1, 0.2])})
    figure.draw_without_rendering()
    ((legend,), (axis,)) = figure.legends, figure.axes
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    assert axis.get_window_extent().y1 < box.y0 < box.y1 <= figure.bbox.height
    assert axis.get_window_extent().height > 0.3 * figure.bbox.height
