"""Trains one tiny network, in a process of its own: ``tiny_training.py OUTPUT [EPOCHS [kill|wait]]``."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from pathlib import Path

import numpy as np

import tests.apps.tiny_network  # noqa: F401 (a process of its own needs it too)
from apps.lab import Run
from apps.lab.settings import Repeated, Training

RECIPE = Training(network="tiny", width=2, epochs=2, batch_size=8, learning_rate=0.05, weight_decay=0.0)
CLASSES = 4


@dataclasses.dataclass(frozen=True)
class Settings(Repeated):
    training: Training = RECIPE


def images() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random((24, 8, 8, 3), "float32"), rng.integers(0, CLASSES, 24).astype("int32")


def train(run: Run, training: Training = RECIPE, data=None, *, seed=0, name="plain", **options):
    from apps.lab.train import trained

    data = images() if data is None else data
    return trained(run, name, training, data, classes=CLASSES, seed=seed, **options)


if __name__ == "__main__":
    import keras

    from apps.lab import train as trainer

    output, epochs, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]

    class Slow(keras.callbacks.Callback):
        """Dies in the second epoch, or waits for the file `go`."""

        def on_epoch_begin(self, epoch, logs=None):
            Path(f"{output}.training").touch()
            if how == "kill" and epoch == 1:
                os._exit(9)
            deadline = time.time() + 120
            while how == "wait" and not Path("go").exists() and time.time() < deadline:
                time.sleep(0.05)

    fit = trainer.fit_resumably
    trainer.fit_resumably = lambda *args, callbacks=(), **options: fit(
        *args, callbacks=[*callbacks, Slow()], **options
    )
    run = Run.start("tiny", Settings(output=output))
    train(run, dataclasses.replace(RECIPE, epochs=epochs))
