"""Points of networks: all are drawn, groups differ, wrong ones are refused."""

import io

import numpy as np
import pytest

from keras_freq import plots

pytestmark = pytest.mark.once


def test_every_point_of_every_group_is_drawn():
    groups = {"standard": ([0.1, 0.2], [0.5, 0.4]), "_late": (np.array([0.3]), np.array([0.2]))}
    figure = plots.scatter(groups, xlabel="shortcuts", ylabel="error")
    (axis,) = figure.axes
    drawn = [points.get_offsets().tolist() for points in axis.collections]
    assert drawn == [[[0.1, 0.5], [0.2, 0.4]], [[0.3, 0.2]]]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("shortcuts", "error")
    assert figure.get_suptitle() == "Error by shortcuts, 3 points"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["standard", " _late"]


def test_many_groups_differ_in_color_or_mark():
    groups = {str(k): ([k], [k]) for k in range(20)}
    figure = plots.scatter(groups, xlabel="x", ylabel="y", title="Many")
    looks = {
        (tuple(points.get_facecolor()[0]), points.get_paths()[0].vertices.tobytes())
        for points in figure.axes[0].collections
    }
    assert len(looks) == 20
    assert figure.get_suptitle() == "Many"


@pytest.mark.parametrize("count", [1, 14, 30])
def test_all_labels_lie_within_the_figure_and_beside_the_axes(count):
    groups = {f"a way to train, number {k}": ([k], [k]) for k in range(count)}
    figure = plots.scatter(groups, xlabel="x", ylabel="y")
    figure.savefig(io.BytesIO())  # lays it out
    labels, axis = figure.legends[0].get_window_extent(), figure.axes[0].get_window_extent()
    assert axis.x1 <= labels.x0
    assert axis.width > 0.3 * figure.bbox.width
    assert labels.x1 <= figure.bbox.x1 + 1
    assert labels.y0 >= 0
    assert labels.y1 <= figure.bbox.y1


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({}, "an empty mapping"),
        ([1], "list"),
        ({"a": ([1], [1, 2])}, "for 'a'"),
        ({"a": ([], [])}, "for 'a'"),
        ({"a": ([1], [np.nan])}, "not all finite"),
        ({"a": "text"}, "for 'a'"),
    ],
)
def test_wrong_groups_are_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        plots.scatter(groups, xlabel="x", ylabel="y")
