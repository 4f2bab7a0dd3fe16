import numpy as np
import pytest

from keras_freq import plots
from tests.refusals import refused

pytestmark = pytest.mark.once
NAN = float("nan")


def legend_of(figure):
    (legend,) = figure.legends
    return legend


def test_mean_and_range_over_seeds():
    seeds = np.array([[0.1, 0.2, 0.6], [0.3, 0.4, 0.7]])
    figure = plots.curves({"true": {"train": seeds}, "shuffled": {"train": [0.1, 0.1]}}, chance=0.1)
    true, shuffled = figure.axes
    line, chance = true.lines
    np.testing.assert_allclose(line.get_ydata(), [0.2, 0.3, 0.65])
    np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
    (band,) = true.collections
    corners = band.get_paths()[0].vertices
    for column, (low, high) in enumerate(seeds.T, start=1):
        at = corners[corners[:, 0] == column, 1]
        assert (at.min(), at.max()) == (low, high)
    assert not shuffled.collections  # one seed has no range
    assert list(chance.get_ydata()) == [0.1, 0.1]
    assert true.get_ylim() == shuffled.get_ylim() == (0, 1)
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["true", "shuffled"]
    assert figure.get_suptitle() == "Accuracy by epoch: mean and range of 1 to 2 seeds"
    assert [text.get_text() for text in legend_of(figure).get_texts()] == ["train", "chance"]


def test_points_that_were_not_measured_are_left_out():
    figure = plots.curves({"": {"a": [0.1, NAN, 0.3, NAN], "b": [[0.1, 0.2, NAN], [0.1, NAN, 0.4]]}})
    a, b = figure.axes[0].lines
    np.testing.assert_array_equal(a.get_xdata(), [1, 3])
    np.testing.assert_array_equal(a.get_ydata(), [0.1, 0.3])
    np.testing.assert_array_equal(b.get_xdata(), [1])
    assert len(figure.axes[0].collections) == 1  # the range of b's only point


def test_few_points_are_marked_and_many_are_not():
    figure = plots.curves({"": {"one": [0.5], "many": np.full(30, 0.5)}})
    assert [line.get_marker() for line in figure.axes[0].lines] == ["o", "None"]


def test_twelve_lines_differ_and_a_label_looks_the_same_in_all_panels():
    names = [f"model {number}" for number in range(12)]
    panels = {"a": {name: [0.1, 0.2] for name in names}, "b": {name: [0.3] for name in names[::-1]}}
    figure = plots.curves(panels)
    looks = [(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines]
    assert len(set(looks)) == 12
    assert [line.get_color() for line in figure.axes[1].lines] == [color for color, _ in looks[::-1]]
    assert [line.get_color() for line in legend_of(figure).get_lines()] == [color for color, _ in looks]


def test_given_positions_title_and_axes():
    figure = plots.curves(
        {"natural": {"PGD": np.full((3, 4), 2.0)}},
        x=(0, 0.1, 0.25, 1),
        xlabel="rho",
        ylabel="loss",
        limits=None,
        title="Smoothing",
    )
    (axis,) = figure.axes
    np.testing.assert_array_equal(axis.lines[0].get_xdata(), [0, 0.1, 0.25, 1])
    assert [text.get_text() for text in axis.get_xticklabels()] == ["0", "0.1", "0.25", "1"]
    assert (axis.get_xlabel(), axis.get_ylabel(), figure.get_suptitle()) == ("rho", "loss", "Smoothing")
    assert legend_of(figure).get_title().get_text() == "mean and range\nof 3 seeds"


@pytest.mark.parametrize(("columns", "expected"), [(None, 3), (2, 2), (9, 5)])
def test_panels_in_rows_and_a_legend_that_covers_none(columns, expected, tmp_path):
    panels = {f"r = {radius}": {"vanilla": [[0.2, 0.4], [0.3, 0.5]], "dropout": [0.1]} for radius in range(5)}
    figure = plots.curves(panels, columns=columns, title="Heuristics")
    assert len(figure.axes) == 5
    assert {axis.get_subplotspec().get_gridspec().ncols for axis in figure.axes} == {expected}
    assert [bool(axis.get_xlabel()) for axis in figure.axes] == [place + expected >= 5 for place in range(5)]
    figure.savefig(tmp_path / "figure.png")
    legend = legend_of(figure).get_window_extent()
    assert not any(legend.overlaps(axis.get_tightbbox()) for axis in figure.axes)


@pytest.mark.parametrize(
    ("panels", "keywords", "message"),
    [
        ({}, {}, "`panels` must map.*Received: an empty mapping"),
        ([1], {}, "`panels` must map.*Received: list"),
        ({"a": {}}, {}, "a panel must map.*Received: an empty mapping for panel 'a'"),
        ({"a": [0.1]}, {}, "a panel must map.*Received: list for panel 'a'"),
        ({"a": {"b": []}}, {}, r"shape \(points,\).*Received: shape \(0,\) for 'b' in panel 'a'"),
        ({"a": {"b": np.ones((1, 1, 1))}}, {}, r"Received: shape \(1, 1, 1\)"),
        ({"a": {"b": [[0.1], [0.1, 0.2]]}}, {}, "values that make no such array"),
        ({"a": {"b": [NAN, NAN]}}, {}, "every seed has measured.*NaN at every point for 'b'"),
        ({"a": {"b": [0.1, float("inf")]}}, {}, "must be finite.*infinity for 'b'"),
        ({"a": {"b": [10.0, 90.0]}}, {}, r"`limits` must show.*limits=\(0, 1\) and values from 10 to 90"),
        ({"a": {str(number): [0.1] for number in range(29)}}, {}, "at most 28 .*Received: 29"),
        ({"a": {"b": [0.1]}}, {"x": (1, 2)}, "`x` must hold one.*Received: 2 positions and 1 points"),
        ({"a": {"b": [0.1, 0.2]}}, {"x": (2, 1)}, r"`x` must hold increasing.*Received: x=\(2, 1\)"),
        ({"a": {"b": [0.1]}}, {"x": (NAN,)}, "`x` must hold increasing"),
        ({"a": {"b": [0.1]}}, {"columns": 0}, "`columns`.*Received: columns=0"),
        ({"a": {"b": [0.1]}}, {"chance": NAN}, "`chance`.*Received: chance=nan"),
        ({"a": {"b": [0.1]}}, {"limits": (1, 0)}, r"`limits`.*Received: limits=\(1, 0\)"),
    ],
)
def test_refuses(panels, keywords, message):
    with refused(match=message):
        plots.curves(panels, **keywords)


@pytest.mark.once
def test_a_title_wider_than_the_figure_has_more_lines():
    figure = plots.curves({"one": {"a": [0.1, 0.2]}}, title="a title of many words, " * 8)
    figure.draw_without_rendering()
    box = figure._suptitle.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    assert figure.axes[0].get_tightbbox().y1 <= box.y0 < box.y1 <= figure.bbox.height
