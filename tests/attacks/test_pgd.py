"""Our own FGSM and PGD: inside the ball and the bounds, against an oracle, reproducible."""

import keras
import numpy as np
import pytest

from keras_freq.attacks import compile_logits, fgsm, pgd
from keras_freq.attacks._norm_balls import distances


def linear(classes=3, size=4, seed=0):
    model = keras.Sequential(
        [keras.Input((size, size, 1)), keras.layers.Flatten(), keras.layers.Dense(classes)]
    )
    generator = np.random.default_rng(seed)
    model.set_weights([generator.standard_normal(weight.shape) for weight in model.get_weights()])
    return model


def oracle_gradient(model, images, labels):
    weights, bias = (array.astype("float64") for array in model.get_weights())
    logits = images.reshape(len(images), -1) @ weights + bias
    softmax = np.exp(logits - logits.max(1, keepdims=True))
    softmax /= softmax.sum(1, keepdims=True)
    return ((softmax - np.eye(weights.shape[1])[labels]) @ weights.T).reshape(images.shape)


def oracle_pgd(model, images, labels, epsilon, step_size, steps, norm):
    center = images.astype("float64")
    x = center.copy()
    for _ in range(steps):
        gradient = oracle_gradient(model, x, labels)
        if norm == "linf":
            x = center + np.clip(x + step_size * np.sign(gradient) - center, -epsilon, epsilon)
        else:
            length = np.sqrt(np.square(gradient).sum((1, 2, 3), keepdims=True))
            change = x + step_size * gradient / length - center
            length = np.sqrt(np.square(change).sum((1, 2, 3), keepdims=True))
            x = center + change * np.minimum(1, epsilon / length)
        x = np.clip(x, 0, 1)
    return x


@pytest.fixture
def small(rng):
    return linear(), rng.random((6, 4, 4, 1), dtype="float32"), np.arange(6) % 3


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_against_a_float64_oracle(small, norm):
    model, images, labels = small
    epsilon = 0.1 if norm == "linf" else 0.4
    ours = pgd(model, images, labels, epsilon=epsilon, norm=norm, steps=7, step_size=0.3 * epsilon)
    expected = oracle_pgd(model, images, labels, epsilon, 0.3 * epsilon, 7, norm)
    np.testing.assert_allclose(ours, expected, atol=2e-6)


def test_fgsm_is_one_step_of_the_gradients_sign(small):
    model, images, labels = small
    expected = np.clip(images + 0.05 * np.sign(oracle_gradient(model, images, labels)), 0, 1)
    np.testing.assert_allclose(fgsm(model, images, labels, epsilon=0.05), expected, atol=1e-6)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("random_start", [False, True])
@pytest.mark.parametrize("epsilon", [0.0, 2 / 255, 8 / 255, 0.3, 0.99])
def test_never_leaves_the_ball_or_the_bounds(small, norm, random_start, epsilon):
    model, images, labels = small
    images = np.concatenate([images[:4], np.zeros_like(images[:1]), np.ones_like(images[:1])])
    found = pgd(model, images, labels, epsilon=epsilon, norm=norm, steps=5, random_start=random_start)
    assert found.dtype == np.float32
    assert found.shape == images.shape
    assert found.min() >= 0
    assert found.max() <= 1
    assert distances(images, found, norm).max() <= epsilon  # in float64: exact
    if norm == "linf":
        assert np.abs(found - images).max() <= np.float32(epsilon)


def test_other_bounds(small):
    model, images, labels = small
    images = images * 255
    found = pgd(model, images, labels, epsilon=8 / 255, bounds=(0, 255), steps=4)
    assert 7.9 < np.abs(found - images).max() < 8.001
    assert found.min() >= 0
    assert found.max() <= 255


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_default_steps_reach_the_boundary_of_the_ball(small, norm):
    model, images, labels = small
    images = 0.4 + 0.2 * images  # away from the bounds
    found = pgd(model, images, labels, epsilon=0.05, norm=norm)
    np.testing.assert_allclose(distances(images, found, norm), 0.05, rtol=1e-3)


def test_raises_the_loss(classifier, images, labels):
    labels = keras.ops.convert_to_numpy(compile_logits(classifier)(images)).argmax(-1)

    def loss(x):
        logits = keras.ops.convert_to_numpy(compile_logits(classifier)(x)).astype("float64")
        return np.log(np.exp(logits).sum(1)) - logits[np.arange(8), labels]

    once, often = (
        fgsm(classifier, images, labels, epsilon=0.03),
        pgd(classifier, images, labels, epsilon=0.03),
    )
    assert (loss(once) > loss(images)).all()
    assert loss(often).mean() >= loss(once).mean() - 1e-6


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_batches_do_not_change_the_result(small, norm):
    model, images, labels = small
    options = {"epsilon": 0.1, "norm": norm, "steps": 3, "random_start": True, "restarts": 2, "seed": 3}
    whole = pgd(model, images, labels, **options)
    for batch_size in (2, 4):
        parts = pgd(model, images, labels, batch_size=batch_size, **options)
        np.testing.assert_allclose(parts, whole, atol=1e-6)


def test_same_seed_same_result(small):
    model, images, labels = small
    runs = [
        pgd(model, images, labels, epsilon=0.1, steps=1, step_size=0.01, random_start=True, seed=s)
        for s in (0, 0, 1)
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert np.abs(runs[0] - runs[2]).max() > 0.01


def test_restarts_fool_at_least_as_often(small):
    model, images, labels = small
    options = {"epsilon": 0.15, "steps": 2, "step_size": 0.02, "random_start": True}

    def fooled(found):
        return keras.ops.convert_to_numpy(compile_logits(model)(found)).argmax(-1) != labels

    once = fooled(pgd(model, images, labels, **options))
    often = fooled(pgd(model, images, labels, restarts=5, **options))
    assert (often | ~once).all()
    assert often.sum() >= once.sum()


def test_labels_in_every_form(small):
    model, images, labels = small
    expected = pgd(model, images, labels, epsilon=0.1, steps=2)
    for other in (np.asarray(labels, "float32"), np.asarray(labels)[:, None], np.eye(3)[labels]):
        np.testing.assert_array_equal(pgd(model, images, other, epsilon=0.1, steps=2), expected)


def test_channels_first_layout(rng):
    """The attack does not care which axis holds the channels."""
    model = keras.Sequential([keras.Input((3, 4, 5)), keras.layers.Flatten(), keras.layers.Dense(3)])
    images = rng.random((2, 3, 4, 5), dtype="float32")
    assert pgd(model, images, [0, 1], epsilon=0.1, steps=2).shape == images.shape
