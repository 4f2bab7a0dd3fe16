"""Batch normalization is found however deep it lies: a private name of Keras is what finds it."""

import keras

from keras_freq._core.batch_statistics import find_normalizations


class Holder(keras.layers.Layer):
    """A layer that holds another one in a list."""

    def __init__(self):
        super().__init__()
        self.parts = [keras.layers.BatchNormalization(name="held")]

    def call(self, x):
        return self.parts[0](x)


def test_every_normalization_is_found_once():
    shared = keras.layers.BatchNormalization(name="shared")
    inner = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization(name="inner"), shared])
    inputs = keras.Input((4,))
    model = keras.Model(inputs, Holder()(shared(inner(shared(inputs)))))
    assert sorted(layer.name for layer in find_normalizations(model)) == ["held", "inner", "shared"]
    assert find_normalizations(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])) == []
