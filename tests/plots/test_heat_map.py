import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from keras_freq import evaluate, plots
from tests.refusals import refused

pytestmark = pytest.mark.once


def result(error, clean=0.1, **more):
    error = np.asarray(error, "float64")
    numbers = {"error": error, "clean_error": clean, "difference": error - clean, "epsilon": 4.0, "n": 300}
    return SimpleNamespace(**numbers, **more)


def test_dc_is_drawn_at_zero_on_a_shared_scale(rng, tmp_path):
    natural, augmented = rng.random((8, 8)), 0.1 * rng.random((8, 8))
    figure = plots.heat_map({"natural": result(natural), "augmented": result(augmented, 0.25)})
    first, second = figure.axes[:2]
    for axis, error in ((first, natural), (second, augmented)):
        (image,) = axis.images
        np.testing.assert_array_equal(image.get_array(), error)
        assert image.get_clim() == (0, 1)
        left, right, bottom, top = image.get_extent()
        assert (left, right, bottom, top) == (-4.5, 3.5, 3.5, -4.5)  # index 4 is drawn at 0
    assert second.get_title(loc="left") == "augmented\nclean error 0.25"
    assert "n = 300" in figure.get_suptitle()
    assert "= 4," in figure.get_suptitle()
    assert "index units" in first.get_xlabel()
    figure.savefig(tmp_path / "figure.png")


def test_difference_diverges_about_zero():
    figure = plots.heat_map(
        {"a": result([[0.1, 0.5]] * 2, 0.2), "b": result([[0.0, 0.1]] * 2, 0.6)}, difference=True
    )
    for axis in figure.axes[:2]:
        assert axis.images[0].get_clim() == pytest.approx((-0.6, 0.6))
    assert "difference" in figure.get_suptitle()


def test_what_was_not_measured_is_grey_and_the_rest_is_left_out():
    picture = np.full((9, 8), np.nan)
    picture[3:6, 2:7] = 0.5
    picture[4, 5] = np.nan
    (axis, _) = plots.heat_map(picture).axes
    assert axis.get_xlim() == (-2.5, 2.5)
    assert axis.get_ylim() == (1.5, -1.5)
    image = axis.images[0]
    assert image.get_array().mask.sum() == 9 * 8 - 14
    assert image.cmap.get_bad()[:3].tolist() == pytest.approx([0.6] * 3)


def test_layers_are_scaled_to_their_largest_change():
    change = np.array([[1.0, 4.0], [2.0, 0.0]])
    figure = plots.heat_map(result(np.zeros((2, 2)), layer_change=change, layer="conv"), layer=True)
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), change / 4)
    assert figure.axes[0].get_title(loc="left") == "layer conv"


@pytest.mark.parametrize(
    ("value", "options", "message"),
    [
        ({}, {}, "at least one map.*Received: an empty mapping"),
        (np.zeros(3), {}, r"Received: shape \(3,\)"),
        ({"a": np.full((2, 2), np.nan)}, {}, "only NaN for 'a'"),
        (np.full((2, 2), 1.5), {}, r"in \[0, 1\].*from 1.5 to 1.5"),
        (np.full((2, 2), -1.5), {"difference": True}, r"in \[-1, 1\]"),
        (np.zeros((2, 2)), {"difference": True, "layer": True}, "Received: both True"),
    ],
)
def test_refuses(value, options, message):
    with refused(match=message):
        plots.heat_map(value, **options)


def test_reliability(rng, tmp_path):
    logits, labels = 2 * rng.standard_normal((500, 4)), rng.integers(0, 4, 500)
    calibration = evaluate.calibration_error(logits, labels, bins=10)
    figure = plots.reliability({"plain": calibration, "again": calibration})
    axis = figure.axes[0]
    full = [k for k in range(10) if calibration.counts[k]]
    heights = [bar.get_height() for bar in axis.patches]
    np.testing.assert_allclose(heights, [calibration.accuracies[k] for k in full])
    assert [bar.get_x() for bar in axis.patches] == [calibration.edges[k] for k in full]
    points = axis.collections[0].get_offsets()
    np.testing.assert_allclose(points[:, 0], [calibration.confidences[k] for k in full])
    assert f"error {calibration.value:.3f}" in axis.get_title(loc="left")
    figure.savefig(tmp_path / "figure.png")
    with pytest.raises(ValueError, match="Received: an empty mapping"):
        plots.reliability({})
    with pytest.raises(ValueError, match=r"Received: 1 bins and \[2, 1, 1\]"):
        plots.reliability(
            dataclasses.replace(calibration, edges=(0, 1), counts=(1, 2), accuracies=(1,), confidences=(1,))
        )
