"""The adapter for Foolbox: any attack, three backends, clear lines where something is missing."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_freq.attacks import foolbox_model, foolbox_seed, pgd
from keras_freq.attacks._foolbox_model import foolbox_attack

foolbox = pytest.importorskip("foolbox")


def to_numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


@pytest.fixture
def predicted(classifier, images):
    return to_numpy(classifier(images, training=False)).argmax(-1)


def test_logits_and_numpy_inputs(classifier, images, labels):
    adapter = foolbox_model(classifier)
    x, _ = adapter.inputs(images, labels)
    expected = to_numpy(classifier(images, training=False))
    np.testing.assert_allclose(to_numpy(adapter(x)), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(to_numpy(adapter(images)), expected, rtol=1e-5, atol=1e-6)


def test_is_a_foolbox_model(classifier, images, predicted):
    adapter = foolbox_model(classifier)
    assert isinstance(adapter, foolbox.models.Model)
    assert tuple(adapter.bounds) == (0, 1)
    assert adapter.data_format == "channels_last"
    assert foolbox_model(classifier, (0, 255), data_format="channels_first").data_format == "channels_first"
    assert foolbox.utils.accuracy(adapter, *adapter.inputs(images, predicted)) == 1


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_labels_of_any_integer_type(classifier, images, predicted, dtype):
    adapter = foolbox_model(classifier)
    x, y = adapter.inputs(images, predicted.astype(dtype))
    _, found, success = foolbox.attacks.LinfFastGradientAttack()(adapter, x, y, epsilons=[0.3])
    assert to_numpy(found[0]).shape == images.shape
    assert to_numpy(success).shape == (1, 8)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_pgd_of_foolbox_and_ours_agree(classifier, images, predicted, norm):
    epsilon = 8 / 255 if norm == "linf" else 0.5
    adapter = foolbox_model(classifier)
    attack = foolbox_attack(f"{norm}_pgd", epsilon=epsilon, steps=10)
    theirs = to_numpy(attack(adapter, *adapter.inputs(images, predicted), epsilons=epsilon)[1])
    ours = pgd(classifier, images, predicted, epsilon=epsilon, norm=norm, steps=10)
    assert np.mean(np.abs(theirs - ours) < 1e-5) > 0.995


def test_margin_loss_moves_a_model_that_is_too_sure(images):
    """Logits in the hundreds: the cross-entropy is 0 in float32 and has no gradient, the margin has."""
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(8)(inputs))
    sure = keras.Model(inputs, keras.layers.Dense(4)(x))
    sure.set_weights([2000 * weight for weight in sure.get_weights()])
    labels = to_numpy(sure(images)).argmax(-1)
    adapter = foolbox_model(sure)
    x, y = adapter.inputs(images, labels)

    def found(loss):
        attack = foolbox_attack("linf_pgd", epsilon=0.1, steps=10, loss=loss)
        return to_numpy(attack(adapter, x, y, epsilons=0.1)[1])

    def margin(points):
        logits = to_numpy(sure(points))
        own = np.eye(4, dtype=bool)[labels]
        return logits[own] - np.where(own, -np.inf, logits).max(1)

    assert (margin(images) > 120).sum() >= 4
    stuck = np.abs(found("cross_entropy") - images).max((1, 2, 3)) == 0
    assert stuck.sum() >= 4
    assert (margin(found("margin")) < margin(images) - 1).all()


def test_weights_are_current(classifier, images, predicted):
    adapter = foolbox_model(classifier)
    before = to_numpy(adapter(images))
    classifier.compile(
        keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    classifier.fit(images, (predicted + 1) % 4, epochs=3, verbose=0)
    after = to_numpy(adapter(images))
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_allclose(after, to_numpy(classifier(images, training=False)), rtol=1e-4, atol=1e-5)
    foolbox.attacks.LinfFastGradientAttack()(adapter, *adapter.inputs(images, predicted), epsilons=[0.1])


@pytest.mark.slow
@pytest.mark.parametrize(
    "attack",
    [
        lambda a: a.L2CarliniWagnerAttack(binary_search_steps=1, steps=3),
        lambda a: a.DDNAttack(steps=3),
        lambda a: a.L2AdditiveGaussianNoiseAttack(),
        lambda a: a.SaltAndPepperNoiseAttack(steps=3),
    ],
)
def test_other_attacks_run(classifier, images, predicted, attack):
    adapter = foolbox_model(classifier)
    with foolbox_seed(0):
        _, found, _ = attack(foolbox.attacks)(adapter, *adapter.inputs(images, predicted), epsilons=[0.5])
    assert np.isfinite(to_numpy(found[0])).all()


def test_seeded_draws_repeat(classifier, images, predicted):
    adapter = foolbox_model(classifier)
    x, y = adapter.inputs(images, predicted)
    attack = foolbox.attacks.LinfAdditiveUniformNoiseAttack()
    found = []
    for seed in (0, 0, 1):
        with foolbox_seed(seed):
            found.append(to_numpy(attack(adapter, x, y, epsilons=0.1)[0]))
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 0.01


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="TensorFlow keeps the global seed")
def test_seed_gives_the_generator_back():
    if keras.backend.backend() == "torch":
        import torch

        before = torch.get_rng_state()
        with foolbox_seed(1):
            torch.rand(3)
        assert bool((torch.get_rng_state() == before).all())
    else:
        import eagerpy

        before = eagerpy.JAXTensor.key
        with foolbox_seed(1):
            pass
        assert eagerpy.JAXTensor.key is before


@pytest.mark.once
@pytest.mark.slow
def test_foolbox_needs_no_git_and_warns_of_nothing():
    code = "from keras_freq.attacks._foolbox_model import import_foolbox; print(import_foolbox().__name__)"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_PYTHON")}
    environment |= {"PATH": "/nonexistent", "KERAS_BACKEND": "numpy"}  # no framework to wait for
    command = [sys.executable, "-W", "error::DeprecationWarning:scipy", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "foolbox", done.stderr
    assert "Deprecat" not in done.stderr
