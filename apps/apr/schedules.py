"""Learning rates over training."""

from __future__ import annotations

import keras

from apps.apr.config import Training
from apps.lab.schedules import Cyclic


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
