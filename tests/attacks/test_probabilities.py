"""A model that returns probabilities is recognized by its structure or its numbers."""

import keras
import numpy as np
import pytest
from keras import layers
from keras_freq._core.probabilities import reject_probabilities

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
    "sigmoid": lambda: sequential(layers.Dense(4, activation="sigmoid")),
    "sigmoid operation": lambda: functional(layers.Dense(4), keras.ops.sigmoid),
    "nested": lambda: nested(nested(sequential(layers.Dense(4, activation="softmax")))),
    "wrapped": lambda: Wrapper(sequential(layers.Dense(4, activation="softmax"))),
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


@pytest.mark.parametrize("name", PROBABILITIES)
def test_recognized_by_structure(name):
    with pytest.raises(
        ValueError, match=r"^The model must return logits: remove .*Received: model="
    ) as error:
        reject_probabilities(PROBABILITIES[name]())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", LOGITS)
def test_logits_pass(name, rng):
    model = LOGITS[name]()
    images = rng.random((4, 8, 8, 3), dtype="float32")
    assert reject_probabilities(model, keras.ops.convert_to_numpy(model(images))) is None


class Hidden(layers.Layer):
    """A softmax that no structure shows."""

    def call(self, inputs):
        exponential = keras.ops.exp(inputs - keras.ops.max(inputs, axis=-1, keepdims=True))
        return exponential / keras.ops.sum(exponential, axis=-1, keepdims=True)


def attacked(model, images, labels):
    adapter = foolbox_model(model)
    return adapter(adapter.inputs(images, labels)[0])


@pytest.mark.parametrize("last", [Hidden, layers.Softmax])
@pytest.mark.parametrize(
    "use",
    [
        lambda model, x, y: pgd(model, x, y, epsilon=0.1),
        lambda model, x, y: fgsm(model, x, y, epsilon=0.1),
        attacked,
        lambda model, x, y: predict_logits(model, x),
        lambda model, x, y: adversarial_accuracy(model, (x, y)),
        lambda model, x, y: adversarial_accuracy(model, (x, y), engine="own"),
        lambda model, x, y: minimal_adversarials(model, (x, y)),
        lambda model, x, y: worst_case_accuracy(model, (x, y), attacks=("square",)),
        lambda model, x, y: input_gradient_spectrum(model, (x, y)),
        lambda model, x, y: ood_scores(model, x),
        lambda model, x, y: frequency_importance(model, x, y),
        lambda model, x, y: hfss(model, x, y, budgets=(4, 4)),
    ],
)
def test_everything_that_means_logits_says_so(use, last, rng):
    model = sequential(layers.Dense(4), last())
    images = rng.random((4, 8, 8, 3), dtype="float32")
    with pytest.raises(ValueError, match="must return logits"):
        use(model, images, np.arange(4))


def test_accuracy_takes_probabilities(rng):
    model = sequential(layers.Dense(4, activation="softmax"))
    images = rng.random((4, 8, 8, 3), dtype="float32")
    labels = keras.ops.convert_to_numpy(model(images)).argmax(-1)
    assert float(accuracy(model, (images, labels))) == 1
