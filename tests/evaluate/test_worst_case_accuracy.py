"""Accuracy under the worst attack: a closed form, cumulative, inside the ball, compiled once."""

import itertools

import keras
import numpy as np
import pytest

from keras_freq.data import ArrayBatches
from keras_freq.evaluate import accuracy, adversarial_accuracy, predict_logits, worst_case_accuracy
from tests.oracles import linear as oracle
from tests.refusals import refused

ALL = ("pgd_ce", "pgd_margin", "deepfool", "square")
MODULE = __import__("keras_freq.evaluate._survivors", fromlist=["_"])


@pytest.fixture
def model():
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(4)], name="linear"
    )
    kernel = 0.2 * np.random.default_rng(3).standard_normal((192, 4))
    model.set_weights([kernel, -0.5 * kernel.sum(0)])  # the classes meet at mid-gray
    return model


@pytest.fixture
def data(model, rng):
    """Twenty images away from the bounds, of which the model gets two wrong."""
    images = (0.4 + 0.2 * rng.random((20, 8, 8, 3))).astype("float32")
    labels = predict_logits(model, images).argmax(-1)
    labels[:2] = (labels[:2] + 1) % 4
    return images, labels


@pytest.fixture
def scored(monkeypatch):
    """Collects what is scored after an attack, with the originals."""
    seen, real = [], MODULE.confine

    def spy(originals, *rest):
        result = real(originals, *rest)
        seen.append((rest[-1], originals, result))
        return result

    monkeypatch.setattr(MODULE, "confine", spy)
    return seen


@pytest.mark.parametrize("attacks", [("pgd_ce",), ("pgd_margin",), ("deepfool",), ALL])
def test_a_linear_model_has_a_closed_form(attacks, model, data):
    pytest.importorskip("foolbox")
    exact = oracle.distances(model.get_weights(), *data)
    epsilon = float(np.median(exact[2:]))
    epsilon += 0.2 * (np.sort(exact[exact > epsilon])[0] - epsilon)
    result = worst_case_accuracy(
        model, data, epsilon=epsilon, attacks=attacks, steps=15, queries=10, batch_size=8
    )
    assert result.clean == float(accuracy(model, data)) == 0.9
    expected = exact > epsilon
    # PGD on the cross-entropy may run to a class that is not the nearest: an upper bound, as said.
    if attacks == ("pgd_ce",):
        assert expected.mean() <= result.accuracy < result.clean
    else:
        assert result.accuracy == expected.mean()
        assert result.robust_per_class == tuple(np.bincount(data[1][expected], minlength=4))
    assert result.count_per_class == tuple(np.bincount(data[1], minlength=4))


def test_the_sequence_is_cumulative_and_in_the_ball(classifier, images, scored):
    pytest.importorskip("foolbox")
    labels = predict_logits(classifier, images).argmax(-1)
    labels[0] = (labels[0] + 1) % 4
    epsilon = 0.004
    result = worst_case_accuracy(
        classifier, (images, labels), epsilon=epsilon, steps=4, restarts=2, queries=20, batch_size=3
    )
    stages = (result.clean, *result.after)
    assert all(a >= b for a, b in itertools.pairwise(stages))
    assert result.accuracy == result.after[-1] == sum(result.robust_per_class) / 8
    lost = [round(8 * (a - b)) for a, b in itertools.pairwise(stages)]
    assert tuple(lost) == result.fooled_by
    assert {attack for attack, *_ in scored} == set(ALL) or result.accuracy == 0
    assert {originals.shape for _, originals, _ in scored} == {(3, 32, 32, 3)}, "one shape for all"
    for _, originals, found in scored:
        assert np.abs(found.astype("float64") - originals).max() <= epsilon
        assert found.min() >= 0
        assert found.max() <= 1
    # It is at least as strong as the first of its attacks alone.
    alone = adversarial_accuracy(classifier, (images, labels), epsilons=(epsilon,), steps=4)
    assert result.after[0] <= alone.accuracy[0]


def test_only_what_stands_is_attacked_again(model, data, scored):
    pytest.importorskip("foolbox")
    epsilon = float(np.quantile(oracle.distances(model.get_weights(), *data)[2:], 0.9)) * 1.01
    result = worst_case_accuracy(
        model, data, epsilon=epsilon, attacks=("pgd_ce", "pgd_margin"), steps=10, batch_size=8
    )
    robust = round(20 * result.accuracy)
    assert 1 <= robust <= 4
    batches = [attack for attack, *_ in scored]
    assert batches.count("pgd_ce") == 3 + 1, "18 images, then the few that stand, in batches of 8"
    assert batches.count("pgd_margin") == 2


def masked():
    """A model whose logits move in steps: the gradient is zero almost everywhere."""

    @keras.saving.register_keras_serializable(package="test")
    class Steps(keras.layers.Layer):
        def call(self, inputs):
            return keras.ops.round(4 * inputs) / 4 + 0 * inputs

    inputs = keras.Input((8, 8, 3))
    outputs = Steps()(keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))
    model = keras.Model(inputs, outputs, name="masked")
    kernel = 0.2 * np.random.default_rng(3).standard_normal((192, 2))
    model.set_weights([kernel, -0.5 * kernel.sum(0)])
    return model


def test_square_finds_what_masked_gradients_hide(rng):
    pytest.importorskip("foolbox")
    model = masked()
    images = (0.3 + 0.4 * rng.random((40, 8, 8, 3))).astype("float32")
    labels = predict_logits(model, images).argmax(-1)
    options = {"epsilon": 0.06, "steps": 10, "restarts": 2, "queries": 100}
    result = worst_case_accuracy(model, (images, labels), **options)
    assert result.clean == 1
    before, after = result.after[-2:]
    assert before > 0.6, "gradients that are zero lead nowhere"
    assert after < before - 0.2
    assert result.fooled_by[-1] == round(40 * (before - after))


def test_square_alone_needs_no_foolbox(model, data, monkeypatch):
    def missing(*arguments, **options):
        raise ImportError("no foolbox")

    module = __import__("keras_freq.evaluate._worst_case_accuracy", fromlist=["_"])
    monkeypatch.setattr(module, "foolbox_model", missing)
    result = worst_case_accuracy(model, data, epsilon=0.05, attacks="square", queries=30)
    assert result.attacks == ("square",)
    assert result.accuracy < result.clean
    with pytest.raises(ImportError, match="no foolbox"):
        worst_case_accuracy(model, data, attacks=("square", "deepfool"))


def test_square_does_not_depend_on_batches_or_on_what_ran_before(model, data):
    options = {"epsilon": 0.004, "attacks": ("square",), "queries": 15}
    whole = worst_case_accuracy(model, data, **options)
    assert 0 < whole.accuracy < whole.clean
    for feed, more in ((data, {"batch_size": 7}), (ArrayBatches(*data, batch_size=3), {})):
        assert worst_case_accuracy(model, feed, **options, **more).robust_per_class == whole.robust_per_class


def test_it_repeats_with_its_seed(classifier, images, scored):
    pytest.importorskip("foolbox")
    labels = predict_logits(classifier, images).argmax(-1)
    found = []
    for seed in (0, 0, 1):
        scored.clear()
        worst_case_accuracy(
            classifier,
            (images, labels),
            epsilon=0.0005,
            attacks=("pgd_ce",),
            steps=1,
            restarts=3,
            seed=seed,
        )
        found.append([result for *_, result in scored])
    assert len(found[0]) == 3
    for a, b in zip(found[0], found[1], strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(found[0][0], found[2][0])  # the first run starts at the image
    assert (found[0][1] != found[2][1]).any()
    assert (found[0][1] != found[0][2]).any()


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch runs eagerly")
def test_nothing_is_compiled_again(data, counting):
    pytest.importorskip("foolbox")
    model, runs = counting((8, 8, 3), 4)
    options = {"epsilon": 0.003, "steps": 3, "queries": 5, "batch_size": 8}
    worst_case_accuracy(model, data, **options)
    runs.clear()
    labels = np.roll(data[1], 3)  # other images stand
    worst_case_accuracy(model, (data[0][::-1].copy(), labels), **options, seed=1)
    assert runs == []


def test_first_n_images_and_rows(model, data):
    result = worst_case_accuracy(model, data, epsilon=0.01, attacks=("square",), queries=5, n=10)
    assert result.n == sum(result.count_per_class) == result.settings["first_n"] == 10
    assert float(result) == result.accuracy
    rows = [(row["attack"], row["accuracy"]) for row in result.rows()]
    assert rows == [("none", result.clean), ("square", result.accuracy)]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"epsilon": 0}, "`epsilon`"),
        ({"attacks": ()}, "`attacks`"),
        ({"attacks": ("pgd",)}, "`attacks` must hold some of 'pgd_ce'"),
        ({"attacks": ("square", "square")}, "each once"),
        ({"steps": 0}, "`steps`"),
        ({"restarts": 0}, "`restarts`"),
        ({"queries": 1.5}, "`queries`"),
        ({"seed": -1}, "`seed`"),
        ({"bounds": (1, 0)}, "`bounds`"),
        ({"bounds": (0.45, 1)}, "range that the model takes"),
        ({"data_format": "nhwc"}, "`data_format`"),
        ({"n": 21}, "`n` must be at most"),
    ],
)
def test_bad_input(options, says, model, data):
    with refused(says):
        worst_case_accuracy(model, data, **{"attacks": ("square",), "queries": 2, **options})
