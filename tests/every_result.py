"""One of every result of the library, each made by its function on a tiny classifier."""

import keras
import numpy as np

import keras_freq as kf


def _gradient_spectra(model, data):
    return [
        kf.evaluate.input_gradient_spectrum(model, (images, data[1])) for images in (data[0], data[0] / 2)
    ]


def _importance(model, data):
    return kf.shortcuts.frequency_importance(
        model, *data, patch=8, method="hybrid", check=4, exact_share=0.1, progress=False
    )


def _maps(model, data):
    return kf.shortcuts.dominant_frequency_map(_importance(model, data), 0.1)


def _minimal(model, data):
    images, labels = data
    kept = kf.evaluate.AdversarialImages(
        originals=images,
        adversarials=images / 2,
        labels=labels,
        clean_predictions=labels,
        predictions=labels[::-1].copy(),
        epsilon=None,
    )
    return kf.evaluate.MinimalAdversarialsResult(
        model="tiny",
        n=8,
        settings={"epsilons": None, "bounds": (0.0, 1.0)},
        versions={},
        attack="deepfool",
        norm="l2",
        distances=(0.5, np.inf, 0.0, 0.25, 1.5, 0.1, 0.2, 0.3),
        labels=tuple(labels.tolist()),
        clean=0.875,
        success=0.875,
        median=0.275,
        images=kept,
    )


# Function of a model and `(images, labels)`, by the name of the class.
EVERY = {
    "AccuracyResult": lambda model, data: kf.evaluate.accuracy(model, data),
    "AdversarialImages": lambda model, data: EVERY["AdversarialResult"](model, data).images,
    "AdversarialResult": lambda model, data: kf.evaluate.adversarial_accuracy(
        model, data, attack="fgsm", engine="own", epsilons=(0.01, 0.1), keep_images=True, progress=False
    ),
    "AmplitudeSwapResult": lambda model, data: kf.evaluate.amplitude_swap(
        model, data, keep_images=True, progress=False
    ),
    "BandAccuracyResult": lambda model, data: kf.evaluate.band_accuracy(model, data, radii=(4, 8)),
    "CalibrationResult": lambda model, data: kf.evaluate.calibration_error(
        kf.evaluate.predict_logits(model, data[0]), data[1]
    ),
    "ClassScoresResult": lambda model, data: kf.evaluate.class_scores(model, data),
    "ConflictPairs": lambda model, data: EVERY["CueConflictResult"](model, data).pairs,
    "CorruptionResult": lambda model, data: kf.evaluate.corruption_error(
        model, data, corruptions=("gaussian_noise", "contrast"), severities=(1, 5), progress=False
    ),
    "CriticalBandResult": lambda model, data: kf.evaluate.critical_band(
        model, data, centers=(2, 4, 8), criterion=0.3, draws=5
    ),
    "CueConflictResult": lambda model, data: kf.evaluate.cue_conflict(model, data, radii=(4, 8), draws=5),
    "FilteredResult": lambda model, data: kf.evaluate.filtered(
        model,
        data,
        metric=[
            keras.metrics.SparseCategoricalAccuracy,
            lambda: keras.metrics.SparseTopKCategoricalAccuracy(k=2),
        ],
        radii=(4, 8),
        bands=[(4, 8)],
        masks={"ring": kf.spectral.ring_mask(32, 32, 1, 3)},
    ),
    "FlipRateResult": lambda model, data: kf.evaluate.flip_rate(
        model, data, perturbations=("translate",), reference={"translate": 0.5}, progress=False
    ),
    "FourierHeatMapResult": lambda model, data: kf.evaluate.fourier_heat_map(
        model, data, epsilon=1.0, window=2, layer=model.layers[1].name, progress=False
    ),
    "FrequencyImportance": _importance,
    "FrequencyMaps": _maps,
    "GradientSpectrumMap": lambda model, data: kf.evaluate.gradient_spectrum_map(
        _gradient_spectra(model, data)
    ),
    "GradientSpectrumResult": lambda model, data: _gradient_spectra(model, data)[0],
    "HFSSResult": lambda model, data: kf.shortcuts.hfss(
        model, data[0], np.minimum(data[1], 2), budgets=(4, 4), patches=(8, 4), top=2, progress=False
    ),
    "MinimalAdversarialsResult": _minimal,
    "OODResult": lambda model, data: kf.evaluate.ood_metrics([0.9, 0.8, 0.4], [0.5, 0.1], model=model.name),
    "ADCSResult": lambda model, data: kf.shortcuts.adcs(data, classes=5),
    "BandStopResult": lambda model, data: kf.shortcuts.band_stop(model, data, [(1, 2), (3, 4)]),
    "ShortcutCurve": lambda model, data: kf.shortcuts.shortcut_curve([0.9, 0.8, 0.7], [0.95, 0.3, 0.0]),
    "ShortcutReport": lambda model, data: kf.shortcuts.shortcut_report(
        model, data, np.asarray(_maps(model, data)), split="test"
    ),
    "SpectralDensityResult": lambda model, data: kf.data.image_spectral_density(data),
    "SufficientMapsResult": lambda model, data: kf.shortcuts.sufficient_maps(
        model, data[0], fractions=(0.5, 0.1), steps=2, progress=False
    ),
    "SwappedPairs": lambda model, data: EVERY["AmplitudeSwapResult"](model, data).pairs,
    "WorstCaseResult": lambda model, data: kf.evaluate.worst_case_accuracy(
        model, data, epsilon=0.01, attacks=("square",), queries=5, progress=False
    ),
}
