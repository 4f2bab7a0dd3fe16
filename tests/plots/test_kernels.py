import numpy as np
import pytest

from keras_freq import plots
from tests.refusals import refused

pytestmark = pytest.mark.once


def test_tiles_in_colour_share_the_scale_of_their_model(rng, tmp_path):
    natural, adversarial = rng.standard_normal((3, 3, 3, 10)), 5 * rng.standard_normal((5, 5, 3, 2))
    natural[1, 1, 0, 0] = -4.0
    figure = plots.kernels({"natural": natural, "adversarial": adversarial}, columns=4)
    first, second = figure.axes
    assert (len(first.images), len(second.images)) == (10, 2)
    for number, tile in enumerate(first.images):
        np.testing.assert_allclose(tile.get_array(), 0.5 + natural[..., number] / 8, atol=1e-12)
    largest = np.abs(adversarial).max()
    np.testing.assert_allclose(second.images[1].get_array(), 0.5 + adversarial[..., 1] / (2 * largest))
    assert first.get_title(loc="left") == "natural"
    assert first.xaxis.label.get_text() == "$m$ = 4"
    assert "mid-gray is 0" in figure.get_supxlabel()
    lefts = [tile.get_extent()[0] for tile in first.images]
    assert lefts[0] == lefts[4] == lefts[8] < lefts[1]
    figure.savefig(tmp_path / "figure.png")


def test_other_channels_are_averaged_in_gray(rng):
    weights = rng.standard_normal((7, 5, 16, 3)).astype("float32")
    (axis,) = plots.kernels(weights, title="First layer").axes
    means = weights.astype("float64").mean(axis=2)
    expected = 0.5 + means[..., 2] / (2 * np.abs(means).max())
    np.testing.assert_allclose(axis.images[2].get_array(), expected)
    assert "mean of 16 channels" in axis.xaxis.label.get_text()


def test_at_most_64_filters_are_shown_and_the_title_says_so(rng):
    weights = rng.standard_normal((3, 3, 1, 65))
    weights[..., 64] *= 100  # not shown, but part of the model
    (axis,) = plots.kernels({"natural": weights}).axes
    assert len(axis.images) == 64
    assert axis.get_title(loc="left") == "natural, first 64 of 65"
    assert np.ptp(axis.images[0].get_array()) < 0.1


def test_a_kernel_of_zeros_is_mid_gray():
    (axis,) = plots.kernels(np.zeros((3, 3, 3, 1))).axes
    assert (axis.images[0].get_array() == 0.5).all()


@pytest.mark.parametrize("count", [1, 2, 5, 7])
def test_every_model_has_a_block(count):
    figure = plots.kernels({f"model {number}": np.ones((3, 3, 3, 4)) for number in range(count)})
    assert [axis.get_title(loc="left") for axis in figure.axes] == [f"model {i}" for i in range(count)]


@pytest.mark.parametrize(
    ("value", "keywords", "message"),
    [
        ({}, {}, "at least one block.*Received: an empty mapping"),
        (np.ones((3, 3, 3)), {}, r"shape \(height.*Received: shape \(3, 3, 3\)"),
        ({"a": np.ones((3, 3, 3, 0))}, {}, r"Received: shape \(3, 3, 3, 0\) for 'a'"),
        (np.full((1, 1, 1, 1), 1j), {}, "must be real.*Received: dtype complex128"),
        ({"a": np.full((3, 3, 1, 1), np.nan)}, {}, "must be finite.*Received: 9 NaN or infinite for 'a'"),
        (np.ones((3, 3, 3, 1)), {"columns": 0}, "`columns`.*Received: columns=0"),
        (np.ones((3, 3, 3, 1)), {"columns": 1.5}, "`columns`.*Received: columns=1.5"),
    ],
)
def test_refuses(value, keywords, message):
    with refused(match=message):
        plots.kernels(value, **keywords)
