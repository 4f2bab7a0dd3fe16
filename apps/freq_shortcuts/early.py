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
    name: str,
    training: Training,
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    *,
    every: int,
    **options: Any,
) -> tuple[keras.Model, KeptEarlyLearning]:
    """`apps.lab.train.trained` that measures F1 on test images at every n-th of `training.iterations`."""
    early = KeptEarlyLearning(kf.data.ArrayBatches(*test), every=every, iterations=training.iterations or 1)
    watch = {"measure": "F1 by class", "every": every, "on": test}
    model, _ = trained(run, name, training, train, callbacks=[early], watch=watch, **options)
    return model, early


def tied(f1: np.ndarray) -> bool:
    """Whether another class was learned at the same measurement as the first one."""
    reached = (f1 >= LEARNED).any(axis=1)
    return bool(reached.any()) and int((f1[reached.argmax()] >= LEARNED).sum()) > 1
