"""The callback measures what the function measures, reaches the logs, and leaves training alone."""

from __future__ import annotations

import csv

import keras
import numpy as np
import pytest

from keras_freq.callbacks import AdversarialAccuracy
from keras_freq.data import ArrayBatches
from keras_freq.evaluate import adversarial_accuracy

OPTIONS = {"epsilons": (0.01, 8 / 255), "steps": 3, "random_start": True}
KEYS = ["linf_pgd_0.01", "linf_pgd_0.0314"]


@pytest.fixture
def data(rng):
    return rng.random((20, 8, 8, 3), dtype="float32"), (np.arange(20) % 3).astype("int32")


def network():
    keras.utils.set_random_seed(5)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Flatten(),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(3),
        ]
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def train(data, callbacks, epochs=2):
    model = network()
    history = model.fit(*data, batch_size=10, epochs=epochs, verbose=0, callbacks=callbacks)
    return model, history.history


def test_training_is_bit_identical_with_and_without(data):
    plain, without = train(data, [])
    measured, with_callback = train(data, [AdversarialAccuracy(data, **OPTIONS)])
    assert without["loss"] == with_callback["loss"]
    for a, b in zip(plain.get_weights(), measured.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_history_and_csv(data, tmp_path):
    robust = AdversarialAccuracy(data, prefix="val_", **OPTIONS)
    model, history = train(data, [robust, keras.callbacks.CSVLogger(str(tmp_path / "log.csv"))])
    keys = ["val_clean", *(f"val_{key}" for key in KEYS)]
    assert sorted(history) == ["loss", *keys]
    assert all(type(value) is float for key in keys for value in history[key])
    with open(tmp_path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [[float(row[key]) for row in rows] for key in keys] == [history[key] for key in keys]
    assert [epoch for epoch, _ in robust.history] == [0, 1]
    expected = adversarial_accuracy(model, data, engine="own", **OPTIONS)
    assert robust.history[1][1] == expected
    assert [history[key][1] for key in keys] == [expected.clean, *expected.accuracy]


def test_every_other_epoch_on_some_images(data):
    robust = AdversarialAccuracy(
        ArrayBatches(*data, batch_size=6), attack="l2_pgd", epsilons=0.5, steps=2, every=2, n=8
    )
    _, history = train(data, [robust], epochs=3)
    assert [epoch for epoch, _ in robust.history] == [1]
    assert robust.history[0][1].n == 8
    assert np.isnan(history["l2_pgd_0.5"]).tolist() == [True, False, True]
    assert history["l2_pgd_0.5"][1] == robust.history[0][1].accuracy[0]


def test_through_foolbox(data):
    pytest.importorskip("foolbox")
    robust = AdversarialAccuracy(data, attack="fgsm", epsilons=(0.02,), engine="foolbox")
    model, history = train(data, [robust], epochs=1)
    result = adversarial_accuracy(model, data, attack="fgsm", epsilons=(0.02,), engine="own")
    assert history["fgsm_0.02"] == [result.accuracy[0]]


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch runs eagerly")
def test_epochs_do_not_recompile(data):
    runs = []

    class Counting(keras.layers.Layer):
        def call(self, inputs, training=None):
            runs.append(training)
            return inputs

    model = keras.Sequential(
        [keras.Input((8, 8, 3)), Counting(), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(*data, epochs=1, verbose=0, callbacks=[AdversarialAccuracy(data, steps=2)])
    runs.clear()
    model.fit(*data, epochs=3, verbose=0, callbacks=[AdversarialAccuracy(data, steps=3, epsilons=(0.1, 0.2))])
    assert runs.count(False) == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"attack": "pgd"}, "`attack`"),
        ({"epsilons": ()}, "`epsilons`"),
        ({"epsilons": (-0.1,)}, "`epsilons`"),
        ({"epsilons": (0.12341, 0.12342)}, "first three digits"),
        ({"steps": 0}, "`steps`"),
        ({"step_size": 0}, "`step_size`"),
        ({"every": 0}, "`every`"),
        ({"every": 1.5}, "`every`"),
        ({"n": 0}, "`n`"),
        ({"seed": -1}, "`seed`"),
        ({"engine": "art"}, "`engine`"),
        ({"bounds": (1, 0)}, "`bounds`"),
        ({"data": iter([])}, "read only once"),
    ],
)
def test_bad_input(options, says, data):
    options = {"data": data, **options}
    with pytest.raises(ValueError, match="Received: ") as error:
        AdversarialAccuracy(options.pop("data"), **options)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
