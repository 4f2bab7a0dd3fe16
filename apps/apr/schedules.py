"""Learning rates over training."""

from __future__ import annotations

import keras
from keras import ops

from apps.apr.config import Training


@keras.saving.register_keras_serializable(package="keras_freq_apps")
class Cyclic(keras.optimizers.schedules.LearningRateSchedule):
    """Linearly from 0 up to `rate` at the step `peak`, and down to 0 at the step `total`."""

    def __init__(self, rate: float, peak: float, total: int):
        super().__init__()
        self.rate, self.peak, self.total = rate, peak, total

    def __call__(self, step):
        step = ops.cast(step, "float32")
        up, down = step / self.peak, (self.total - step) / (self.total - self.peak)
        return self.rate * ops.maximum(ops.minimum(up, down), 0.0)

    def get_config(self):
        return {"rate": self.rate, "peak": self.peak, "total": self.total}


def learning_rate(training: Training, steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """The rate by step, for `steps` steps an epoch."""
    rate, total = training.learning_rate, steps * training.epochs
    if training.schedule == "cyclic":
        return Cyclic(rate, training.peak * total, total)
    if training.schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(rate, total)
    if training.schedule == "steps":
        boundaries = [steps * epoch for epoch in training.milestones]
        rates = [rate * training.factor**k for k in range(len(boundaries) + 1)]
        return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)
    return rate
