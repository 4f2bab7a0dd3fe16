"""A rate on plateaus that a kill does not undo, and the images that are held out for it."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from apps.lab import Run
from apps.lab.schedules import VALIDATION_LOSS, plateau_rate
from apps.lab.settings import Crop
from apps.lab.train import hold_out
from tests.apps.tiny_training import RECIPE, Settings, train

TINY = dataclasses.replace(
    RECIPE,
    epochs=5,
    learning_rate=0.1,
    weight_decay=1e-4,
    schedule="plateau",
    patience=1,
    factor=0.5,
    validation=0.25,
    crop=Crop(padding=2),
)
LABELS = np.arange(32, dtype="int32") % 2
IMAGES = np.random.default_rng(0).integers(0, 128, (32, 12, 12, 3), dtype="uint8")
IMAGES[LABELS == 1] += 128
# The images that are held out bear the other label: what is learned makes the validation loss rise.
HELD = hold_out(LABELS, 0.25)[1]
IMAGES[HELD] = 255 - IMAGES[HELD]


class Killed(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 3:
            raise KeyboardInterrupt


def test_the_rate_falls_after_patience_epochs_without_a_new_lowest_loss():
    def rates(losses, **options):
        return [plateau_rate(losses[:k], rate=1.0, factor=0.1, **options) for k in range(len(losses) + 1)]

    losses = [3, 2, 2, 2.5, 1, 1, 1, 1]
    assert rates(losses, patience=2) == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01])
    assert rates(losses, patience=9) == [1] * 9
    assert rates([1, 0.95, 0.8], patience=1, threshold=0.1) == pytest.approx([1, 1, 0.1, 0.1])
    assert rates([np.nan, np.nan], patience=1) == pytest.approx([1, 0.1, 0.01])


def test_killed_and_resumed_on_a_plateau_equals_unbroken(here):
    def begin(name):
        return Run.start("tiny", Settings(output=name, store=f"{name}/networks"))

    whole, broken = begin("whole"), begin("broken")
    data = (IMAGES, LABELS)
    # Watched, as the one that is killed: the store keeps them apart, and the history is the same.
    model, history = train(whole, TINY, data, watch={})
    with pytest.raises(KeyboardInterrupt):
        train(broken, TINY, data, callbacks=[Killed()], watch={})
    again, resumed = train(broken, TINY, data, watch={})
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert {k: v for k, v in history.items() if k != "seconds"} == {
        k: v for k, v in resumed.items() if k != "seconds"
    }
    # It fell, by the losses that were kept, in epochs before the kill and after it.
    rates = [plateau_rate(history[VALIDATION_LOSS][:k], rate=0.1, factor=0.5, patience=1) for k in range(5)]
    assert history["learning_rate"] == pytest.approx(rates)
    assert rates[3] < rates[0]
    assert rates[4] < rates[3]


def test_the_same_share_of_every_class_is_hold_out_whatever_the_seed():
    labels = np.array([0] * 40 + [1] * 20 + [2] * 10)
    rows, held = hold_out(labels, 0.1)
    assert np.bincount(labels[held]).tolist() == [4, 2, 1]
    assert sorted([*rows, *held]) == list(range(70))
    np.testing.assert_array_equal(held, hold_out(labels, 0.1)[1])
    # The split of a class does not depend on how many images the others have.
    np.testing.assert_array_equal(hold_out(labels[:40], 0.1)[1], held[:4])
    assert len(hold_out(labels, 0)[1]) == 0
    with pytest.raises(ValueError, match=r"`training.validation` must leave.*validation=0\.01"):
        hold_out(labels, 0.01)


def test_mixed_labels_are_trained_with_images_held_out(here):
    run = Run.start("tiny", Settings(output="out"))
    mixed = dataclasses.replace(TINY, epochs=1, augmentation="mix_up", label_smoothing=0.1)
    model, history = train(run, mixed, (IMAGES, LABELS))
    logits = model.predict(IMAGES[HELD] / np.float32(255), verbose=0)
    wanted = keras.losses.sparse_categorical_crossentropy(LABELS[HELD], logits, from_logits=True)
    mean = keras.ops.convert_to_numpy(wanted).mean()
    np.testing.assert_allclose(history[VALIDATION_LOSS], [mean], rtol=1e-3)
