"""What the attacks refuse, each with one line that says what was received."""

import keras
import numpy as np
import pytest

from keras_freq.attacks import fgsm, foolbox_model, foolbox_seed, pgd, square
from keras_freq.attacks._foolbox_model import foolbox_attack
from keras_freq.data import ArrayBatches
from tests.refusals import refused


def changed(array, value):
    array = array.copy()
    array[0, 0, 0, 0] = value
    return array


# name -> (keyword arguments of pgd that are bad; a callable gets the good images), what the line says
CASES = {
    "negative epsilon": ({"epsilon": -0.1}, "`epsilon`"),
    "NaN epsilon": ({"epsilon": float("nan")}, "`epsilon`"),
    "infinite epsilon": ({"epsilon": float("inf")}, "`epsilon`"),
    "text epsilon": ({"epsilon": "big"}, "`epsilon`"),
    "epsilon True": ({"epsilon": True}, "`epsilon`"),
    "no steps": ({"steps": 0}, "`steps`"),
    "half a step": ({"steps": 2.5}, "`steps`"),
    "negative step size": ({"step_size": -1}, "`step_size`"),
    "step size 0": ({"step_size": 0}, "`step_size`"),
    "unknown norm": ({"norm": "l1"}, "`norm`"),
    "no restarts": ({"restarts": 0}, "`restarts`"),
    "restarts without random start": ({"restarts": 2}, "`restarts`"),
    "negative seed": ({"seed": -1}, "`seed`"),
    "batch size 0": ({"batch_size": 0}, "`batch_size`"),
    "bounds upside down": ({"bounds": (1, 0)}, "`bounds`"),
    "bounds of three": ({"bounds": (0, 1, 2)}, "`bounds`"),
    "one image without batch": ({"images": lambda x: x[0]}, "rank 4"),
    "no image": ({"images": lambda x: x[:0], "labels": np.zeros(0, int)}, "not be empty"),
    "NaN image": ({"images": lambda x: changed(x, np.nan)}, "finite"),
    "infinite image": ({"images": lambda x: changed(x, np.inf)}, "finite"),
    "image above the bounds": ({"images": lambda x: changed(x, 1.5)}, "range that the model takes"),
    "image below the bounds": ({"images": lambda x: changed(x, -0.5)}, "range that the model takes"),
    "labels beyond the outputs": ({"labels": np.array([0, 1, 2, 4])}, "from 0 to 3"),
    "negative labels": ({"labels": np.array([0, 1, 2, -1])}, "at least 0"),
    "halves of labels": ({"labels": np.full(4, 0.5)}, "whole numbers"),
    "too few labels": ({"labels": np.zeros(3, int)}, "4 images, 3 labels"),
    "soft labels": ({"labels": np.full((4, 4), 0.25)}, "one-hot"),
}


@pytest.fixture
def good(rng):
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(4)])
    return model, rng.random((4, 8, 8, 3), dtype="float32"), np.arange(4)


@pytest.mark.parametrize("name", CASES)
def test_pgd_refuses(name, good):
    model, images, labels = good
    arguments = {"images": images, "labels": labels, "epsilon": 0.1}
    bad, says = CASES[name]
    arguments |= {key: value(images) if callable(value) else value for key, value in bad.items()}
    with refused(says):
        pgd(model, **arguments)


@pytest.mark.parametrize(
    ("use", "says"),
    [
        (lambda m, x, y: fgsm(m, x, y, epsilon=-1), "`epsilon`"),
        (lambda m, x, y: foolbox_model(m, (1, 0)), "`bounds`"),
        (lambda m, x, y: foolbox_model(m, data_format="nchw"), "`data_format`"),
        (lambda m, x, y: foolbox_model(m).inputs(x + 1, y), "range that the model takes"),
        (lambda m, x, y: foolbox_model(m).inputs(x, y + 4), "from 0 to 3"),
        (lambda m, x, y: foolbox_attack("carlini"), "`attack` must be one of 'linf_pgd'"),
        (lambda m, x, y: foolbox_seed(-1).__enter__(), "`seed`"),
    ],
)
def test_others_refuse(use, says, good):
    with refused(says):
        use(*good)


def test_labels_are_checked_against_a_model_of_unknown_shape(rng):
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.flatten, self.dense = keras.layers.Flatten(), keras.layers.Dense(3)

        def call(self, inputs):
            return self.dense(self.flatten(inputs))

    images = rng.random((4, 8, 8, 3), dtype="float32")
    with pytest.raises(ValueError, match=r"from 0 to 2, the model's outputs. Received: labels from 0 to 3"):
        pgd(Subclassed(), images, np.arange(4), epsilon=0.1)


@pytest.mark.parametrize("attack", [fgsm, pgd, square])
def test_attacks_take_data_in_place_of_images_and_labels(attack, classifier, images, labels):
    options = {"epsilon": 0.02} | ({"queries": 3} if attack is square else {})
    wanted = attack(classifier, images, labels, **options)
    batches = ArrayBatches(images, labels, batch_size=3)
    for data in ((images, labels), batches, {"image": images, "label": labels}):
        np.testing.assert_array_equal(attack(classifier, data, **options), wanted)
    with refused("a tuple of arrays (images, labels)", error=TypeError):
        attack(classifier, images, **options)
