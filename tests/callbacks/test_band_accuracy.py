"""The callback measures what the function measures, reaches the logs, and leaves training alone."""

from __future__ import annotations

import csv

import keras
import numpy as np
import pytest

from keras_freq.callbacks import BandAccuracy
from keras_freq.data import ArrayBatches
from keras_freq.evaluate import band_accuracy


@pytest.fixture
def data(rng):
    return rng.random((20, 16, 16, 3), dtype="float32"), (np.arange(20) % 3).astype("int32")


def network():
    keras.utils.set_random_seed(5)
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.AveragePooling2D(4),
            keras.layers.Flatten(),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(3),
        ]
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def train(data, callbacks, epochs=3):
    model = network()
    history = model.fit(*data, batch_size=8, epochs=epochs, verbose=0, callbacks=callbacks)
    return model, history.history


def test_training_is_bit_identical_with_and_without(data):
    plain, without = train(data, [])
    measured, with_callback = train(data, [BandAccuracy(data, radii=(2, 4))])
    assert without["loss"] == with_callback["loss"]
    for a, b in zip(plain.get_weights(), measured.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_history_and_csv(data, tmp_path):
    bands = BandAccuracy(data, radii=(2, 4.5), prefix="val_")
    _, history = train(data, [bands, keras.callbacks.CSVLogger(str(tmp_path / "log.csv"))])
    keys = ["val_clean", "val_high_2", "val_high_4.5", "val_low_2", "val_low_4.5"]
    assert sorted(history) == ["loss", *keys]
    assert all(type(value) is float for key in keys for value in history[key])
    with open(tmp_path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [[float(row[key]) for row in rows] for key in keys] == [history[key] for key in keys]


def test_weights_are_those_of_the_epoch(data):
    """The numbers during `fit` are those of the weights at that epoch's end."""
    weights = []

    class Weights(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            weights.append(self.model.get_weights())

    bands = BandAccuracy(data, radii=(2, 4))
    model, _ = train(data, [bands, Weights()])
    assert [epoch for epoch, _ in bands.history] == [0, 1, 2]
    assert np.abs(weights[0][0] - weights[2][0]).max() > 1e-4
    for (_, during), then in zip(bands.history, weights, strict=True):
        model.set_weights(then)
        after = band_accuracy(model, data, radii=(2, 4))
        assert (during.low, during.high, during.clean) == (after.low, after.high, after.clean)


def test_every_other_epoch(data):
    bands = BandAccuracy(data, radii=(2,), every=2)
    _, history = train(data, [bands], epochs=5)
    assert [epoch for epoch, _ in bands.history] == [1, 3]
    assert np.isnan(history["low_2"]).tolist() == [True, False, True, False, True]
    assert history["high_2"][3] == bands.history[1][1].high[0]


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch runs eagerly")
def test_epochs_do_not_recompile(data):
    runs = []

    class Counting(keras.layers.Layer):
        def call(self, inputs, training=None):
            runs.append(training)
            return inputs

    model = keras.Sequential(
        [keras.Input((16, 16, 3)), Counting(), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(*data, epochs=1, verbose=0, callbacks=[BandAccuracy(data, radii=(2, 4))])
    runs.clear()
    model.fit(*data, epochs=4, verbose=0, callbacks=[BandAccuracy(data, radii=(2, 4, 6))])
    assert runs.count(False) == 0


def test_rescales_the_filtered_images(data):
    bands = BandAccuracy(data, radii=(2, 4), rescale="max")
    model, history = train(data, [bands], epochs=1)
    result = bands.history[0][1]
    assert result == band_accuracy(model, data, radii=(2, 4), rescale="max")
    assert result.settings["rescale"] == "max"
    assert (history["high_2"][0], history["high_4"][0]) == result.high


def test_reads_a_pydataset(data):
    bands = BandAccuracy(ArrayBatches(*data, batch_size=6), radii=(2,))
    model, _ = train(data, [bands], epochs=1)
    assert bands.history[0][1].n == 20
    assert bands.history[0][1].low == band_accuracy(model, data, radii=(2,)).low


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"radii": ()}, "`radii`"),
        ({"radii": (-1,)}, "`radii`"),
        ({"radii": (float("nan"),)}, "`radii`"),
        ({"rescale": "mean"}, "`rescale`"),
        ({"every": 0}, "`every`"),
        ({"every": 1.5}, "`every`"),
        ({"data": iter([])}, "read only once"),
    ],
)
def test_bad_input(options, says, data):
    options = {"data": data, **options}
    with pytest.raises(ValueError, match="Received: ") as error:
        BandAccuracy(options.pop("data"), **options)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
