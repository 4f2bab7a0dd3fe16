from types import SimpleNamespace

import numpy as np
import pytest

from keras_freq import plots
from tests.refusals import refused

pytestmark = pytest.mark.once


def spectra(values, epochs=None, radii=None, **more):
    values = np.asarray(values, "float64")
    epochs = range(1, len(values) + 1) if epochs is None else epochs
    radii = range(values.shape[-1]) if radii is None else radii
    return SimpleNamespace(spectra=values, epochs=tuple(epochs), radii=tuple(radii), **more)


def labels(axis):
    return [text.get_text() for text in axis.get_ticklabels()]


def test_epochs_go_up_and_bands_to_the_right(rng, tmp_path):
    values = 3 + rng.random((100, 20))
    figure = plots.gradient_spectrum(spectra(values, radii=range(1, 21), n=400))
    axis = figure.axes[0]
    (image,) = axis.images
    expected = (values - values.min()) / np.ptp(values)
    np.testing.assert_allclose(image.get_array(), expected, atol=1e-12)
    left, right, bottom, top = image.get_extent()
    assert left < right
    assert (bottom, top) == (-0.5, 99.5)  # row 0, the first epoch, is the lowest
    assert image.origin == "lower"
    assert axis.get_ylim() == (-0.5, 99.5)
    assert image.get_clim() == (0, 1)
    assert labels(axis.yaxis) == ["20", "40", "60", "80", "100"]
    assert axis.get_yticks().tolist() == [19, 39, 59, 79, 99]
    assert labels(axis.xaxis) == ["5", "10", "15", "20"]
    assert axis.get_xticks().tolist() == [4, 9, 14, 19]
    assert axis.get_ylabel() == "epoch"
    assert "index units" in axis.get_xlabel()
    assert "n = 400" in figure.get_suptitle()
    figure.savefig(tmp_path / "figure.png")


def test_panels_share_one_scale_or_have_their_own(rng):
    first, second = rng.random((4, 6)), 0.2 + 0.1 * rng.random((3, 6))
    both = {"natural": spectra(first), "SCR": spectra(second)}
    low, span = first.min(), np.ptp(first)
    figure = plots.gradient_spectrum(both)
    a, b = figure.axes[:2]
    np.testing.assert_allclose(a.images[0].get_array(), (first - low) / span)
    np.testing.assert_allclose(b.images[0].get_array(), (second - low) / span)
    assert [axis.get_title(loc="left") for axis in (a, b)] == ["natural", "SCR"]
    figure = plots.gradient_spectrum(both, scale="panel", columns=1, title="ours")
    picture = figure.axes[1].images[0].get_array()
    assert (picture.min(), picture.max()) == (0, 1)
    assert figure.get_suptitle() == "ours"


def test_uneven_epochs_gaps_and_flat_maps():
    values = np.array([[1.0, 2.0], [np.nan, np.nan], [3.0, 1.0]])
    axis = plots.gradient_spectrum(spectra(values, epochs=(0, 1, 50))).axes[0]
    assert labels(axis.yaxis) == ["0", "1", "50"]
    assert axis.images[0].get_array().mask.any(axis=1).tolist() == [False, True, False]
    flat = plots.gradient_spectrum(spectra(np.full((1, 3), 0.7))).axes[0]
    assert flat.images[0].get_array().tolist() == [[0, 0, 0]]
    odd = plots.gradient_spectrum(spectra(np.eye(20), epochs=[2**k for k in range(20)])).axes[0]
    assert len(labels(odd.yaxis)) == 8
    assert labels(odd.yaxis)[-1] == f"{2**19:g}"


@pytest.mark.parametrize(
    ("value", "options", "message"),
    [
        ({}, {}, "at least one result.*Received: an empty mapping"),
        (np.zeros((2, 3)), {}, "Received: ndarray without spectra, epochs, radii"),
        ({"a": spectra(np.zeros((2, 3)), epochs=(1,))}, {}, r"shape \(2, 3\) with 1 epochs.*for 'a'"),
        (spectra(np.zeros((0, 3))), {}, r"Received: shape \(0, 3\)"),
        (spectra(np.full((2, 3), np.inf)), {}, "Received: only NaN"),
        (spectra(np.zeros((2, 3))), {"scale": "row"}, "Received: scale='row'"),
        (spectra(np.zeros((2, 3))), {"columns": 0}, "Received: columns=0"),
    ],
)
def test_refuses(value, options, message):
    with refused(match=message):
        plots.gradient_spectrum(value, **options)
