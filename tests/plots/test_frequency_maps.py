from types import SimpleNamespace

import numpy as np
import pytest

from keras_freq import plots

pytestmark = pytest.mark.once


def test_maps_rates_and_examples(rng, tmp_path):
    masks = (rng.random((3, 9, 8)) < 0.2).astype("float32")
    report = SimpleNamespace(tpr=np.array([0.5, 1, 0]), fpr=np.array([0.25, np.nan, 0]))
    pictures = rng.random((3, 9, 8, 3))
    figure = plots.frequency_maps(
        {"exact": masks, "HFSS": 1 - masks},
        classes=("cat", "dog", "ship"),
        reports={"exact": report},
        examples={"image": pictures, "filtered": pictures / 2},
        title="maps",
    )
    axes = figure.axes
    assert len(axes) == 4 * 3
    assert axes[0].get_title() == "cat\nTPR 0.50\nFPR 0.25"
    assert axes[1].get_title() == "dog\nTPR 1.00"
    assert axes[3].get_title() == ""
    np.testing.assert_array_equal(axes[4].images[0].get_array(), 1 - masks[1])
    assert axes[0].images[0].get_extent() == [-4.5, 3.5, 4.5, -4.5]
    np.testing.assert_allclose(axes[9].images[0].get_array(), pictures[0] / 2)
    assert figure.get_suptitle() == "maps"
    figure.savefig(tmp_path / "maps.png")


def test_one_set_of_maps(rng):
    masks = np.ones((2, 5, 5))
    report = SimpleNamespace(tpr=np.array([0.5, 1]), fpr=np.array([0.25, 0]))
    figure = plots.frequency_maps(masks, reports=report)
    assert [axis.get_title() for axis in figure.axes] == ["0\nTPR 0.50\nFPR 0.25", "1\nTPR 1.00\nFPR 0.00"]


@pytest.mark.parametrize(
    ("maps", "changed", "message"),
    [
        (np.ones((5, 5)), {}, "Received: shape \\(5, 5\\)"),
        (np.full((2, 5, 5), 2.0), {}, "must lie in \\[0, 1\\]"),
        ({"a": np.ones((2, 5, 5)), "b": np.ones((3, 5, 5))}, {}, "as many classes each"),
        (np.ones((2, 5, 5)), {"classes": ["one"]}, "must name the 2 classes"),
        (
            np.ones((2, 5, 5)),
            {"reports": SimpleNamespace(tpr=[1], fpr=[1])},
            "`reports` must be of the 2 classes",
        ),
        ({"a": np.ones((1, 5, 5))}, {"reports": {"b": SimpleNamespace(tpr=[1], fpr=[1])}}, "must name rows"),
        (np.ones((2, 5, 5)), {"examples": {"image": np.ones((3, 5, 5, 3))}}, "one image of each of the 2"),
    ],
)
def test_refuses_bad_input(maps, changed, message):
    with pytest.raises(ValueError, match=message):
        plots.frequency_maps(maps, **changed)
