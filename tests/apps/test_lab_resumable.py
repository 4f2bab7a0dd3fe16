from __future__ import annotations

import io
import os
import zipfile

import keras
import numpy as np
import pytest

from apps.lab import RunError, resumable
from apps.lab.resumable import epochs_done, fit_resumably, kept_history
from keras_freq.data import ArrayBatches


def build(units=4, dropout=0.5):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.RandomFlip("horizontal", seed=5),
            keras.layers.Conv2D(4, 3, strides=2, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dropout(dropout, seed=7),
            keras.layers.Dense(units),
        ]
    )
    schedule = keras.optimizers.schedules.CosineDecay(0.02, decay_steps=12)
    model.compile(
        keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


@pytest.fixture
def arrays(rng):
    return rng.integers(0, 256, (24, 16, 16, 3), "uint8"), rng.integers(0, 4, 24).astype("int32")


def batches(arrays):
    return ArrayBatches(*arrays, batch_size=8, shuffle=True, seed=1)


def without_seconds(history):
    return {name: values for name, values in history.items() if name != "seconds"}


def test_two_epochs_and_two_more_equal_four_to_the_bit(arrays, tmp_path):
    straight = build()
    expected = fit_resumably(straight, batches(arrays), epochs=4, checkpoint=tmp_path / "straight.npz")

    fit_resumably(build(), batches(arrays), epochs=2, checkpoint=tmp_path / "cut.npz")
    resumed = build()
    for variable in resumed.trainable_variables:  # whatever it starts from must not matter
        variable.assign(variable * 0 + 0.5)
    history = fit_resumably(resumed, batches(arrays), epochs=4, checkpoint=tmp_path / "cut.npz")

    assert without_seconds(history) == without_seconds(expected)
    assert len(history["loss"]) == len(history["seconds"]) == 4
    for a, b in zip(straight.variables, resumed.variables, strict=True):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b), err_msg=a.path
        )
    for a, b in zip(straight.optimizer.variables, resumed.optimizer.variables, strict=True):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b), err_msg=a.path
        )


def test_the_random_states_and_the_order_are_what_make_it_equal(arrays, tmp_path):
    """Without the checkpoint two more epochs give other numbers, so the test above can fail."""
    model = build()
    fit_resumably(model, batches(arrays), epochs=2, checkpoint=tmp_path / "a.npz")
    again = build()
    again.set_weights(model.get_weights())
    history = again.fit(batches(arrays), epochs=2, verbose=0, shuffle=False).history
    straight = fit_resumably(build(), batches(arrays), epochs=4, checkpoint=tmp_path / "b.npz")
    assert history["loss"] != straight["loss"][2:]


def test_a_kill_in_the_middle_of_an_epoch(arrays, tmp_path):
    class Kill(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 7:  # in the third epoch of three batches
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_resumably(build(), batches(arrays), epochs=4, checkpoint=tmp_path / "cut.npz", callbacks=[Kill()])
    history = fit_resumably(build(), batches(arrays), epochs=4, checkpoint=tmp_path / "cut.npz")
    straight = fit_resumably(build(), batches(arrays), epochs=4, checkpoint=tmp_path / "straight.npz")
    assert without_seconds(history) == without_seconds(straight)


def test_a_finished_training_is_read_back(arrays, tmp_path):
    model = build()
    history = fit_resumably(model, batches(arrays), epochs=1, checkpoint=tmp_path / "a.npz")
    again = build()
    assert fit_resumably(again, batches(arrays), epochs=1, checkpoint=tmp_path / "a.npz") == history
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_validation_and_callbacks_reach_the_history(arrays, tmp_path, capsys):
    class Extra(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["low_4"] = 0.25

    history = fit_resumably(
        build(),
        batches(arrays),
        epochs=2,
        checkpoint=tmp_path / "a.npz",
        callbacks=[Extra()],
        validation_data=ArrayBatches(*arrays, batch_size=8),
        label="plain",
    )
    assert history["low_4"] == [0.25, 0.25]
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "seconds"} <= set(history)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("plain  epoch 2/2  ")
    assert "low_4 0.25" in lines[1]


def test_tf_data_goes_on_at_the_epoch_in_an_order_of_its_own(arrays, tmp_path, capsys):
    tf = pytest.importorskip("tensorflow")
    images, labels = arrays
    dataset = tf.data.Dataset.from_tensor_slices(((images / 255).astype("float32"), labels))
    plain = dataset.batch(8)  # without a shuffle there is nothing to lose
    straight = fit_resumably(build(), plain, epochs=3, checkpoint=tmp_path / "straight.npz")
    fit_resumably(build(), plain, epochs=1, checkpoint=tmp_path / "cut.npz")
    assert "goes on" not in capsys.readouterr().out
    history = fit_resumably(build(), plain, epochs=3, checkpoint=tmp_path / "cut.npz")
    note = "goes on after epoch 1 of 3; the order of the images is not that of an unbroken run"
    assert note in capsys.readouterr().out
    assert without_seconds(history) == without_seconds(straight)


def test_wrong_checkpoints_feeds_and_epochs(arrays, tmp_path):
    checkpoint = tmp_path / "a.npz"
    fit_resumably(build(), batches(arrays), epochs=2, checkpoint=checkpoint)
    with pytest.raises(RunError, match=r"holds 2 epochs.*Received: epochs=1"):
        fit_resumably(build(), batches(arrays), epochs=1, checkpoint=checkpoint)
    with pytest.raises(RunError, match="variables of this model"):
        fit_resumably(build(units=5), batches(arrays), epochs=3, checkpoint=checkpoint)
    checkpoint.write_bytes(b"half a file")
    with pytest.raises(RunError, match="must be a checkpoint"):
        fit_resumably(build(), batches(arrays), epochs=3, checkpoint=checkpoint)
    with pytest.raises(ValueError, match="attribute `epoch`"):
        fit_resumably(build(), arrays, epochs=3, checkpoint=tmp_path / "b.npz")
    with pytest.raises(ValueError, match=r"`epochs`.*Received: epochs=0"):
        fit_resumably(build(), batches(arrays), epochs=0, checkpoint=tmp_path / "b.npz")


def damages(path, content, rng, flips):
    """A file damaged in every way, one after the other."""
    for length in (0, 1, 30, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        yield f"cut to {length}"
    places = [*rng.integers(0, len(content), flips), *range(len(content) - 60, len(content))]
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        yield f"byte {place}"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 50,)}
    )
    for form in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(path, "w", form) as archive:
            archive.writestr("note.npy", header.getvalue() + bytes(1 << 16))
        yield "an array of petabytes"
    for arrays in (
        {"x": np.arange(3)},
        {"note": np.array([{}], dtype=object)},
        {"note": np.asarray("{"), "x": np.arange(3)},
        {"note": np.asarray("[1]")},
        {"note": np.asarray('{"epochs_done": 2, "history": {"loss": [1.0]}}')},
    ):
        np.savez(path, **arrays)
        yield f"foreign, {list(arrays)}"
    path.unlink()
    path.mkdir()
    yield "a folder"
    path.rmdir()
    path.write_bytes(content)
    path.chmod(0)
    if not os.access(path, os.R_OK):  # root may read all
        yield "unreadable"
    path.chmod(0o644)


@pytest.mark.once
def test_every_damage_to_a_checkpoint_is_one_line_or_changes_nothing(arrays, tmp_path, rng):
    checkpoint = tmp_path / "a.npz"
    history = fit_resumably(build(), batches(arrays), epochs=1, checkpoint=checkpoint)
    content = checkpoint.read_bytes()
    model = build()
    model.optimizer.build(model.trainable_variables)
    whole = resumable._restore(model, checkpoint)
    expected = [np.copy(value) for value in model.get_weights()]
    refused = 0
    for damage in damages(checkpoint, content, rng, 200):
        for read in (lambda: resumable._restore(model, checkpoint), lambda: epochs_done(checkpoint)):
            try:
                found = read()
            except RunError as error:
                line = str(error)
                assert f"{checkpoint} must be a checkpoint of this run: remove it, and the" in line, damage
                assert "\n" not in line, damage
                refused += 1
                continue
            assert found in (whole, 1), damage
            assert kept_history(checkpoint) == history, damage
            for one, other in zip(model.get_weights(), expected, strict=True):
                np.testing.assert_array_equal(one, other, err_msg=damage)
    assert refused > 200
