import keras
import numpy as np
import pytest

from keras_freq.callbacks import AdversarialAccuracy
from keras_freq.data import ArrayBatches
from keras_freq.evaluate import adversarial_accuracy


@pytest.fixture
def data(rng):
    return rng.random((20, 8, 8, 3), dtype="float32"), (np.arange(20) % 3).astype("int32")


def train(data, callback):
    keras.utils.set_random_seed(5)
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    eagerly = keras.backend.backend() == "tensorflow"  # where tracing takes longer than two steps
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, run_eagerly=eagerly)
    return model, model.fit(*data, batch_size=10, epochs=1, verbose=0, callbacks=[callback]).history


def test_some_images_of_batches_in_l2(data):
    options = {"attack": "l2_pgd", "epsilons": 0.5, "steps": 2, "n": 8}
    robust = AdversarialAccuracy(ArrayBatches(*data, batch_size=6), **options)
    model, history = train(data, robust)
    expected = adversarial_accuracy(model, data, engine="own", **options)
    assert robust.keys == ("clean", "l2_pgd_0.5")
    assert [history[key] for key in robust.keys] == [[expected.clean], [expected.accuracy[0]]]
    assert robust.history[0][1].n == 8


def test_through_foolbox(data):
    pytest.importorskip("foolbox")
    robust = AdversarialAccuracy(data, attack="fgsm", epsilons=(0.02,), engine="foolbox")
    model, history = train(data, robust)
    result = adversarial_accuracy(model, data, attack="fgsm", epsilons=(0.02,), engine="own")
    assert history["fgsm_0.02"] == [result.accuracy[0]]


def test_pixels_outside_the_bounds_are_refused_before_training(data):
    images, labels = data
    batches = ArrayBatches(np.concatenate([images[:-1], images[-1:] + 1]), labels, batch_size=6)
    with pytest.raises(ValueError, match=r"range that the model takes"):
        train(data, AdversarialAccuracy(batches))
