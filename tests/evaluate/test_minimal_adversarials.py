"""Minimal perturbations: against the closed form of a linear model, and where there is none to find."""

import keras
import numpy as np
import pytest

from keras_freq.evaluate import minimal_adversarials, predict_logits
from tests.oracles import linear as oracle

pytest.importorskip("foolbox")

ATTACKS = ["deepfool", "linf_deepfool", "boundary", "linf_pgd", "l2_pgd", "fgsm"]


@pytest.fixture
def model():
    model = keras.Sequential(
        [keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(3)], name="linear"
    )
    generator = np.random.default_rng(3)
    model.set_weights([generator.standard_normal(weight.shape) for weight in model.get_weights()])
    return model


@pytest.fixture
def data(model, rng):
    images = (0.35 + 0.3 * rng.random((12, 6, 6, 1))).astype("float32")
    labels = predict_logits(model, images).argmax(-1)
    labels[0] = (labels[0] + 1) % 3
    return images, labels


@pytest.mark.parametrize("attack", ATTACKS)
def test_against_the_closed_form(model, data, attack):
    steps = 150 if attack == "boundary" else None
    result = minimal_adversarials(model, data, attack=attack, steps=steps, batch_size=8, keep_images=True)
    exact = oracle.distances(model.get_weights(), *data, result.norm)
    found = np.array(result.distances)
    assert result.n == len(found) == 12
    assert found[0] == exact[0] == 0  # misclassified from the start
    np.testing.assert_array_equal(result.images.adversarials[0], data[0][0])
    assert (found >= exact - 1e-6).all()  # nothing is closer than the decision boundary
    slack = {"boundary": 6, "fgsm": 1.5}.get(attack, 1.1)
    assert (found[1:] <= slack * exact[1:] + 1e-3).mean() > 0.8
    assert result.success == 1
    assert result.clean == pytest.approx(11 / 12)
    assert result.median == np.median(found)
    kept = result.images
    assert (kept.predictions != kept.labels).all()
    assert kept.adversarials.min() >= 0
    assert kept.adversarials.max() <= 1


def test_accuracy_at(model, data):
    result = minimal_adversarials(model, data, attack="linf_deepfool")
    assert result.accuracy_at(0) == result.clean
    assert result.accuracy_at(10) == 0
    curve = [result.accuracy_at(epsilon) for epsilon in np.linspace(0, 0.2, 30)]
    assert curve == sorted(curve, reverse=True)
    with pytest.raises(ValueError, match="Received: epsilon=-1"):
        result.accuracy_at(-1)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_model_that_cannot_be_fooled(attack, rng):
    """One that always says class 0: infinite distances, no error."""
    model = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.set_weights([np.zeros((36, 3)), np.array([5.0, 0.0, 0.0])])
    images = rng.random((4, 6, 6, 1), dtype="float32")
    result = minimal_adversarials(model, (images, np.array([0, 0, 1, 0])), attack=attack, steps=3)
    assert result.distances == (np.inf, np.inf, 0.0, np.inf)
    assert result.success == 0.25
    assert result.accuracy_at(100) == result.clean == 0.75


def test_ladder(model, data):
    """A ladder that is too short fools few; its rungs bound the distances."""
    exact = oracle.distances(model.get_weights(), *data, "linf")
    rung = float(np.median(exact))
    result = minimal_adversarials(model, data, attack="linf_pgd", epsilons=(rung,))
    found = np.array(result.distances)
    assert (found[np.isfinite(found)] <= rung).all()
    assert np.isinf(found[exact > rung * 1.01]).all()


def test_boundary_repeats_with_its_seed(model, data):
    runs = [
        minimal_adversarials(model, data, attack="boundary", steps=30, seed=seed).distances
        for seed in (1, 1, 2)
    ]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_first_n_images(model, data):
    result = minimal_adversarials(model, data, n=5)
    assert result.n == 5
    assert result.labels == tuple(data[1][:5])
