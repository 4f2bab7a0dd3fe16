"""The callback measures what the function measures, reaches the logs, and leaves training alone."""

from __future__ import annotations

import csv

import keras
import numpy as np
import pytest

from keras_freq.callbacks import FourierHeatMap
from keras_freq.evaluate import fourier_heat_map

KEYS = ["fourier_error", "fourier_error_high", "fourier_error_low", "fourier_error_mid"]


@pytest.fixture
def data(rng):
    return rng.random((20, 12, 12, 1), dtype="float32"), (np.arange(20) % 3).astype("int32")


def train(data, callbacks, epochs=4):
    keras.utils.set_random_seed(5)
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            keras.layers.AveragePooling2D(2),
            keras.layers.Flatten(),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(3),
        ]
    )
    model.compile(keras.optimizers.Adam(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(*data, batch_size=8, epochs=epochs, verbose=0, callbacks=callbacks)
    return model, history.history


def test_logs_history_and_training(data, tmp_path):
    weights = []

    class Weights(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            weights.append(self.model.get_weights())

    heat = FourierHeatMap(data, every=2, epsilon=1.0, n=15, window=4, prefix="val_")
    log = keras.callbacks.CSVLogger(str(tmp_path / "log.csv"))
    model, history = train(data, [heat, Weights(), log])
    plain, without = train(data, [])
    assert history["loss"] == without["loss"]
    for a, b in zip(plain.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)

    keys = [f"val_{key}" for key in KEYS]
    assert sorted(history) == ["loss", *keys]
    assert all(type(value) is float for key in keys for value in history[key])
    assert np.isnan(history[keys[0]]).tolist() == [True, False, True, False]
    with open(tmp_path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for key in keys:
        np.testing.assert_array_equal([float(row[key]) for row in rows], history[key])

    assert [epoch for epoch, _ in heat.history] == [1, 3]
    for epoch, during in heat.history:
        model.set_weights(weights[epoch])
        after = fourier_heat_map(model, data, epsilon=1.0, n=15, window=4)
        assert during == after
        assert during.n == 15
        assert history["val_fourier_error"][epoch] == pytest.approx(np.nanmean(after.error))
        for ring, value in after.ring_means().items():
            assert history[f"val_fourier_error_{ring}"][epoch] == value


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"epsilon": -1}, "`epsilon`"),
        ({"phase": "any"}, "`phase`"),
        ({"seed": -1}, "seed=-1"),
        ({"bounds": (1, 0)}, "`bounds`"),
        ({"every": 0}, "every=0"),
        ({"every": 1.5}, "every=1.5"),
        ({"n": 0}, "n=0"),
        ({"data": iter([])}, "read only once"),
    ],
)
def test_bad_input(options, says, data):
    options = {"data": data, **options}
    with pytest.raises(ValueError, match="Received: ") as error:
        FourierHeatMap(options.pop("data"), **options)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
