import io
import sys
import types

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from keras_freq import evaluate, plots, spectral
from keras_freq.plots._style import STYLE
from tests.refusals import refused

pytestmark = pytest.mark.once
CLASSES = ("cat", "dog", "ship")


def result(low=(0.2, 0.5), high=(0.3, 0.1), clean=0.6, n=100, radii=(4, 8)):
    return types.SimpleNamespace(radii=radii, low=low, high=high, clean=clean, n=n)


def panels(figure):
    """The axes without color bars."""
    return [axis for axis in figure.axes if axis.get_label() != "<colorbar>"]


def drawn(figure, tmp_path):
    path = tmp_path / "figure.png"
    figure.savefig(path)
    assert path.stat().st_size > 5000
    return figure


def test_figures_have_no_pyplot_and_leave_the_style_alone(images):
    before = dict(matplotlib.rcParams)
    figure = plots.spectrum(images)
    assert isinstance(figure, Figure)
    assert dict(matplotlib.rcParams) == before
    if "matplotlib.pyplot" in sys.modules:  # Keras imports it where it is installed
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []


def test_a_notebook_shows_a_figure_as_it_would_be_saved(images, tmp_path):
    drawn(plots.spectrum(images), tmp_path)
    shown = io.BytesIO(plots.spectrum(images)._repr_png_())
    with Image.open(tmp_path / "figure.png") as saved, Image.open(shown) as shown:
        np.testing.assert_array_equal(np.asarray(shown), np.asarray(saved))


def test_a_users_style_does_not_change_the_figures(images):
    with matplotlib.rc_context({"axes.labelsize": 40, "image.cmap": "jet"}):
        axis = panels(plots.spectrum(images))[0]
    assert axis.xaxis.label.get_size() == 12
    assert axis.images[0].get_cmap().name == "magma"


def test_spectrum_of_images(images, tmp_path):
    figure = drawn(plots.spectrum(images, radii=(4, 8)), tmp_path)
    (axis,) = panels(figure)
    assert len(figure.axes) == 2  # the panel and its color bar
    assert axis.get_xlabel() == "horizontal frequency (index units)"
    assert axis.get_ylabel() == "vertical frequency (index units)"
    assert "mean of 8 images" in figure.get_suptitle()
    assert len(axis.patches) == 2
    expected = np.abs(np.fft.fftshift(np.fft.fft2(images.astype("float64"), axes=(1, 2)), axes=(1, 2))).mean(
        (0, 3)
    )
    np.testing.assert_allclose(axis.images[0].get_array(), np.log10(expected), rtol=1e-6)
    assert axis.images[0].get_extent() == [-16.5, 15.5, 15.5, -16.5]


def test_spectrum_draws_dc_at_zero_for_odd_sizes():
    map_ = np.ones((5, 8))
    map_[2, 4] = 100
    image = panels(plots.spectrum(map_))[0].images[0]
    left, right, bottom, top = image.get_extent()
    assert (left, right, bottom, top) == (-4.5, 3.5, 2.5, -2.5)
    assert image.get_array()[2, 4] == 2.0


def test_spectrum_panels_share_one_scale(images):
    figure = plots.spectrum({"clean": images, "dark": images[:3] * 0.1, "zero": np.zeros((32, 32))})
    axes = panels(figure)
    assert [axis.get_title(loc="left") for axis in axes] == ["clean (n = 8)", "dark (n = 3)", "zero"]
    assert len({axis.images[0].get_clim() for axis in axes}) == 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.ones((3, 32, 32)), "at least one image"),
        (np.ones((1, 8, 8, 2)), "1 or 3 channels"),
        (np.ones((0, 8, 8, 3)), "at least one image"),
        (np.full((1, 8, 8, 3), np.nan), "must be finite"),
        (np.full((1, 8, 8, 3), 1j), "real numbers"),
        (-np.ones((8, 8)), "at least 0"),
        ({}, "at least one panel"),
    ],
)
def test_spectrum_refuses(value, message):
    with refused("Received", match=message):
        plots.spectrum(value)


def test_spectrum_refuses_a_negative_radius(images):
    with pytest.raises(ValueError, match=r"`radii`.*Received: radii=\(-1,\)"):
        plots.spectrum(images, radii=(-1,))


def test_band_accuracy(tmp_path):
    results = {"plain": result(), "APR-SP": result(low=(0.3, 0.6), clean=0.7)}
    figure = drawn(plots.band_accuracy(results, chance=0.1), tmp_path)
    low, high = panels(figure)
    assert low.get_xlabel() == high.get_xlabel() == "radius $r$ (index units)"
    assert low.get_ylabel() == "accuracy"
    assert "n = 100" in figure.get_suptitle()
    np.testing.assert_array_equal(low.lines[2].get_ydata(), (0.3, 0.6))
    np.testing.assert_array_equal(high.lines[0].get_ydata(), (0.3, 0.1))
    np.testing.assert_array_equal(low.lines[0].get_xdata(), (4, 8))
    assert low.get_ylim() == (0, 1)
    texts = [text.get_text() for text in high.get_legend().get_texts()]
    assert texts == ["plain", "APR-SP", "unfiltered images", "chance"]
    colors = [low.lines[i].get_color() for i in (0, 2)]
    assert colors == ["#0072B2", "#D55E00"]


def test_band_accuracy_takes_one_result_and_sorts_radii():
    figure = plots.band_accuracy(result(radii=(8, 4), low=(0.5, 0.2)))
    np.testing.assert_array_equal(panels(figure)[0].lines[0].get_ydata(), (0.2, 0.5))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "at least one result"),
        (result(low=(0.5,)), "equally long"),
        (result(radii=(), low=(), high=()), "equally long and not empty"),
        (result(clean=60.0), r"must lie in \[0, 1\]"),
        (result(clean=float("nan")), r"must lie in \[0, 1\]"),
        (result(n=0), "`n` must be at least 1"),
    ],
)
def test_band_accuracy_refuses(value, message):
    with pytest.raises(ValueError, match=message):
        plots.band_accuracy(value)


def test_filtered_examples(images, tmp_path):
    figure = drawn(plots.filtered_examples(images[:3], radius=6, titles=CLASSES), tmp_path)
    axes = np.array(panels(figure)).reshape(4, 3)
    assert [axis.get_title() for axis in axes[0]] == list(CLASSES)
    assert axes[1, 0].get_ylabel() == "low part\n$d < 6$"
    assert "radius 6" in figure.get_suptitle()
    original = axes[0, 0].images[0].get_array()
    np.testing.assert_allclose(original, images[0], atol=1e-6)
    gain = float(axes[2, 0].get_ylabel().split("×")[1])
    low = spectral.low_pass(images[:3].astype("float64"), 6)
    np.testing.assert_allclose(axes[1, 1].images[0].get_array(), np.clip(low[1], 0, 1), atol=1e-9)
    high = np.clip(0.5 + gain * (images[2] - low[2]), 0, 1)
    np.testing.assert_allclose(axes[2, 2].images[0].get_array(), high, atol=1e-9)


def test_filtered_examples_takes_gray_and_uint8(tmp_path):
    gray = np.arange(2 * 9 * 12, dtype="uint8").reshape(2, 9, 12, 1)
    figure = drawn(plots.filtered_examples(gray, radius=2), tmp_path)
    np.testing.assert_allclose(panels(figure)[0].images[0].get_array(), gray[0, ..., 0] / 255)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"radius": -1}, "`radius`.*Received: radius=-1"),
        ({"radius": float("nan")}, "`radius`"),
        ({"titles": ["cat"]}, "one title per image"),
    ],
)
def test_filtered_examples_refuses(images, keywords, message):
    with pytest.raises(ValueError, match=message):
        plots.filtered_examples(images[:3], **keywords)
    with pytest.raises(ValueError, match="at most 12"):
        plots.filtered_examples(np.ones((13, 8, 8, 3)))


def test_training_curves(tmp_path):
    histories = {
        "plain": {"loss": [2.0, 1.0], "accuracy": [0.2, 0.5], "val_accuracy": [0.1, 0.4], "seconds": [1, 1]},
        "APR-SP": types.SimpleNamespace(
            history={"loss": [4.0, 3.0], "accuracy": [0.1, 0.3], "val_accuracy": [0.1, 0.5]}
        ),
    }
    figure = drawn(plots.training_curves(histories), tmp_path)
    loss, accuracy = panels(figure)
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss", "accuracy")
    assert loss.get_xlabel() == "epoch"
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), [4.0, 3.0])
    np.testing.assert_array_equal(loss.lines[1].get_xdata(), [1, 2])
    assert [line.get_linestyle() for line in accuracy.lines] == ["-", "--", "-", "--"]
    np.testing.assert_array_equal(accuracy.lines[0].get_ydata(), [0.1, 0.4])
    texts = [text.get_text() for text in accuracy.get_legend().get_texts()]
    assert texts == ["plain", "APR-SP", "validation", "training"]
    assert figure.get_suptitle() == "Training over 2 epochs"


def test_training_curves_of_one_epoch_and_a_chosen_metric():
    figure = plots.training_curves({"a": {"low_4": [0.5]}}, metrics=("low_4",))
    (axis,) = panels(figure)
    assert axis.get_ylabel() == "low 4"
    assert axis.lines[0].get_marker() == "o"


@pytest.mark.parametrize(
    ("histories", "keywords", "message"),
    [
        ({}, {}, "`histories` must map a label"),
        ([1, 2], {}, "Received: list"),
        ({"a": {"loss": [1]}}, {"metrics": ("f1",)}, r"among loss.*Received: metrics=\['f1'\]"),
        ({"a": {"f1": [1]}}, {}, "among f1"),
    ],
)
def test_training_curves_refuses(histories, keywords, message):
    with pytest.raises(ValueError, match=message):
        plots.training_curves(histories, **keywords)


def attacked(originals, adversarials, labels, predictions, clean=None):
    return evaluate.AdversarialImages(
        originals=originals,
        adversarials=adversarials,
        labels=np.asarray(labels),
        clean_predictions=np.asarray(labels if clean is None else clean),
        predictions=np.asarray(predictions),
        epsilon=None,
    )


def test_adversarial_examples(images, rng, tmp_path):
    change = (4 / 255) * np.sign(rng.standard_normal((4, 32, 32, 3)))
    originals = 0.1 + 0.8 * images[:4].astype("float64")
    kept = attacked(originals, originals + change, [0, 1, 2, 2], [0, 2, 1, 1], clean=[0, 1, 2, 1])
    figure = drawn(plots.adversarial_examples(kept, classes=CLASSES, examples=3), tmp_path)
    axes = np.array(panels(figure)).reshape(4, 3)
    # Fooled ones first: the last was wrong before.
    assert [axis.get_title() for axis in axes[0]] == ["dog", "ship", "cat"]
    assert [axis.get_title() for axis in axes[1]] == ["ship", "dog", "cat"]
    assert "at most 4/255" in figure.get_suptitle()
    assert [axis.title.get_fontweight() for axis in axes[1]] == ["bold", "bold", "normal"]
    np.testing.assert_allclose(axes[2, 0].images[0].get_array(), 0.5 + 0.5 * np.sign(change[1]), atol=1e-9)
    assert [axis.get_title() for axis in panels(plots.adversarial_examples(kept))[:4]] == ["1", "2", "0", "2"]


def test_adversarial_examples_without_a_change(images, tmp_path):
    figure = plots.adversarial_examples(attacked(images[:1], images[:1], [0], [0]), classes=CLASSES)
    drawn(figure, tmp_path)
    assert len(figure.axes) >= 4


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((np.ones((1, 8, 8, 3)), np.ones((2, 8, 8, 3)), [0], [0]), {}, "one shape"),
        ((np.ones((1, 8, 8, 3)), np.ones((1, 8, 8, 3)), [3], [0]), {}, r"`labels`.*Received: labels=\[3\]"),
        ((np.ones((1, 8, 8, 3)), np.ones((1, 8, 8, 3)), [0], [0, 1]), {}, "`predictions`"),
        ((np.ones((1, 8, 8, 3)), np.ones((1, 8, 8, 3)), [0.5], [0]), {}, "whole numbers"),
        ((np.ones((1, 8, 8, 3)), np.ones((1, 8, 8, 3)), [0], [0]), {"examples": 13}, "from 1 to 12"),
    ],
)
def test_adversarial_examples_refuses(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        plots.adversarial_examples(attacked(*arguments), classes=CLASSES, **options)


def test_the_style_file_is_there():
    assert STYLE.exists()
