"""Learning rates over training."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import keras
from keras import ops

from apps.lab.resumable import kept_history

if TYPE_CHECKING:
    from apps.lab.settings import Training

VALIDATION_LOSS = "val_cross_entropy"


@keras.saving.register_keras_serializable(package="keras_freq_apps")
class Cyclic(keras.optimizers.schedules.LearningRateSchedule):
    """Linearly from `begin * rate` up to `rate` at the step `peak`, and down to `end * rate` at `total`."""

    def __init__(self, rate: float, peak: float, total: int, begin: float = 0.0, end: float = 0.0):
        super().__init__()
        self.rate, self.peak, self.total = rate, peak, total
        self.begin, self.end = begin, end

    def __call__(self, step):
        step = ops.cast(step, "float32")
        up, down = step / self.peak, (self.total - step) / (self.total - self.peak)
        up, down = self.begin + (1 - self.begin) * up, self.end + (1 - self.end) * ops.maximum(down, 0.0)
        return self.rate * ops.minimum(up, down)

    def get_config(self):
        bounds = {"rate": self.rate, "peak": self.peak, "total": self.total}
        return {**bounds, "begin": self.begin, "end": self.end}


def learning_rate(training: Training, steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """The rate by step, for `steps` steps an epoch; that of a plateau is set by `Plateau`."""
    rate, total = training.learning_rate, training.iterations or steps * training.epochs
    if training.schedule == "cyclic":
        return Cyclic(rate, training.peak * total, total, training.begin, training.end)
    if training.schedule == "cosine":
        warmup = min(steps * training.warmup, total - 1)
        if not warmup:
            return keras.optimizers.schedules.CosineDecay(rate, total)
        return keras.optimizers.schedules.CosineDecay(
            rate / warmup, decay_steps=total - warmup, warmup_target=rate, warmup_steps=warmup
        )
    if training.schedule == "steps":
        boundaries = [steps * epoch for epoch in training.milestones]
        rates = [rate * training.factor**k for k in range(len(boundaries) + 1)]
        return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)
    return rate


def plateau_rate(
    losses: Iterable[float], *, rate: float, factor: float, patience: int, threshold: float = 0.0
) -> float:
    """The rate of the next epoch after the validation losses of all epochs so far.

    It is multiplied by `factor` where `patience` epochs in a row were not below the lowest loss before them,
    by more than the share `threshold` of it; the count then starts again, the lowest loss stays.
    """
    lowest, waited = float("inf"), 0
    for loss in losses:
        if loss < lowest * (1 - threshold):
            lowest, waited = loss, 0
            continue
        waited += 1
        if waited == patience:
            rate, waited = rate * factor, 0
    return rate


class Plateau(keras.callbacks.Callback):
    """Sets the rate of every epoch from the validation losses of those before.

    They are in the checkpoint of `apps.lab.resumable.fit_resumably`, which may not be there yet.
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
            self.losses,
            rate=settings.learning_rate,
            factor=settings.factor,
            patience=settings.patience,
            threshold=settings.threshold,
        )

    def on_epoch_end(self, epoch, logs=None):
        self.losses.append(float(logs[VALIDATION_LOSS]))
        logs["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
