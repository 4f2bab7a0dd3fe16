"""Run in a process of its own: logits, PGD and band accuracy on the active backend for given weights and
images.

python across_backends.py INPUT.npz OUTPUT.npz
"""

import sys

import keras
import numpy as np

from keras_freq.attacks import pgd
from keras_freq.evaluate import predict_logits


def network() -> keras.Model:
    """Convolutions, batch normalization, pooling, a residual sum: what small classifiers are made of."""
    layers = keras.layers
    inputs = keras.Input((32, 32, 3))
    x = layers.Rescaling(4.0, offset=-2.0)(inputs)
    x = left = layers.Conv2D(8, 3, padding="same")(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Add()([left, layers.Conv2D(8, 3, padding="same")(x)])
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(layers.MaxPooling2D()(x))
    return keras.Model(inputs, layers.Dense(10)(x))


def measure(given: dict) -> dict:
    model = network()
    model.set_weights([given[f"w{index}"] for index in range(len(model.weights))])
    images, labels = given["images"], given["labels"]
    return {
        "logits": predict_logits(model, images),
        "linf": pgd(model, images, labels, epsilon=8 / 255, steps=20),
        "l2": pgd(model, images, labels, epsilon=0.5, norm="l2", steps=20),
    }


if __name__ == "__main__":
    np.savez(sys.argv[2], backend=keras.backend.backend(), **measure(dict(np.load(sys.argv[1]))))
