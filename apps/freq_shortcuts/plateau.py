"""The learning rate that falls where the validation loss does not, over a kill as well."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import keras

from apps.freq_shortcuts.config import Training
from apps.runner.training import kept_history

VALIDATION_LOSS = "val_cross_entropy"


def plateau_rate(losses: Iterable[float], *, rate: float, factor: float, patience: int) -> float:
    """The rate of the next epoch after the validation losses of all epochs so far.

    It is multiplied by `factor` where `patience` epochs in a row were not below the lowest loss before them;
    the count then starts again, the lowest loss stays.
    """
    lowest, waited = float("inf"), 0
    for loss in losses:
        if loss < lowest:
            lowest, waited = loss, 0
            continue
        waited += 1
        if waited == patience:
            rate, waited = rate * factor, 0
    return rate


class Plateau(keras.callbacks.Callback):
    """Sets the rate of every epoch from the validation losses of those before, which the checkpoint keeps.

    Args:
        training: The rate at the start, the factor and the patience.
        checkpoint: That of `apps.runner.training.fit_resumably`, which may not be there yet.
    """

    def __init__(self, training: Training, checkpoint: Path):
        super().__init__()
        self.training, self.checkpoint = training, Path(checkpoint)
        self.losses: list[float] = []

    def on_train_begin(self, logs=None):
        kept = kept_history(self.checkpoint) if self.checkpoint.exists() else {}
        self.losses = list(kept.get(VALIDATION_LOSS, ()))

    def on_epoch_begin(self, epoch, logs=None):
        settings = self.training
        self.model.optimizer.learning_rate = plateau_rate(
            self.losses, rate=settings.learning_rate, factor=settings.factor, patience=settings.patience
        )

    def on_epoch_end(self, epoch, logs=None):
        self.losses.append(float(logs[VALIDATION_LOSS]))
        logs["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
