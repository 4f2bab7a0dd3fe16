"""The first steps of a network, with F1 of each class on the way."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import keras
import numpy as np

import keras_freq as kf
from apps.lab import Run
from apps.lab.kept import KeptHistory
from apps.lab.settings import Training
from apps.lab.train import trained

LEARNED = 0.5  # F1 from which a class counts as learned


class KeptEarlyLearning(KeptHistory, kf.callbacks.EarlyLearning):
    """Early learning whose steps count on after a kill."""

    def start_of(self, epoch: int) -> int:
        return epoch * self.params["steps"] + 1

    def on_epoch_begin(self, epoch: int, logs: MutableMapping[str, float] | None = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self._step = self.start_of(epoch) - 1


def train_early(
    run: Run,
    training: Training,
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    *,
    classes: int,
    every: int,
    seed: int,
    label: str,
    record: dict[str, Any],
) -> tuple[keras.Model, KeptEarlyLearning]:
    """Trains for `training.iterations` steps and measures F1 on test images after every n-th of them."""
    early = KeptEarlyLearning(test, every=every, iterations=training.iterations or 1)
    model, _ = trained(
        run,
        training,
        train,
        classes=classes,
        seed=seed,
        label=label,
        record=record,
        callbacks=[early],
        watch={"measure": "F1 by class", "every": every, "on": test},
    )
    return model, early


def tied(f1: np.ndarray) -> bool:
    """Whether another class was learned at the same measurement as the first one."""
    reached = (f1 >= LEARNED).any(axis=1)
    return bool(reached.any()) and int((f1[reached.argmax()] >= LEARNED).sum()) > 1
