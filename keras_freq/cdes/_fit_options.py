"""Options of the training of kernels, checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_freq._core.checks import check_whole

# What `CDES.fit` takes that shapes the kernels, `shuffle` beside what `fit_options` checks.
FIT_OPTIONS = (
    "epochs",
    "batch_size",
    "learning_rate",
    "momentum",
    "weight_decay",
    "decay_every",
    "decay",
    "shuffle",
)


def fit_options(
    *,
    epochs: Any,
    batch_size: Any,
    learning_rate: Any,
    momentum: Any,
    weight_decay: Any,
    decay_every: Any,
    decay: Any,
) -> dict[str, int | float]:
    """The options as plain numbers, or a one-line error that names the wrong one."""

    def within(name, value, low, high, text):
        number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        if not number or not low <= value <= high:
            raise ValueError(f"`{name}` must be {text}. Received: {name}={value!r}")
        return float(value)

    tiny, largest = np.finfo("float32").tiny, 1e6
    return {
        "epochs": check_whole(epochs, "epochs"),
        "batch_size": check_whole(batch_size, "batch_size"),
        "decay_every": check_whole(decay_every, "decay_every"),
        "learning_rate": within("learning_rate", learning_rate, tiny, largest, "a number above 0"),
        "momentum": within("momentum", momentum, 0, 1 - 1e-9, "in [0, 1)"),
        "weight_decay": within("weight_decay", weight_decay, 0, largest, "a number of at least 0"),
        "decay": within("decay", decay, tiny, 1, "in (0, 1]"),
    }
