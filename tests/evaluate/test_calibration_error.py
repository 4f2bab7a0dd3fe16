"""Calibration errors against their definitions, bin by bin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_freq.evaluate import calibration_error
from tests.oracles import metrics
from tests.refusals import refused

pytestmark = pytest.mark.once


def drawn(seed, count, classes=4, digits=8):
    generator = np.random.default_rng(seed)
    # Below 0, so that no draw can be taken for probabilities.
    logits = (3 * generator.standard_normal((count, classes)) - 20).round(digits)
    return logits, generator.integers(0, classes, count)


def softmax(logits):
    exp = np.exp(logits)
    return exp / exp.sum(axis=-1, keepdims=True)


@settings(max_examples=120, deadline=None)
@given(
    st.integers(0, 1000),
    st.integers(1, 60),
    st.sampled_from([1, 2, 5, 15]),
    st.sampled_from(["uniform", "quantile"]),
    st.sampled_from([0, 8]),
)
def test_equals_the_definition(seed, count, bins, binning, digits):
    logits, labels = drawn(seed, count, digits=digits)
    options = {"bins": bins, "binning": binning}
    first = calibration_error(logits, labels, **options)
    # The confidences as the package rounds them: the last digit decides on which side of an edge they lie.
    confidences = 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
    np.testing.assert_allclose(confidences, softmax(logits).max(axis=1), rtol=1e-12)
    correct = logits.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    if binning == "quantile":
        edges = metrics.quantile_edges(confidences.tolist(), bins)
    expected, counts = metrics.calibration(confidences.tolist(), correct.tolist(), list(edges))
    assert first.edges == pytest.approx(edges)
    assert list(first.counts) == counts
    assert first.accuracy == pytest.approx(correct.mean())
    assert first.confidence == pytest.approx(confidences.mean())
    for kind, value in expected.items():
        assert float(calibration_error(logits, labels, kind=kind, **options)) == pytest.approx(value)
    order = np.random.default_rng(0).permutation(count)
    shuffled = calibration_error(logits[order], labels[order], **options)
    assert shuffled.counts == first.counts
    assert shuffled.value == pytest.approx(first.value)


def test_by_hand():
    """Sure of 0.9 and right in one of two, sure of 0.6 and right: gaps of 0.4 and 0.4."""
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    result = calibration_error(probabilities, [0, 1, 1], bins=10, from_logits=False)
    assert result.value == pytest.approx((2 * 0.4 + 0.4) / 3)
    assert sum(result.counts) == result.n == 3
    assert result.counts[5] == 1  # 0.6 lies in (0.5, 0.6]
    assert result.counts[8] == 2
    assert result.accuracies[8] == 0.5
    assert np.isnan(result.confidences[0])
    assert result == calibration_error(probabilities, [0, 1, 1], bins=10, from_logits=False)
    rows = result.rows()
    assert len(rows) == 10
    assert (rows[8]["count"], rows[8]["accuracy"]) == (2, 0.5)


def test_logits_and_their_probabilities_agree():
    logits, labels = drawn(1, 200)
    for binning in ("uniform", "quantile"):
        a = calibration_error(logits, labels, binning=binning)
        b = calibration_error(softmax(logits), labels, binning=binning, from_logits=False)
        assert a.value == pytest.approx(b.value)
    assert calibration_error(logits * 1e4, labels).confidence == pytest.approx(1, abs=1e-3)


def test_quantile_bins_hold_equally_many():
    logits, labels = drawn(2, 300)
    assert calibration_error(logits, labels, bins=3, binning="quantile").counts == (100, 100, 100)
    same = calibration_error(np.tile([[3.0, 0]], (9, 1)), np.zeros(9, int), bins=3, binning="quantile")
    assert same.counts == (9, 0, 0)  # equal confidences share a bin


def test_a_calibrated_model_has_a_small_error(rng):
    probability = rng.uniform(0.5, 1, 20000)
    labels = (rng.random(20000) > probability).astype(int)
    outputs = np.stack([probability, 1 - probability], axis=1)
    for kind in ("ece", "rms"):
        assert float(calibration_error(outputs, labels, kind=kind, from_logits=False)) < 0.02
        sure = np.tile([[0.99, 0.01]], (20000, 1))
        assert float(calibration_error(sure, labels, kind=kind, from_logits=False)) == pytest.approx(
            0.99 - np.mean(labels == 0)
        )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kind": "l1"}, "kind='l1'"),
        ({"binning": "equal"}, "binning='equal'"),
        ({"bins": 0}, "bins=0"),
        ({"outputs": np.zeros(3)}, "outputs of shape (3,)"),
        ({"outputs": np.zeros((0, 2))}, "outputs of shape (0, 2)"),
        ({"outputs": np.full((3, 2), np.nan)}, "6 NaN or infinite"),
        ({"outputs": np.full((3, 2), 0.5)}, "from_logits=True and rows"),
        ({"from_logits": False}, "sum to 1 with from_logits=False"),
        ({"labels": [0, 1]}, "3 images, 2 labels"),
        ({"labels": [0, 1, 2]}, "labels from 0 to 2"),
    ],
)
def test_bad_input(change, says):
    options = {"outputs": np.array([[3.0, -1], [0, 1], [2, 2]]), "labels": [0, 1, 1], **change}
    with refused(says):
        calibration_error(options.pop("outputs"), options.pop("labels"), **options)
