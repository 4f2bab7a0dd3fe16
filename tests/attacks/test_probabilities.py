"""A softmax or sigmoid at the end is taken off where structure shows it, and seen in numbers elsewhere."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_freq as kf
from keras_freq.attacks import fgsm, foolbox_model, pgd
from keras_freq.evaluate import (
    accuracy,
    adversarial_accuracy,
    input_gradient_spectrum,
    minimal_adversarials,
    ood_scores,
    predict_logits,
    worst_case_accuracy,
)
from keras_freq.shortcuts import frequency_importance, hfss
from tests.refusals import refused


def sequential(*last):
    return keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), *last])


def functional(*last):
    inputs = x = keras.Input((8, 8, 3))
    for layer in (layers.Flatten(), *last):
        x = layer(x)
    return keras.Model(inputs, x)


def nested(inner):
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, inner(inputs))


class Wrapper(keras.Model):
    """A model around one classifier, as training wrappers are."""

    def __init__(self, classifier):
        super().__init__()
        self.classifier = classifier

    def call(self, inputs, training=None):
        return self.classifier(inputs, training=training)


PROBABILITIES = {
    "dense softmax": lambda: sequential(layers.Dense(4, activation="softmax")),
    "softmax layer": lambda: functional(layers.Dense(4), layers.Softmax()),
    "activation layer": lambda: sequential(layers.Dense(4), layers.Activation("softmax")),
    "softmax operation": lambda: functional(layers.Dense(4), keras.ops.softmax),
    "nested": lambda: nested(nested(sequential(layers.Dense(4, activation="softmax")))),
    "wrapper of training": lambda: kf.APRModel(sequential(layers.Dense(4, activation="softmax"))),
    "behind dropout and identity": lambda: functional(
        layers.Dense(4, activation="softmax"),
        layers.Dropout(0.5),
        layers.Identity(),
        layers.Activation("linear"),
    ),
}
LOGITS = {
    "dense": lambda: sequential(layers.Dense(4)),
    "relu inside, softmax not last": lambda: functional(
        layers.Dense(9, activation="softmax"), layers.Dense(4)
    ),
    "wrapped": lambda: Wrapper(nested(sequential(layers.Dense(4)))),
    "log softmax": lambda: functional(layers.Dense(4), keras.ops.log_softmax),
}


MULTI_LABEL = {
    "sigmoid": lambda: sequential(layers.Dense(4, activation="sigmoid")),
    "sigmoid operation": lambda: functional(layers.Dense(4), keras.ops.sigmoid),
}


@pytest.fixture
def images(rng):
    return rng.random((4, 8, 8, 3), dtype="float32")


@pytest.mark.parametrize("name", PROBABILITIES)
def test_what_structure_shows_is_taken_off(name, images):
    model = PROBABILITIES[name]()
    probabilities = keras.ops.convert_to_numpy(model(images))
    classifier = kf.Classifier(model)
    assert classifier.tells_outputs
    found = predict_logits(classifier, images)
    exponential = np.exp(found - found.max(axis=-1, keepdims=True))
    np.testing.assert_allclose(
        exponential / exponential.sum(axis=-1, keepdims=True), probabilities, atol=1e-6
    )
    assert abs(found.sum(axis=-1) - 1).max() > 1e-3
    # The weights are shared: what trains the one is seen by the other.
    model.set_weights([2 * weight for weight in model.get_weights()])
    np.testing.assert_allclose(predict_logits(classifier, images), 2 * found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LOGITS)
def test_logits_stay(name, images):
    model = LOGITS[name]()
    wanted = keras.ops.convert_to_numpy(model(images))
    np.testing.assert_allclose(predict_logits(model, images), wanted, atol=1e-6)
    if name != "wrapped":
        assert kf.to_logits(model) is model


@pytest.mark.parametrize("name", MULTI_LABEL)
def test_several_sigmoids_are_refused_with_the_way_out(name, images):
    model = MULTI_LABEL[name]()
    with refused("multi-label"):
        accuracy(model, (images, np.arange(4)))
    assert accuracy(kf.to_logits(model), (images, np.arange(4))).n == 4


def test_what_cannot_be_taken_off(images):
    with refused("functional or sequential"):
        kf.to_logits(Wrapper(sequential(layers.Dense(4, activation="softmax"))))
    with refused("Keras model", error=TypeError):
        kf.to_logits("resnet")


class Hidden(layers.Layer):
    """A softmax that no structure shows."""

    def call(self, inputs):
        exponential = keras.ops.exp(inputs - keras.ops.max(inputs, axis=-1, keepdims=True))
        return exponential / keras.ops.sum(exponential, axis=-1, keepdims=True)


def attacked(model, images, labels):
    adapter = foolbox_model(model)
    return adapter(adapter.inputs(images, labels)[0])


@pytest.mark.parametrize(
    "use",
    [
        lambda model, x, y: pgd(model, x, y, epsilon=0.1),
        lambda model, x, y: fgsm(model, x, y, epsilon=0.1),
        attacked,
        lambda model, x, y: adversarial_accuracy(model, (x, y)),
        lambda model, x, y: adversarial_accuracy(model, (x, y), engine="own"),
        lambda model, x, y: minimal_adversarials(model, (x, y)),
        lambda model, x, y: worst_case_accuracy(model, (x, y), attacks=("square",)),
        lambda model, x, y: input_gradient_spectrum(model, (x, y)),
        lambda model, x, y: frequency_importance(model, x, y, method="gradient"),
    ],
)
def test_gradients_of_hidden_probabilities_are_refused(use, images):
    with refused("must return logits"):
        use(sequential(layers.Dense(4), Hidden()), images, np.arange(4))


def test_hidden_probabilities_are_logarithms_where_no_gradient_is_needed(images):
    model = sequential(layers.Dense(4), Hidden())
    wanted = np.log(keras.ops.convert_to_numpy(model(images)))
    np.testing.assert_allclose(predict_logits(model, images), wanted, atol=1e-5)
    assert np.isfinite(ood_scores(model, images)).all()
    assert hfss(model, images, np.arange(4), budgets=(2, 2)).n == 4
    assert float(accuracy(model, (images, wanted.argmax(-1)))) == 1
