"""Plots of results that were read back, and of several results of one label."""

import dataclasses

import numpy as np
import pytest

import keras_freq as kf
from keras_freq._core.result import Record
from tests.every_result import EVERY
from tests.refusals import refused

pytestmark = pytest.mark.once
pytest.importorskip("matplotlib")

# Plot, by the class of the results that it takes.
PLOTS = {
    "ADCSResult": kf.plots.adcs,
    "AdversarialImages": kf.plots.adversarial_examples,
    "AdversarialResult": kf.plots.adversarial_examples,
    "AmplitudeSwapResult": kf.plots.amplitude_swap,
    "BandAccuracyResult": kf.plots.band_accuracy,
    "BandStopResult": kf.plots.confusion_change,
    "CalibrationResult": kf.plots.reliability,
    "CorruptionResult": kf.plots.corruption_table,
    "CriticalBandResult": kf.plots.critical_band,
    "CueConflictResult": kf.plots.cue_conflict,
    "FilteredResult": kf.plots.filtered,
    "FourierHeatMapResult": kf.plots.heat_map,
    "FrequencyMaps": kf.plots.frequency_maps,
    "GradientSpectrumMap": kf.plots.gradient_spectrum,
    "GradientSpectrumResult": kf.plots.spectral_density,
    "HFSSResult": kf.plots.frequency_maps,
    "MinimalAdversarialsResult": kf.plots.adversarial_examples,
    "ShortcutReport": lambda reports: kf.plots.frequency_maps(np.ones((4, 8, 8)), reports=reports),
    "SpectralDensityResult": kf.plots.spectral_density,
}
ONE_ALONE = {"ADCSResult", "AdversarialImages", "AdversarialResult", "AmplitudeSwapResult"}
ONE_ALONE |= {"FrequencyMaps", "HFSSResult", "MinimalAdversarialsResult"}


def drawn(figure):
    """All numbers and texts of a figure."""
    figure.draw_without_rendering()
    numbers = [
        np.ma.filled(np.ma.asarray(image.get_array(), "float64"), -1)
        for axis in figure.axes
        for image in axis.images
    ]
    numbers += [np.asarray(line.get_ydata(), "float64") for axis in figure.axes for line in axis.lines]
    texts = [text.get_text() for axis in figure.axes for text in (axis.title, axis._left_title, *axis.texts)]
    return numbers, [*texts, figure.get_suptitle(), figure.get_supxlabel()]


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_takes_a_result_that_was_read_back(name, classifier, images, labels):
    result = EVERY[name](classifier, (images, labels))
    numbers, texts = drawn(PLOTS[name](result))
    again = Record.from_json(result.to_json())
    numbers_again, texts_again = drawn(PLOTS[name](again))
    assert texts == texts_again
    for one, other in zip(numbers, numbers_again, strict=True):
        np.testing.assert_array_equal(one, other)
    if name not in ONE_ALONE:
        several, words = drawn(PLOTS[name]([result, again]))
        for one, other in zip(numbers, several, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-12)
        assert name in ("BandStopResult", "CorruptionResult", "ShortcutReport") or "of 2 seeds" in words[-2]


def bands(low, clean=0.5, radii=(4, 8)):
    return kf.evaluate.BandAccuracyResult(
        model="m",
        n=100,
        settings={},
        versions={},
        radii=radii,
        low=low,
        high=low,
        clean=clean,
        low_correct_per_class=(),
        high_correct_per_class=(),
        clean_correct_per_class=(),
        count_per_class=(),
    )


def test_bands_of_several_results_are_their_mean_and_range():
    figure = kf.plots.band_accuracy(
        {"plain": [bands((0.25, 0.5)), bands((0.75, 0.5), 1.0)], "one": bands((0.1, 0.2))}
    )
    axis = figure.axes[0]
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), (0.5, 0.5))
    np.testing.assert_array_equal(axis.lines[1].get_ydata(), (0.75, 0.75))
    edges = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert (edges.min(), edges.max()) == (0.25, 0.75)
    assert "n = 100 test images, mean and range of 1 to 2 seeds" in figure.get_suptitle()


def test_heat_maps_are_averaged():
    first, second = np.zeros((4, 4)), np.ones((4, 4))
    figure = kf.plots.heat_map({"both": [first, second], "nested": first.tolist()})
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), 0.5)
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), 0)


def test_layers_are_averaged_before_they_are_scaled(classifier, images, labels):
    heat = EVERY["FourierHeatMapResult"](classifier, (images, labels))
    double = dataclasses.replace(heat, layer_changes=tuple(3 * change for change in heat.layer_changes))
    alone = kf.plots.heat_map(heat, layer=True).axes[0].images[0].get_array()
    both = kf.plots.heat_map([heat, double], layer=True).axes[0].images[0].get_array()
    np.testing.assert_allclose(both, alone)


def test_deviations_are_averaged_as_variances():
    density = kf.evaluate.GradientSpectrumResult(
        model="m",
        n=10,
        settings={},
        versions={},
        size=(4, 4),
        radii=(0, 1),
        counts=(1, 8),
        mean=(0.0, 1.0),
        deviation=(0.3, 0.0),
        flat=0,
        undefined=0,
    )
    other = dataclasses.replace(density, mean=(1.0, 1.0), deviation=(0.4, 0.0))
    axis = kf.plots.spectral_density({"a": [density, other]}).axes[0]
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), (0.5, 1))
    edges = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert edges.min() == pytest.approx(0.5 - np.sqrt((0.09 + 0.16) / 2))


def test_bins_of_several_results_hold_the_images_of_all(rng):
    logits, labels = 2 * rng.standard_normal((300, 4)), rng.integers(0, 4, 300)
    parts = [kf.evaluate.calibration_error(logits[k::2], labels[k::2], bins=5) for k in range(2)]
    whole = kf.plots.reliability(kf.evaluate.calibration_error(logits, labels, bins=5)).axes[0]
    joined = kf.plots.reliability(parts).axes[0]
    heights = [[bar.get_height() for bar in axis.patches] for axis in (whole, joined)]
    np.testing.assert_allclose(*heights)
    np.testing.assert_allclose(*(axis.collections[0].get_offsets() for axis in (whole, joined)))
    low, high = sorted(part.value for part in parts)
    assert f"{(low + high) / 2:.3f}\n({low:.3f} to {high:.3f})" in joined.get_title(loc="left")


def corrupted(name, error, clean=float("nan")):
    return kf.evaluate.CorruptionResult(
        model="m",
        n=10,
        settings={},
        versions={},
        corruptions=(name,),
        severities=(1,),
        errors=((error,),),
        clean_error=clean,
        mean=error,
    )


def test_rows_of_a_table_join_seeds_and_corruptions(classifier, images, labels):
    clean = EVERY["AccuracyResult"](classifier, (images, labels))
    row = [corrupted("fog", 0.2), corrupted("fog", 0.4), corrupted("snow", 0.5)]
    figure = kf.plots.corruption_table({"a": row}, clean={"a": [clean, clean]})
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == [f"{100 * (1 - clean.accuracy):.1f}", "30.0", "50.0", "40.0"]
    with pytest.raises(ValueError, match=r"`clean` must have the rows \['a'\]\. Received: \['b'\]"):
        kf.plots.corruption_table({"a": row}, clean={"b": clean})


def test_rates_of_several_reports_are_averaged(classifier, images, labels):
    report = EVERY["ShortcutReport"](classifier, (images, labels))
    none = dataclasses.replace(report, own_confusion=((0,) * 4,) * 4)
    figure = kf.plots.frequency_maps(np.ones((4, 8, 8)), reports=[report, none])
    for axis, rate in zip(figure.axes, report.tpr, strict=True):
        assert f"TPR {rate / 2:.2f}" in axis.get_title()


@pytest.mark.parametrize(
    ("draw", "says"),
    [
        (
            lambda: kf.plots.band_accuracy([bands((0.1, 0.2)), bands((0.1, 0.2), radii=(4, 9))]),
            "the same radii",
        ),
        (lambda: kf.plots.band_accuracy({"a": []}), "an empty list for 'a'"),
        (lambda: kf.plots.band_accuracy({"a": 3}), "int without radii, low, high, clean, n for 'a'"),
        (lambda: kf.plots.heat_map([np.zeros((2, 2)), np.zeros((3, 3))]), "must have one shape"),
        (lambda: kf.plots.adversarial_examples(bands((0.1, 0.2))), "BandAccuracyResult without images"),
    ],
)
def test_what_does_not_belong_together_is_one_line(draw, says):
    with refused(says):
        draw()
