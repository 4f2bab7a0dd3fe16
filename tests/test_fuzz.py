"""Bad input of every kind to every public function and layer: one clear line, never a foreign traceback.

A case puts one bad value in the place of one argument of a call that works. It is held where the call refuses
it with a `ValueError`, `TypeError`, `FileNotFoundError` or `ImportError` of one line, and where it takes it.
"""

import inspect
import warnings

import keras
import numpy as np
import pytest

import keras_freq as kf

CASES = 900
SHARE = 0.98
HELD = (ValueError, TypeError, FileNotFoundError, ImportError)

IMAGES = np.random.default_rng(0).random((4, 8, 8, 3)).astype("float32")
LABELS = np.array([0, 1, 2, 1])
BYTES = np.round(IMAGES * 255).astype("uint8")

BAD = {
    "None": None,
    "text": "eight",
    "empty text": "",
    "digits": "8",
    "list": [],
    "nested": [[1, 2], [3]],
    "dictionary": {"a": 1},
    "NaN": float("nan"),
    "infinite": float("inf"),
    "negative": -1,
    "zero": 0,
    "half": 0.5,
    "huge": 10**400,
    "large": 10**9,
    "boolean": True,
    "complex": 1j,
    "bytes": b"01",
    "object": object(),
    "function": len,
    "set": {1, 2},
    "texts": ["a", "b"],
    "empty batch": IMAGES[:0],
    "NaN images": np.full((4, 8, 8, 3), np.nan, "float32"),
    "rank 1": np.arange(4.0),
    "rank 5": np.zeros((1, 4, 8, 8, 3), "float32"),
    "objects": np.array([None, {}, "a"], object),
    "text array": np.array(["a", "b", "c", "d"]),
    "complex array": np.ones((4, 8, 8, 3), complex),
    "no channels": np.zeros((4, 8, 8, 0), "float32"),
}
# Options that say where to write or what to show, and those whose large values are right but slow.
LEFT_OUT = {"checkpoint", "folder", "progress", "callbacks", "verbose", "title", "kwargs"}
SLOW = {
    "steps", "restarts", "queries", "epochs", "budgets", "iterations", "train_per_class", "test_per_class",
    "kernel_size", "filters", "n", "examples", "draws",
}  # fmt: skip


def calls(model):
    """Calls that work: name -> (function, arguments)."""
    data = (IMAGES, LABELS)
    importance = kf.shortcuts.frequency_importance(model, data, patch=2, progress=False)
    maps = kf.shortcuts.dominant_frequency_map(importance, 0.2)
    kinds = ("contrast", "fog")
    corrupted = kf.evaluate.corruption_error(model, data, corruptions=kinds, severities=(1,), progress=False)
    two = {"phase": model.output, "amplitude": keras.layers.Dense(3)(model.layers[-2].output)}
    heads = kf.Classifier(keras.Model(model.inputs, two), output="phase")
    evaluate, spectral, shortcuts, attacks = kf.evaluate, kf.spectral, kf.shortcuts, kf.attacks
    table = {
        evaluate.accuracy: {"model": model, "data": data},
        evaluate.predict_logits: {"model": model, "data": IMAGES},
        evaluate.class_scores: {"model": model, "data": data},
        evaluate.ood_scores: {"model": model, "data": IMAGES},
        evaluate.ood_metrics: {"scores_in": [1.0, 2.0], "scores_out": [0.5]},
        evaluate.band_accuracy: {"model": model, "data": data, "radii": (2,)},
        evaluate.calibration_error: {"outputs": model, "labels": data},
        evaluate.corruption_error: {
            "model": model, "data": data, "corruptions": ("contrast",), "severities": (1,),
        },
        evaluate.critical_band: {
            "model": model, "data": data, "centers": (1.75, 2, 2.5), "deviations": (0.1,), "draws": 2,
        },
        evaluate.cue_conflict: {"model": model, "data": data, "radii": (2,), "draws": 2},
        evaluate.filtered: {
            "model": model, "data": data, "metric": keras.metrics.SparseCategoricalAccuracy, "radii": (2,),
        },
        evaluate.mean_corruption_error: {"result": corrupted, "relative_to": {"contrast": 0.5, "fog": 0.5}},
        evaluate.fourier_heat_map: {"model": model, "data": data, "window": 1},
        evaluate.input_gradient_spectrum: {"model": model, "data": data},
        evaluate.amplitude_swap: {"model": model, "data": data},
        evaluate.adversarial_accuracy: {
            "model": model, "data": data, "epsilons": (0.01,), "steps": 1, "engine": "own",
        },
        evaluate.rank_correlation: {"first": [1, 2, 3], "second": [2, 1, 3]},
        attacks.fgsm: {"model": model, "images": IMAGES, "labels": LABELS, "epsilon": 0.01},
        attacks.pgd: {"model": model, "images": IMAGES, "labels": LABELS, "epsilon": 0.01, "steps": 1},
        attacks.square: {"model": model, "images": IMAGES, "labels": LABELS, "epsilon": 0.01, "queries": 2},
        shortcuts.frequency_importance: {"model": model, "images": data, "patch": 4},
        shortcuts.learned_map: {
            "model": model, "images": data, "steps": 1, "images_per_step": 2, "fraction": 0.2,
        },
        shortcuts.learned_path: {
            "model": model, "images": data, "steps": 1, "images_per_step": 2, "fractions": (0.3, 0.1),
        },
        shortcuts.sufficient_maps: {"model": model, "images": IMAGES, "fractions": (0.3, 0.1), "steps": 1},
        shortcuts.dominant_frequency_map: {"importance": importance, "fraction": 0.2},
        shortcuts.shortcut_report: {"model": model, "data": data, "maps": maps},
        shortcuts.band_stop: {"model": model, "data": data, "stopped": [(1,)]},
        shortcuts.adcs: {"images": data},
        shortcuts.shortcut_curve: {"tpr": [0.5, 0.2], "filtered_tpr": [0.5, 0.4]},
        shortcuts.first_learned: {"f1": np.array([[0.1, 0.6], [0.7, 0.8]])},
        kf.data.corrupt: {"images": BYTES, "name": "contrast", "severity": 1},
        kf.data.image_spectral_density: {"data": IMAGES},
        kf.data.octave_noise: {"height": 8, "width": 8, "centers": (2,)},
        kf.data.shuffle_labels: {"labels": LABELS},
        kf.data.ArrayBatches: {"images": IMAGES, "labels": LABELS},
        kf.data.load: {"name": "cifar10_mini"},
        kf.cdes.target_density: {"bands": 5, "size": 8},
        kf.cdes.make_hars: {"images": IMAGES, "labels": LABELS},
        kf.cdes.CDES: {},
        kf.models.smooth_kernel: {"kernel": np.ones((3, 3, 2, 2)), "rho": 0.5},
        kf.models.smooth_kernels: {"model": model, "rho": 0.5},
        kf.Classifier: {"model": model},
        spectral.low_pass: {"images": IMAGES, "radius": 2},
        spectral.high_pass: {"images": IMAGES, "radius": 2},
        spectral.band_pass: {"images": IMAGES, "low": 1, "high": 3},
        spectral.split_bands: {"images": IMAGES, "radius": 2},
        spectral.apply_mask: {"images": IMAGES, "mask": np.ones((8, 8))},
        spectral.amplitude: {"images": IMAGES},
        spectral.phase: {"images": IMAGES},
        spectral.recombine: {"amplitude_of": IMAGES, "phase_of": IMAGES[::-1]},
        spectral.rescale: {"images": IMAGES},
        spectral.swap_low_amplitude: {"images": IMAGES, "donors": IMAGES[::-1], "mask": np.ones((8, 8))},
        spectral.azimuthal_average: {"map": np.ones((8, 8))},
        spectral.azimuthal_radii: {"height": 8, "width": 8},
        spectral.spectral_density: {"images": IMAGES},
        spectral.fourier_basis: {"height": 8, "width": 8, "i": 3, "j": 4},
        spectral.disk_mask: {"height": 8, "width": 8, "radius": 2},
        spectral.ring_mask: {"height": 8, "width": 8, "low": 1, "high": 2},
        spectral.gaussian_mask: {"height": 8, "width": 8, "radius": 2},
        spectral.butterworth_mask: {"height": 8, "width": 8, "radius": 2},
        spectral.symmetrize: {"mask": np.ones((8, 8))},
        spectral.is_hermitian: {"mask": np.ones((8, 8))},
        kf.training.APRModel: {"classifier": model},
        kf.training.BandModel: {"classifier": model, "band": kf.layers.LowPass(2)},
        kf.training.AdversarialModel: {"classifier": model},
        kf.training.MixUpModel: {"classifier": model},
        kf.training.SpectralRegularizer: {"classifier": model},
        kf.training.AmplitudeDropModel: {"classifier": model},
        kf.training.AmplitudeUncertaintyModel: {"classifier": model},
        kf.training.TwoHeadModel: {"classifier": heads, "amplitude": "amplitude"},
        kf.callbacks.BandAccuracy: {"data": data},
        kf.callbacks.FourierHeatMap: {"data": data},
        kf.callbacks.FrequencyReport: {"data": data},
        kf.callbacks.AdversarialAccuracy: {"data": data},
        kf.callbacks.GradientSpectrum: {"data": data},
    }  # fmt: skip
    layers = {
        "LowPass": {"radius": 2}, "HighPass": {"radius": 2}, "BandPass": {"low": 1, "high": 2},
        "FrequencyMask": {"mask": np.ones((8, 8))},
    }  # fmt: skip
    random = (
        "APRSingle",
        "APRPair",
        "AugMix",
        "CropFlip",
        "FDAPair",
        "FourierNoise",
        "HybridPair",
        "SpectralDropout",
    )
    layers |= {name: {} for name in random}
    table[kf.layers.ClassFrequencies] = {"maps": np.ones((2, 8, 8))}
    for name, arguments in layers.items():
        layer = getattr(kf.layers, name)
        table[layer] = arguments
        table[call_of(layer, arguments)] = {"images": IMAGES}
    return {f"{function.__name__}": (function, arguments) for function, arguments in table.items()}


def call_of(layer, arguments):
    """A function that makes a layer and calls it."""

    def call(images):
        return layer(**arguments)(images, training=True)

    call.__name__ = f"{layer.__name__}()"
    return call


def cases_of(table):
    for name, (function, _) in table.items():
        for parameter in inspect.signature(function).parameters:
            if parameter in LEFT_OUT:
                continue
            for kind in BAD:
                if not (parameter in SLOW and kind in ("large", "huge", "infinite")):
                    yield name, parameter, kind


def outcome(function, arguments):
    """`None` where a call is held, else what is wrong with it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            function(**arguments)
        except HELD as error:
            lines = str(error).splitlines()
            return (
                None if len(lines) == 1 and len(lines[0]) < 1500 else f"{type(error).__name__}: {lines[:2]}"
            )
        except Exception as error:
            return f"{type(error).__name__}: {str(error)[:120]!r}"
    return None


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(3, 3, activation="relu")(inputs)
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))


def test_bad_input_is_one_clear_line(model):
    table = calls(model)
    cases = list(cases_of(table))
    chosen = np.random.default_rng(0).choice(len(cases), min(CASES, len(cases)), replace=False)
    failures = []
    for place in sorted(chosen):
        name, parameter, kind = cases[place]
        function, arguments = table[name]
        wrong = outcome(function, {**arguments, parameter: BAD[kind]})
        if wrong is not None:
            failures.append(f"{name}({parameter}={kind}): {wrong}")
    share = 1 - len(failures) / len(chosen)
    print(f"{share:.4f} of {len(chosen)} of {len(cases)} cases held")
    assert share >= SHARE, "\n".join(failures)


def test_flags_are_true_or_false(model):
    """Of every call, and of every layer: no text or number is taken for True."""
    asked = 0
    for function, arguments in calls(model).values():
        for flag, parameter in inspect.signature(function).parameters.items():
            if isinstance(parameter.default, bool):
                asked += 1
                line = rf"^`{flag}` must be True or False\. Received: {flag}="
                for value in ("no", 1, [False]):
                    with pytest.raises(ValueError, match=line):
                        function(**{**arguments, flag: value})
    assert asked > 15
