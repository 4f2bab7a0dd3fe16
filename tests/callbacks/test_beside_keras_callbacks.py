"""Beside the callbacks of Keras that read the logs: as a metric of validation under `validation_freq`."""

import csv
import functools
import warnings

import keras
import numpy as np
import pytest

from keras_freq.callbacks import BandAccuracy, EarlyLearning

pytestmark = pytest.mark.filterwarnings(
    "ignore:Early stopping conditioned", "ignore:Learning rate reduction", "ignore:Can save best model"
)


@pytest.fixture
def data(rng):
    """Noise that is learned, and measured on other noise: accuracies go up and down."""
    return [(rng.random((24, 8, 8, 1), dtype="float32"), rng.integers(0, 3, 24)) for _ in range(2)]


@functools.cache
def network():
    """One for all trainings, since what is compiled for it serves them all; and its first weights."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(), loss, metrics=["accuracy"])
    return model, [weight.copy() for weight in model.get_weights()]


def train(data, callbacks, *, epochs=12, **options):
    """The last weights, and what `fit` returns."""
    model, start = network()
    model.set_weights(start)
    model.optimizer.learning_rate = 0.5
    # Not shuffled: on PyTorch validation moves the generator that shuffles.
    options |= {"batch_size": 8, "epochs": epochs, "shuffle": False}
    history = model.fit(*data[0], verbose=0, callbacks=callbacks, **options)
    return [weight.copy() for weight in model.get_weights()], history


def both(data, make, **options):
    """Two trainings whose reader, by `make(key)`, reads what was measured, and what Keras validated."""
    readers = [make("clean"), make("val_accuracy")]
    bands = BandAccuracy(data[1], radii=2, every=2)
    measured = train(data, [bands, readers[0]], **options)
    validated = train(data, [readers[1]], validation_data=data[1], validation_freq=2, **options)
    assert measured[1].history["clean"] == pytest.approx(validated[1].history["val_accuracy"])
    return readers, measured, validated


def same_weights(one, other):
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("patience", [1, 4])
def test_early_stopping(patience, data):
    readers, measured, validated = both(
        data,
        lambda key: keras.callbacks.EarlyStopping(
            key, mode="max", patience=patience, restore_best_weights=True
        ),
    )
    assert measured[1].epoch == validated[1].epoch
    assert readers[0].best_epoch == readers[1].best_epoch
    assert readers[0].best_epoch % 2 == 1
    assert readers[0].stopped_epoch == readers[1].stopped_epoch
    same_weights(measured[0], validated[0])


def test_model_checkpoint(data, tmp_path):
    def make(key):
        path = tmp_path / key / "{epoch}.weights.h5"
        return keras.callbacks.ModelCheckpoint(
            str(path), key, mode="max", save_best_only=True, save_weights_only=True
        )

    readers, _, _ = both(data, make)
    saved, validated = (
        sorted(path.name for path in (tmp_path / key).iterdir()) for key in ("clean", "val_accuracy")
    )
    assert saved == validated
    assert len(saved) < 12
    assert readers[0].best == pytest.approx(readers[1].best)


def test_reduce_learning_rate(data):
    _, measured, validated = both(
        data, lambda key: keras.callbacks.ReduceLROnPlateau(key, mode="max", factor=0.5, patience=1)
    )
    rates = measured[1].history["learning_rate"]
    assert rates == validated[1].history["learning_rate"]
    assert len(set(rates)) > 1
    same_weights(measured[0], validated[0])


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("prefix", ["", "val_"])
def test_csv_logger(prefix, data, tmp_path):
    both(data, lambda key: keras.callbacks.CSVLogger(str(tmp_path / key)), epochs=4)
    measured, validated = table(tmp_path / "clean"), table(tmp_path / "val_accuracy")
    assert [row["clean"] == "NA" for row in measured] == [True, False] * 2
    for ours, theirs in zip(measured, validated, strict=True):
        assert ours["loss"] == theirs["loss"]
        assert (ours["clean"] == "NA") == (theirs["val_accuracy"] == "NA")
    # Both at once, with another callback between that writes to the logs.
    path = tmp_path / "all"
    callbacks = [
        BandAccuracy(data[1], radii=2, every=2, prefix=prefix),
        EarlyLearning(data[1], every=[9], prefix=prefix),
        keras.callbacks.ReduceLROnPlateau("loss"),
        keras.callbacks.CSVLogger(str(path)),
    ]
    train(data, callbacks, epochs=4, validation_data=data[1], validation_freq=3)
    rows = table(path)
    columns = {
        "clean": [True, False, True, False],
        "high_2": [True, False, True, False],
        "macro_f1": [True, True, False, True],
    }
    for key, absent in columns.items():
        assert [row[prefix + key] == "NA" for row in rows] == absent
    assert [row["val_loss"] == "NA" for row in rows] == [True, True, False, True]
    assert all(float(row["learning_rate"]) > 0 for row in rows)


def test_tensorboard(data, tmp_path, monkeypatch):
    pytest.importorskip("tensorflow")
    points = []
    # It writes by the package tensorboard, which need not be there.
    summary = keras.callbacks.TensorBoard(str(tmp_path)).summary
    monkeypatch.setattr(
        summary, "scalar", lambda name, value, step: points.append((name, step, round(float(value), 5)))
    )
    both(data, lambda key: keras.callbacks.TensorBoard(str(tmp_path / key), write_graph=False), epochs=4)
    clean = [point[1:] for point in points if point[0] == "epoch_clean"]
    accuracy = [point[1:] for point in points if point[0] == "epoch_accuracy"]
    assert [step for step, _ in clean] == [1, 3]
    # Two trainings of 4 epochs, and two validations.
    assert len(accuracy) == 4 + 4 + 2
    assert set(clean) <= set(accuracy)


def readers(tmp_path):
    return {
        "CSVLogger": keras.callbacks.CSVLogger(str(tmp_path / "log.csv")),
        "EarlyStopping": keras.callbacks.EarlyStopping("low_2", mode="max"),
        "ModelCheckpoint": keras.callbacks.ModelCheckpoint(
            str(tmp_path / "{epoch}.keras"), "high_2", mode="max", save_best_only=True
        ),
        "ReduceLROnPlateau": keras.callbacks.ReduceLROnPlateau("clean", mode="max"),
    }


@pytest.mark.parametrize("name", ["CSVLogger", "EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau"])
def test_one_line_where_a_reader_stands_in_front(name, data, tmp_path):
    """This is also the test that the list of callbacks is found."""
    reader, bands = readers(tmp_path)[name], BandAccuracy(data[1], radii=2)
    with pytest.warns(UserWarning, match="`BandAccuracy` must stand in front") as caught:
        train(data, [reader, bands], epochs=1)
    (line,) = [str(one.message) for one in caught if "must stand" in str(one.message)]
    assert line.endswith(f"{name} will not see them. Received: callbacks=[{name}, BandAccuracy]")
    assert "\n" not in line
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*must stand in front")
        train(data, [bands, reader], epochs=1)


def test_readers_of_other_keys_may_stand_in_front(data, tmp_path):
    callbacks = [
        keras.callbacks.EarlyStopping("loss"),
        keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.keras"), "loss"),
        BandAccuracy(data[1], radii=2),
    ]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*must stand in front")
        train(data, callbacks, epochs=1)


def test_a_loop_of_ones_own_needs_no_list(data):
    bands, logs = BandAccuracy(data[1], radii=2), {}
    bands.set_model(network()[0])
    bands.on_train_begin()
    bands.on_epoch_end(0, logs)
    bands.on_train_end()
    assert set(logs) == set(bands.keys)
