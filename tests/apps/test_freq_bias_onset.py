"""The first steps: which are looked at, when a level is reached, a run that was cut short."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from apps.freq_bias import onset
from tests.apps import running
from tests.apps.running import interrupt, numbers, records

TINY = """
seed: 0
seeds: 1
data: {name: cifar10_mini, train_images: 40, test_images: 20}
training: {network: tiny, epochs: 4, batch_size: 16, learning_rate: 0.05, schedule: constant}
iterations: 10
measured_images: 6
"""


@pytest.fixture(autouse=True)
def miniature(here):
    (here / "tiny.yaml").write_text(TINY)


def test_steps_are_powers_of_two_and_the_last():
    assert onset.moments_within(1) == (0, 1)
    assert onset.moments_within(8) == (0, 1, 2, 4, 8)
    assert onset.moments_within(10) == (0, 1, 2, 4, 8, 10)


def test_a_level_is_reached_when_it_is_kept():
    moments = (0, 1, 2, 4, 8)
    assert onset.first_step([0.3, 0.1, 0.2, 0.3, 0.2], moments, 0.2) == 2
    assert onset.first_step([0.3, 0.3, 0.3, 0.3, 0.1], moments, 0.2) == np.inf
    assert onset.first_step([0.3] * 5, moments, 0.2) == 0


def test_what_cannot_be_is_one_line():
    wrong = {
        "iterations=13": "`iterations` must be at most the 12 steps of `training.epochs`",
        "measured_images=21": "`measured_images` must be at most the number of test images, 20",
        "level=1.5": "`level` must be above 0 and below 1",
        "training.validation=.2": "`training.validation` must be 0",
        "training.iterations=3": "`training.iterations` must be null",
    }
    for number, (word, message) in enumerate(wrong.items()):
        running.refuse(message, "freq_bias", "onset", "tiny.yaml", word, f"output=out{number}")


def test_training_ends_with_the_last_step_and_is_seen_before_the_first(images, labels):
    model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(4)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    seen = []
    callback = onset.AtSteps(
        (0, 1, 2, 4, 5), lambda step: seen.append((step, int(model.optimizer.iterations)))
    )
    model.fit(images, labels, batch_size=4, epochs=9, verbose=0, callbacks=[callback])
    assert seen == [(step, step) for step in (0, 1, 2, 4, 5)]
    assert int(model.optimizer.iterations) <= 6


@pytest.mark.slow
@pytest.mark.once
def test_in_miniature_and_after_an_interruption():
    words = ["onset", "tiny.yaml", "seeds=2", "iterations=4"]
    running.finish("freq_bias", *words, "output=straight")
    rows = [record for record in records("straight") if "step" in record]
    assert len(rows) == 2 * 4 * 9
    assert sorted({row["step"] for row in rows}) == [0, 1, 2, 4]
    shares = [r["value"] for r in rows if r["step"] == 4 and r["seed"] == 0 and "share" in r["measure"]]
    assert min(shares) < 1 < max(shares)
    assert {path.stem for path in Path("straight/figures").glob("*.png")} == {
        "onset_accuracy",
        "onset_gradients",
    }
    assert "before any training" in Path("straight/summary.md").read_text()
    with interrupt(onset, "_look", at=6):
        assert running.call("freq_bias", *words, "output=out") == 130
    running.finish("freq_bias", "onset", "--resume", "out")
    assert numbers("out") == numbers("straight")
