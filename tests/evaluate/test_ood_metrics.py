"""Detection metrics against their definitions, and against numbers of scikit-learn."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_freq as kf
from keras_freq.evaluate import ood_metrics, ood_scores, predict_logits
from tests.oracles import metrics
from tests.refusals import refused

# Few different values, so that most draws have ties.
tied = st.lists(st.integers(-4, 4).map(lambda value: value / 2), min_size=1, max_size=30)


@pytest.mark.once
@settings(max_examples=150, deadline=None)
@given(tied, tied, st.sampled_from([0.95, 0.5, 1.0, 0.8]))
def test_equal_to_the_definitions(inside, outside, tpr):
    result = ood_metrics(inside, outside, tpr=tpr)
    assert result.auroc == pytest.approx(metrics.auroc(inside, outside), abs=1e-12)
    assert result.tnr == pytest.approx(metrics.tnr(inside, outside, tpr), abs=1e-12)
    assert result.detection_accuracy == pytest.approx(metrics.detection_accuracy(inside, outside), abs=1e-12)
    assert result.aupr_in == pytest.approx(metrics.average_precision(inside, outside), abs=1e-12)
    negated = [-b for b in outside], [-a for a in inside]
    assert result.aupr_out == pytest.approx(metrics.average_precision(*negated), abs=1e-12)
    assert result.tpr >= tpr - 1e-9
    assert result.tpr == np.mean(np.array(inside) >= result.threshold)
    assert result.tnr == np.mean(np.array(outside) < result.threshold)


@pytest.mark.once
@settings(max_examples=40, deadline=None)
@given(tied, tied)
def test_only_the_order_of_scores_counts(inside, outside):
    plain = ood_metrics(inside, outside)
    stretched = ood_metrics(np.exp(inside[::-1]), np.exp(outside[::-1]))
    for name in ("auroc", "tnr", "tpr", "detection_accuracy", "aupr_in", "aupr_out"):
        assert getattr(stretched, name) == pytest.approx(getattr(plain, name))
    swapped = ood_metrics([-b for b in outside], [-a for a in inside])
    assert swapped.auroc == pytest.approx(plain.auroc)
    assert swapped.aupr_in == pytest.approx(plain.aupr_out)
    assert ood_metrics(outside, inside).auroc == pytest.approx(1 - plain.auroc)


def test_higher_means_more_in_distribution():
    good = ood_metrics([3, 4, 5], [0, 1, 2])
    assert (good.auroc, good.tnr, good.detection_accuracy, good.aupr_in, good.aupr_out) == (1,) * 5
    assert (good.n, good.n_in, good.n_out) == (6, 3, 3)
    bad = ood_metrics([0, 1, 2], [3, 4, 5])
    assert (bad.auroc, bad.tnr, bad.detection_accuracy) == (0, 0, 0.5)
    blind = ood_metrics([1, 1, 1, 1], [1])
    assert (blind.auroc, blind.tnr, blind.aupr_in, blind.aupr_out) == (0.5, 0, 0.8, 0.2)


@pytest.mark.once
@pytest.mark.parametrize("count", [20, 40, 60, 100, 140, 300, 1000])
def test_keeps_just_95_percent_where_it_can(count, rng):
    result = ood_metrics(rng.permutation(count), [-1.0])
    assert result.tpr == 0.95
    assert result.threshold == count // 20


@pytest.mark.once
def test_equal_to_scikit_learn(rng):
    # roc_auc_score and average_precision_score of scikit-learn 1.9.1 for the same draws. It is not installed
    # for tests: Keras would import it in every process, for a second or two.
    found = {
        0: (0.7425583333333333, 0.7774367296162864, 0.6158186606852658),
        1: (0.8013416666666666, 0.8532384898293539, 0.7049726973329787),
        8: (0.7383, 0.8110840031212074, 0.6540932996045825),
    }
    for digits, (auroc, aupr_in, aupr_out) in found.items():
        inside, outside = rng.normal(1, 1, 300).round(digits), rng.normal(0, 1, 200).round(digits)
        result = ood_metrics(inside, outside)
        assert result.auroc == pytest.approx(auroc, abs=1e-12)
        assert result.aupr_in == pytest.approx(aupr_in, abs=1e-12)
        assert result.aupr_out == pytest.approx(aupr_out, abs=1e-12)


def test_scores(classifier, images):
    logits = predict_logits(classifier, images).astype("float64")
    exp = np.exp(logits)
    expected = {
        "max_logit": logits.max(axis=1),
        "max_softmax": exp.max(axis=1) / exp.sum(axis=1),
        "energy": np.log(exp.sum(axis=1)),
    }
    for score, values in expected.items():
        found = ood_scores(classifier, images, score=score, batch_size=3)
        np.testing.assert_allclose(found, values, rtol=1e-5)
    np.testing.assert_allclose(ood_scores(classifier, (images, np.zeros(8, int))), expected["max_logit"])


def test_large_logits_do_not_overflow():
    model = keras.Sequential([keras.Input((1, 1, 2)), keras.layers.Flatten()])
    model = kf.Classifier(model, value_range=(0, 1000))
    images = np.array([[1000.0, 0], [900, 999]], "float32").reshape(2, 1, 1, 2)
    assert ood_scores(model, images, score="energy").tolist() == [1000, 999]
    assert ood_scores(model, images, score="max_softmax").tolist() == [1, 1]


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        (([], [1.0]), {}, "scores_in of shape (0,)"),
        (([1.0], [[1.0]]), {}, "scores_out of shape (1, 1)"),
        (([1.0], ["a"]), {}, "scores_out of shape (1,), dtype <U1"),
        (([np.nan, 1], [1.0]), {}, "scores_in with 1 NaN or infinite"),
        (([1.0], [np.inf]), {}, "scores_out with 1 NaN or infinite"),
        (([1.0], [1.0]), {"tpr": 0}, "tpr=0"),
        (([1.0], [1.0]), {"tpr": 95}, "tpr=95"),
    ],
)
def test_bad_input(arguments, options, says):
    with refused(says):
        ood_metrics(*arguments, **options)


def test_bad_scores(classifier, images):
    with pytest.raises(ValueError, match="Received: score='entropy'"):
        ood_scores(classifier, images, score="entropy")


@pytest.mark.once
@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 12))
def test_oscr_is_the_area_under_its_curve(seed, n_in, n_out):
    rng = np.random.default_rng(seed)
    inside, outside = rng.integers(0, 6, n_in).astype(float), rng.integers(0, 6, n_out).astype(float)
    correct = rng.random(n_in) < 0.6
    # From the strictest threshold to none: share of correct ones kept, over the share of unknown ones kept.
    points = [(0.0, 0.0)] + [
        (np.mean(outside >= t), np.mean(correct & (inside >= t)))
        for t in np.unique(np.concatenate([inside, outside]))[::-1]
    ]
    x, y = np.array(points).T
    area = np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2)
    result = ood_metrics(inside, outside, correct=correct)
    assert result.oscr == pytest.approx(area)
    assert result.oscr <= min(result.auroc, correct.mean()) + 1e-12
    assert ood_metrics(inside, outside, correct=np.ones(n_in, bool)).oscr == pytest.approx(result.auroc)
    assert ood_metrics(inside, outside).oscr is None


def test_oscr_needs_one_boolean_an_image():
    for correct in ([1, 0], [True], [[True, False]]):
        with pytest.raises(ValueError, match="one boolean for each of the 2 in-distribution images"):
            ood_metrics([1.0, 2.0], [0.0], correct=correct)
