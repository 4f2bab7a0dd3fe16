from types import SimpleNamespace

import numpy as np
import pytest

from keras_freq import plots
from keras_freq.shortcuts import adcs

pytestmark = pytest.mark.once


def pictures(figure):
    return [axis for axis in figure.axes if axis.images]


def test_adcs_maps(rng, tmp_path):
    images, labels = rng.random((12, 9, 8, 3)).astype("float32"), np.arange(12) % 3
    result = adcs(images, labels)
    figure = plots.adcs(result, classes=("cat", "dog", "ship"), title="maps")
    shown = pictures(figure)
    assert [axis.get_title() for axis in shown] == ["cat", "dog", "ship"]
    for axis, expected in zip(shown, result.maps, strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), expected)
        assert axis.images[0].get_clim() == (-2, 2)
        assert axis.images[0].get_extent() == [-4.5, 3.5, 4.5, -4.5]
    assert len(figure.axes) == 4  # one color bar
    assert figure.get_suptitle() == "maps"
    figure.savefig(tmp_path / "adcs.png")
    # A published map reaches to minus the number of classes.
    published = plots.adcs(result.maps - 1)
    least = min(-2, result.maps.min() - 1)
    assert pictures(published)[0].images[0].get_clim() == (least, -least)


def test_classes_without_images_are_left_out():
    maps = np.stack([np.ones((4, 4)), np.full((4, 4), np.nan), -np.ones((4, 4))] * 3)
    figure = plots.adcs(maps)
    assert [axis.get_title() for axis in pictures(figure)] == ["0", "2", "3", "5", "6", "8"]
    hidden = [axis for axis in figure.axes if not axis.get_visible()]
    assert len(hidden) == 4


@pytest.mark.parametrize(
    ("maps", "classes", "message"),
    [
        (np.ones((4, 4)), None, "Received: shape \\(4, 4\\)"),
        (np.full((2, 4, 4), np.nan), None, "at least one map without NaN"),
        (np.ones((2, 4, 4)), ["one"], "must name the 2 classes"),
        (np.array([[["a"]]]), None, "Received: shape \\(1, 1, 1\\), dtype <U1"),
    ],
)
def test_adcs_refuses_bad_input(maps, classes, message):
    with pytest.raises(ValueError, match=message):
        plots.adcs(maps, classes=classes)


def test_confusion_change(tmp_path):
    change = np.array([[[-100.0, 100], [0, 0]], [[-25, 25], [np.nan, np.nan]]])
    result = SimpleNamespace(change=change, stopped=((1, 2), (3,)))
    figure = plots.confusion_change(result, classes=("cat", "dog"), title="stop")
    first, second = pictures(figure)
    assert (first.get_title(), second.get_title()) == ("without B1 and B2", "without B3")
    assert first.images[0].get_clim() == (-100, 100)
    assert [text.get_text() for text in first.texts] == ["-100", "100", "0", "0"]
    assert [text.get_text() for text in second.texts] == ["-25", "25"]
    assert [label.get_text() for label in first.get_yticklabels()] == ["cat", "dog"]
    assert len(figure.axes) == 3  # one color bar
    figure.savefig(tmp_path / "stop.png")
    with pytest.raises(ValueError, match="must name the 2 classes"):
        plots.confusion_change(result, classes=("cat",))
    none = SimpleNamespace(change=np.zeros((2, 2, 2)), stopped=result.stopped)
    figure = plots.confusion_change([result, none])
    assert [text.get_text() for text in pictures(figure)[0].texts] == ["-50", "50", "0", "0"]


def test_many_classes_have_no_numbers_and_many_panels_two_rows():
    result = SimpleNamespace(change=np.zeros((8, 13, 13)), stopped=tuple((b,) for b in range(1, 9)))
    figure = plots.confusion_change(result)
    shown = pictures(figure)
    assert len(shown) == 8
    assert not any(axis.texts for axis in shown)
    assert sum(not axis.get_visible() for axis in figure.axes) == 4
