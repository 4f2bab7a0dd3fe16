"""Which models are the same: those that equal code builds again, and none with another layer."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_freq as kf
from keras_freq._core.identity import identify

SCALE = 2.0


def sequential(activation="relu", scale=1 / 255, rate=0.5, dtype=None):
    return keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            layers.Rescaling(scale, dtype=dtype),
            layers.RandomFlip(),
            layers.Dropout(rate),
            layers.Conv2D(2, 3, activation=activation),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )


def functional(swapped=False):
    inputs = keras.Input((4, 4, 3))
    first = layers.Conv2D(2, 3, padding="same")(inputs)
    second = layers.Conv2D(2, 3, padding="same")(first)
    difference = layers.Subtract()([second, first] if swapped else [first, second])
    inner = keras.Sequential([layers.Flatten(), layers.Dense(2)])
    return keras.Model(inputs, inner(difference))


def by_lambda(function):
    return keras.Sequential(
        [keras.Input((4, 4, 3)), layers.Lambda(function), layers.Flatten(), layers.Dense(2)]
    )


class Own(keras.Model):
    """A class that does not tell its settings."""

    def __init__(self, activation):
        super().__init__()
        self.body = layers.Dense(3, activation=activation)
        self.head = layers.Dense(2)

    def call(self, images):
        return self.head(ops.mean(self.body(images), axis=(1, 2)))


def own(activation):
    model = Own(activation)
    model(np.zeros((1, 4, 4, 3), "float32"))
    return model


def plus_one(x):
    return x + 1


class Other:
    @staticmethod
    def plus_one(x):
        return x + 2


class Holder(layers.Layer):
    """A layer of its own that counts what it holds under a name that models have for something else."""

    def __init__(self, activation):
        super().__init__()
        self.layers = 1
        self.inner = layers.Dense(3, activation=activation)

    def call(self, images):
        return self.inner(images)


def layers_of(model):
    return identify(kf.Classifier(model))["layers"]


PAIRS = {
    "activation": (sequential, lambda: sequential("tanh")),
    "scale": (sequential, lambda: sequential(scale=1 / 127.5)),
    "dtype": (sequential, lambda: sequential(dtype="float16")),
    "links": (functional, lambda: functional(swapped=True)),
    "lambda": (lambda: by_lambda(lambda x: x * 2), lambda: by_lambda(lambda x: x * 3)),
    "named function": (lambda: by_lambda(ops.relu), lambda: by_lambda(ops.tanh)),
    "function of an inner model": (
        lambda: keras.Sequential([keras.Input((4, 4, 3)), by_lambda(plus_one)]),
        lambda: keras.Sequential([keras.Input((4, 4, 3)), by_lambda(Other.plus_one)]),
    ),
    "inside a class": (lambda: own("relu"), lambda: own("tanh")),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_model_is_known_by_its_layers(name):
    make, make_other = PAIRS[name]
    assert layers_of(make()) == layers_of(make())  # under other names, with other seeds and weights
    assert layers_of(make()) != layers_of(make_other())


def times(x, factor):
    return x * factor


def scaled(x):
    return x * SCALE


def closure(factor):
    return lambda x: x * factor


class Callable:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return x * self.factor

    def method(self, x):
        return x * self.factor


def denoiser(seed):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((4, 4, 3)), layers.Conv2D(3, 3, padding="same")])


FRONTS = {
    "lambdas": (lambda: lambda x: x + 1, lambda: lambda x: x - 1),
    "constants": (lambda: lambda x: x * 2, lambda: lambda x: x * 3),
    "members of a set": (lambda: lambda x: 1 in {1, 2}, lambda: lambda x: 1 in {1, 3}),
    "partial": (lambda: functools.partial(times, factor=2), lambda: functools.partial(times, factor=3)),
    "closure": (lambda: closure(2), lambda: closure(3)),
    "array": (lambda: closure(np.ones(3)), lambda: closure(np.full(3, 2.0))),
    "object": (lambda: Callable(2), lambda: Callable(3)),
    "method": (lambda: Callable(2).method, lambda: Callable(3).method),
    "layer of its own": (lambda: Holder("relu"), lambda: Holder("tanh")),
    "layer": (lambda: layers.Rescaling(2.0), lambda: layers.Rescaling(3.0)),
    "weights": (lambda: denoiser(0), lambda: denoiser(1)),
    "weights in a closure": (lambda: closure(denoiser(0)), lambda: closure(denoiser(1))),
}


@pytest.mark.parametrize("name", FRONTS)
def test_what_stands_in_front_is_known_by_what_it_does(name):
    model, (make, make_other) = sequential(), FRONTS[name]

    def front(preprocess):
        return identify(kf.Classifier(model, preprocess=preprocess))["preprocess"]

    assert front(make()) == front(make())
    assert front(make()) != front(make_other())


def test_a_global_number_counts(monkeypatch):
    classifier = kf.Classifier(sequential(), preprocess=scaled)
    before = identify(classifier)
    monkeypatch.setitem(globals(), "SCALE", 3.0)
    assert identify(classifier) != before


def test_weights_count():
    model = sequential()
    before = identify(kf.Classifier(model))
    model.set_weights([weight + 1 for weight in model.get_weights()])
    after = identify(kf.Classifier(model))
    assert before["layers"] == after["layers"]
    assert before["weights"] != after["weights"]
