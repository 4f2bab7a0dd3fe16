"""The first iterations of a network, F1 of each class by iteration, kept once they are done."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import keras
import numpy as np

import keras_freq as kf
from apps.freq_shortcuts.config import Training
from apps.freq_shortcuts.networks import classifier, compile_for
from apps.lab import Run

LEARNED = 0.5  # F1 from which a class counts as learned


def early(
    run: Run,
    stage: str,
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    classes: int,
    *,
    training: Training,
    iterations: int,
    every: int,
    seed: int,
    after: Callable[[keras.Model], dict[str, np.ndarray]] = lambda model: {},
) -> dict[str, np.ndarray]:
    """Trains for some iterations, without augmentation, and measures while it does.

    Kept in the run's folder: a training that was cut short starts again, a finished one is read.

    Args:
        run: The run.
        stage: Name of the training.
        train: Images and labels to train on.
        test: Images and labels to measure F1 on.
        classes: Number of classes.
        training: Network, optimiser and batches.
        iterations: Steps to take.
        every: Measure after every n-th of them.
        seed: Seed of the weights and of the order of the images.
        after: What to measure with the network at the end.

    Returns:
        `f1` `(measurements, classes)`, `steps` `(measurements,)`, `seconds` that all of it took, and what
        `after` measured.
    """

    def compute() -> dict[str, np.ndarray]:
        run.say(f"{stage}: {iterations} iterations of {training.batch_size} images")
        start = time.perf_counter()
        images, labels = train
        model = classifier(training, images.shape[1:], classes, seed=seed, name=stage.split("/")[0])
        steps = math.ceil(len(labels) / training.batch_size)
        compile_for(model, training, steps=steps)
        measured = kf.callbacks.EarlyLearning(test, every=every, iterations=iterations)
        batches = kf.data.ArrayBatches(
            images, labels, batch_size=training.batch_size, shuffle=True, seed=seed
        )
        epochs = math.ceil(iterations / steps)
        model.fit(batches, epochs=epochs, callbacks=[measured, _Stop(iterations)], verbose=0)
        found = {"f1": measured.f1, "steps": np.array(measured.steps), **after(model)}
        return {**found, "seconds": np.float64(time.perf_counter() - start)}

    return run.arrays(stage, compute)


def first(kept: dict[str, np.ndarray]) -> list[int]:
    """The classes in the order in which they were learned; those that were not are left out."""
    return list(kf.callbacks.first_learned(kept["f1"], LEARNED))


def tied(kept: dict[str, np.ndarray]) -> bool:
    """Whether another class was learned at the same measurement as the first one."""
    reached = (kept["f1"] >= LEARNED).any(axis=1)
    return bool(reached.any()) and int((kept["f1"][reached.argmax()] >= LEARNED).sum()) > 1


def timed(rows: list[dict], kept: dict[str, np.ndarray]) -> list[dict]:
    """Records that share the time of their training."""
    return [{**row, "seconds": float(kept["seconds"]) / len(rows)} for row in rows]


class _Stop(keras.callbacks.Callback):
    """Ends training after so many steps."""

    def __init__(self, iterations: int):
        super().__init__()
        self.left = iterations

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left <= 0:
            self.model.stop_training = True
