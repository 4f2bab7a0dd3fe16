"""Outputs that are NaN: wrong everywhere, right for no class, and counted in every result."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import keras_freq as kf

CLASSES, SIDE, N = 3, 12, 9
# Images of which the model makes NaN, two of them of class 0, which NumPy's argmax gives for NaN.
BROKEN = (0, 3, 7)


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    """Images of one class each in their brightest channel; those of which NaN is made are half black."""
    generator = np.random.default_rng(0)
    labels = np.arange(N) % CLASSES
    images = 0.4 + 0.1 * generator.random((N, SIDE, SIDE, CLASSES), dtype="float32")
    images[np.arange(N), ..., labels] += 0.3
    images[list(BROKEN), : SIDE // 2] = 0
    return images, labels


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """Takes the mean of each channel for a logit, and NaN where the image is darker than the others.

    NaN by a constant: gradients of the images that are not dark are finite.
    """
    inputs = keras.Input((SIDE, SIDE, CLASSES))
    logits = 20 * keras.layers.GlobalAveragePooling2D()(inputs)
    dark = keras.ops.mean(inputs, axis=(1, 2, 3))[:, None] < 0.35
    return keras.Model(inputs, keras.ops.where(dark, np.float32("nan"), logits), name="half_blind")


def right_of(labels: np.ndarray) -> tuple[int, ...]:
    seen = np.delete(labels, BROKEN)
    return tuple(np.bincount(seen, minlength=CLASSES).tolist())


PGD = {"epsilons": (1 / 255,), "steps": 2, "engine": "own"}
MASKS = np.ones((CLASSES, SIDE, SIDE), "float32")
# name -> (what is called, clean accuracy of its result, outputs of each image that are looked at)
EVERY = {
    "accuracy": (kf.evaluate.accuracy, float, 1),
    "band_accuracy": (
        lambda m, d: kf.evaluate.band_accuracy(m, d, radii=(30,), mean=0.45),
        lambda r: r.clean,
        2,  # and the images without anything are gray: defined
    ),
    "fourier_heat_map": (
        lambda m, d: kf.evaluate.fourier_heat_map(m, d, window=1, epsilon=0.01),
        lambda r: 1 - r.clean_error,
        1 + 5,
    ),
    "adversarial_accuracy": (
        lambda m, d: kf.evaluate.adversarial_accuracy(m, d, **PGD),
        lambda r: r.clean,
        2,
    ),
    "worst_case_accuracy": (
        lambda m, d: kf.evaluate.worst_case_accuracy(m, d, epsilon=1 / 255, attacks=("square",), queries=2),
        lambda r: r.clean,
        1,  # what is wrong is not attacked
    ),
    "minimal_adversarials": (
        lambda m, d: kf.evaluate.minimal_adversarials(m, d, attack="fgsm", epsilons=(1 / 255,)),
        lambda r: r.clean,
        2,
    ),
    "amplitude_swap": (
        lambda m, d: kf.evaluate.amplitude_swap(m, d, axes="hw", donors=d[0][:1] * 0 + 0.5),
        lambda r: r.clean,
        None,
    ),
    "cue_conflict": (
        lambda m, d: kf.evaluate.cue_conflict(m, d, radii=(2,), draws=0),
        lambda r: r.clean,
        None,
    ),
    "frequency_importance": (
        lambda m, d: kf.shortcuts.frequency_importance(m, *d, patch=SIDE, mean=0.45),
        lambda r: np.dot(np.nan_to_num(r.clean_accuracy), r.count_per_class) / N,
        None,
    ),
    "band_stop": (
        lambda m, d: kf.shortcuts.band_stop(m, d, [(2,)], edges=(0, 50)),
        lambda r: np.trace(r.clean_confusion) / N,
        2,
    ),
    "shortcut_report": (
        lambda m, d: kf.shortcuts.shortcut_report(m, d, MASKS),
        lambda r: np.trace(r.clean_confusion) / N,
        3,
    ),
}


@pytest.mark.parametrize("name", EVERY)
def test_counted(name, model, data):
    measure, clean, looks = EVERY[name]
    result = measure(model, data)
    assert clean(result) == pytest.approx(sum(right_of(data[1])) / N)
    undefined = int(np.sum(result.undefined))
    assert undefined >= len(BROKEN)
    if looks is not None:
        assert undefined == looks * len(BROKEN)
    assert f"undefined: {result.undefined}" in str(result)


def test_losses_stay_with_their_class(model, data):
    """Two of three images of class 0 and one of class 1 are dark."""
    importance = kf.shortcuts.frequency_importance(model, *data, patch=4)
    assert importance.clean_accuracy == pytest.approx((1 / 3, 2 / 3, 1))
    assert np.isnan(importance.clean_loss).tolist() == [True, True, False]
    found = kf.shortcuts.hfss(model, *data, budgets=(2,), patches=(4,), top=1)
    assert np.isnan(found.clean_losses).tolist() == [True, True, False]
    assert found.undefined >= len(BROKEN)


def test_a_tie_is_no_answer_of_a_class(data):
    even = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, CLASSES)),
            keras.layers.Flatten(),
            keras.layers.Dense(CLASSES, kernel_initializer="zeros"),
        ]
    )
    result = kf.shortcuts.band_stop(even, data, [(2,)], edges=(0, 2))
    assert (result.ties, result.undefined) == (2 * N, 0)
    assert np.sum(result.clean_confusion) == 0
    assert "ties: 18" in str(result)
