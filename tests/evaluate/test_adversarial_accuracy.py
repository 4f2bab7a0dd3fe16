"""Accuracy under attack: monotone, inside the ball, the same through Foolbox and our own loop."""

import keras
import numpy as np
import pytest

from keras_freq.data import ArrayBatches
from keras_freq.evaluate import accuracy, adversarial_accuracy, predict_logits

pytest.importorskip("foolbox")


@pytest.fixture
def model():
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(4)], name="linear"
    )
    generator = np.random.default_rng(3)
    model.set_weights([0.2 * generator.standard_normal(weight.shape) for weight in model.get_weights()])
    return model


@pytest.fixture
def data(model, rng):
    images = rng.random((20, 8, 8, 3), dtype="float32")
    labels = predict_logits(model, images).argmax(-1)
    labels[:2] = (labels[:2] + 1) % 4
    return images, labels


SIZES = {
    "linf_pgd": (0.0, 0.003, 0.01, 0.03, 0.1),
    "fgsm": (0.003, 0.01, 0.03, 0.1),
    "l2_pgd": (0.02, 0.1, 0.3, 1.0),
}


@pytest.mark.parametrize("attack", SIZES)
@pytest.mark.parametrize("engine", ["foolbox", "own"])
def test_attacks(model, data, attack, engine):
    result = adversarial_accuracy(
        model,
        data,
        attack=attack,
        epsilons=SIZES[attack],
        steps=10,
        engine=engine,
        batch_size=8,
        keep_images=True,
    )
    assert result.clean == float(accuracy(model, data)) == 0.9
    assert result.epsilons == SIZES[attack]
    assert all(a >= b for a, b in zip((result.clean, *result.accuracy), result.accuracy, strict=False))
    assert result.accuracy[-1] == 0
    assert 0 < result.accuracy[1] < 0.9
    assert [sum(row) for row in result.correct_per_class] == [round(20 * value) for value in result.accuracy]
    kept = result.images
    assert kept.epsilon == SIZES[attack][-1]
    change = (kept.adversarials.astype("float64") - kept.originals).reshape(20, -1)
    size = np.abs(change).max(1) if result.norm == "linf" else np.linalg.norm(change, axis=1)
    assert size.max() <= kept.epsilon
    assert kept.adversarials.min() >= 0
    assert kept.adversarials.max() <= 1
    np.testing.assert_array_equal(kept.originals, data[0])
    np.testing.assert_array_equal(kept.labels, data[1])
    np.testing.assert_array_equal(kept.predictions, predict_logits(model, kept.adversarials).argmax(-1))
    assert (kept.predictions != kept.labels).all()


def test_linear_model_has_a_closed_form(data):
    """Two classes: fooled at epsilon if the margin is below epsilon * |w_0 - w_1|_1, away from the bounds."""
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    weights = 0.2 * np.random.default_rng(3).standard_normal((192, 2))
    images = 0.4 + 0.2 * data[0]
    # The bias puts the decision boundary through the middle of the images.
    model.set_weights([weights, -np.mean(images.reshape(20, -1) @ weights, axis=0)])
    weights = model.get_weights()[0].astype("float64")
    logits = predict_logits(model, images).astype("float64")
    exact = np.abs(logits[:, 0] - logits[:, 1]) / np.abs(weights[:, 0] - weights[:, 1]).sum()
    epsilons = np.quantile(exact, [0.25, 0.5, 0.75])
    result = adversarial_accuracy(model, (images, logits.argmax(-1)), epsilons=epsilons, steps=10)
    for epsilon, value in zip(result.epsilons, result.accuracy, strict=True):
        assert value == np.mean(exact > epsilon)


@pytest.mark.parametrize("attack", ["linf_pgd", "l2_pgd", "fgsm"])
def test_engines_agree(attack, classifier, images):
    labels = predict_logits(classifier, images).argmax(-1)
    scale = 20 if attack == "l2_pgd" else 1
    options = {"attack": attack, "epsilons": (scale / 255, 4 * scale / 255), "steps": 5}
    ours = adversarial_accuracy(classifier, (images, labels), engine="own", **options)
    theirs = adversarial_accuracy(classifier, (images, labels), **options)
    assert ours.accuracy == theirs.accuracy


def test_small_adversarials_count_for_larger_balls(model, data, monkeypatch):
    """An attack that only finds something at the smallest size still gives a falling curve."""
    module = __import__("keras_freq.evaluate._adversarial_accuracy", fromlist=["_"])

    def only_small(*arguments):
        worst = adversarial_accuracy(model, data, epsilons=(0.05,), keep_images=True).images.adversarials
        return lambda images, labels, epsilon, index: worst if epsilon == 0.05 else images

    monkeypatch.setattr(module, "_prepare_own", only_small)
    result = adversarial_accuracy(model, data, epsilons=(0.2, 0.05, 0.1), engine="own", keep_images=True)
    assert result.epsilons == (0.05, 0.1, 0.2)
    assert result.accuracy[0] < 0.5
    assert result.accuracy == (result.accuracy[0],) * 3
    assert np.mean(result.images.predictions == result.images.labels) == result.accuracy[0]


@pytest.mark.parametrize("wrong", ["ball", "bounds", "nan"])
def test_an_attack_that_leaves_the_ball_is_an_error(model, data, monkeypatch, wrong):
    module = __import__("keras_freq.evaluate._adversarial_accuracy", fromlist=["_"])

    def broken(*arguments):
        shift = {"ball": 0.02, "bounds": 0.009, "nan": np.nan}[wrong]
        return lambda images, labels, epsilon, index: images + np.float32(shift)

    monkeypatch.setattr(module, "_prepare_own", broken)
    images = np.maximum(data[0], 0.999) if wrong == "bounds" else 0.5 * data[0]
    with pytest.raises(RuntimeError, match=r"^The attack .*Received: attack='linf_pgd'"):
        adversarial_accuracy(
            model, (images, np.argmax(predict_logits(model, images), -1)), epsilons=0.01, engine="own"
        )


def test_first_n_images(model, data):
    whole = adversarial_accuracy(model, (data[0][:7], data[1][:7]), epsilons=(0.01,), engine="own")
    for feed in (
        data,
        ArrayBatches(*data, batch_size=3),
        [(data[0][:5], data[1][:5]), (data[0][5:], data[1][5:])],
    ):
        part = adversarial_accuracy(model, feed, epsilons=(0.01,), engine="own", n=7, keep_images=True)
        assert part.n == 7
        assert (part.clean, part.accuracy) == (whole.clean, whole.accuracy)
        np.testing.assert_array_equal(part.images.originals, data[0][:7])


@pytest.mark.parametrize("engine", ["foolbox", "own"])
def test_random_start_repeats_with_its_seed(model, data, engine):
    options = {"epsilons": (0.01,), "steps": 1, "step_size": 0.001, "random_start": True, "engine": engine}
    found = [
        adversarial_accuracy(
            model, data, seed=seed, keep_images=True, batch_size=8, **options
        ).images.adversarials
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 1e-3
    noise = found[0] - data[0]
    assert np.abs(noise[2:8] - noise[10:16]).max() > 1e-3  # another draw for every batch
