"""Training that a kill does not undo: all state is kept at the end of every epoch."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from apps.lab.errors import RunError, one_line
from apps.lab.files import read_arrays, write_whole
from apps.lab.interruption import stop_if_interrupted


def fit_resumably(
    model: keras.Model,
    feed: Any,
    *,
    epochs: int,
    checkpoint: str | Path,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    validation_data: Any = None,
    label: str = "",
) -> dict[str, list[float]]:
    """`model.fit` that goes on at the epoch where an earlier call was cut off, to the same weights.

    The checkpoint holds `model.variables` (states of random generators included),
    `model.optimizer.variables`, the number of epochs done and the history, in one file that is written whole
    or not at all. Weights, random draws, the learning-rate schedule and the order of the images go on as if
    nothing had happened. A `tf.data.Dataset` cannot be told the epoch: all but the order of the images goes
    on, which starts anew as in the first epoch, and the line that says so at the start tells it.

    The model is built and compiled, the same way each time. The feed has an attribute ``epoch`` that fixes
    the order of its batches, as `keras_freq.data.ArrayBatches` has, or is a `tf.data.Dataset`. `epochs`
    counts those of earlier calls too. The state of the callbacks (patience and the like) is not kept.

    Returns:
        The history over all epochs: metric name to one float an epoch, and ``"seconds"``.

    Raises:
        RunError: If the checkpoint belongs to another model or to more epochs, or cannot be read.
        ValueError: If the feed has no ``epoch`` and is no `tf.data.Dataset`.
    """
    ordered = isinstance(getattr(feed, "epoch", None), int)
    if not ordered and not _is_tf_data(feed):
        raise ValueError(
            "`feed` must have an integer attribute `epoch` that fixes the order of its images "
            "(keras_freq.data.ArrayBatches has), or be a tf.data.Dataset. "
            f"Received: feed of type {type(feed).__name__}"
        )
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        raise ValueError(f"`epochs` must be a whole number of at least 1. Received: epochs={epochs!r}")
    checkpoint = Path(checkpoint)
    model.optimizer.build(model.trainable_variables)
    done, history = _restore(model, checkpoint) if checkpoint.exists() else (0, {})
    if done > epochs:
        raise RunError(
            f"{checkpoint} holds {done} epochs: `epochs` must be at least that. Received: epochs={epochs}"
        )
    if done == epochs:
        return history
    if done:
        note = "" if ordered else "; the order of the images is not that of an unbroken run"
        print(f"{label or model.name}: goes on after epoch {done} of {epochs}{note}", flush=True)
    if ordered:
        feed.epoch = done
    terminal = sys.stdout.isatty()
    if terminal and label:
        print(label, flush=True)
    keeper = _KeepState(checkpoint, history, label or model.name, quiet=terminal)
    model.fit(
        feed,
        initial_epoch=done,
        epochs=epochs,
        # Last, so that it sees what the others put into the logs.
        callbacks=[*callbacks, keeper],
        validation_data=validation_data,
        verbose=1 if terminal else 0,
        shuffle=False,  # the feed shuffles
    )
    return keeper.history


def _is_tf_data(feed: Any) -> bool:
    """Whether this is a `tf.data.Dataset`; TensorFlow is not imported to find out."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(feed, tensorflow.data.Dataset)


def epochs_done(checkpoint: str | Path) -> int:
    """How many epochs of a training a checkpoint holds; a RunError if it is damaged."""
    return _read(checkpoint, only="note")[1]


def kept_history(checkpoint: str | Path) -> dict[str, list[float]]:
    """The history that a checkpoint holds: metric name to one number for each of the epochs done."""
    return _read(checkpoint, only="note")[2]


def _read(
    checkpoint: str | Path, only: str | None = None
) -> tuple[dict[str, np.ndarray], int, dict[str, list[float]]]:
    """Arrays, epochs done and history of a checkpoint; else a RunError."""
    try:
        arrays = read_arrays(checkpoint, only)
        note = json.loads(str(arrays.pop("note")))
        done, history = note["epochs_done"], note["history"]
        if not isinstance(done, int) or any(len(values) != done for values in history.values()):
            raise ValueError(f"a history of other than {done} epochs")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f"{checkpoint} must be a checkpoint of this run: remove it, and the training begins anew. "
            f"Received: {one_line(error)}",
            code=1,
        ) from error
    return arrays, done, history


class _KeepState(keras.callbacks.Callback):
    """Writes the checkpoint at the end of every epoch, and its line where there is no progress bar."""

    def __init__(self, checkpoint: Path, history: dict[str, list[float]], label: str, *, quiet: bool):
        super().__init__()
        self.checkpoint = checkpoint
        self.history = history
        self.label = label
        self.quiet = quiet

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        logs = {name: float(value) for name, value in (logs or {}).items()}
        logs["seconds"] = round(time.perf_counter() - self.start, 3)
        # A callback that measures every n-th epoch leaves the others out: there the history holds NaN.
        for name in dict.fromkeys([*self.history, *logs]):
            self.history.setdefault(name, [math.nan] * epoch).append(logs.get(name, math.nan))
        _keep(self.model, self.checkpoint, epoch + 1, self.history)
        if not self.quiet:
            shown = "  ".join(f"{name} {value:.4g}" for name, value in logs.items() if name != "seconds")
            total = self.params["epochs"]
            print(f"{self.label}  epoch {epoch + 1}/{total}  {shown}  {logs['seconds']:.1f} s", flush=True)
        stop_if_interrupted()


def _state(model: keras.Model) -> list[tuple[str, Any]]:
    """All variables with names that two processes agree on (paths carry counters, places do not)."""
    return [
        *((f"model.{i:05d}", variable) for i, variable in enumerate(model.variables)),
        *((f"optimizer.{i:05d}", variable) for i, variable in enumerate(model.optimizer.variables)),
    ]


def _keep(model: keras.Model, checkpoint: Path, done: int, history: dict[str, list[float]]) -> None:
    arrays = {}
    for name, variable in _state(model):
        value = variable
        if keras.backend.standardize_dtype(variable.dtype) == "bfloat16":  # NumPy's format knows no bfloat16
            value = keras.ops.cast(variable, "float32")
        arrays[name] = keras.ops.convert_to_numpy(value)
    note = json.dumps({"epochs_done": done, "history": history})
    write_whole(checkpoint, lambda file: np.savez(file, note=np.asarray(note), **arrays))


def _restore(model: keras.Model, checkpoint: Path) -> tuple[int, dict[str, list[float]]]:
    arrays, done, history = _read(checkpoint)
    state = _state(model)
    expected = {name: tuple(variable.shape) for name, variable in state}
    received = {name: array.shape for name, array in arrays.items() if array.dtype.kind in "biuf"}
    if expected != received:
        name = next((n for n in expected | received if expected.get(n) != received.get(n)), "")
        raise RunError(
            f"{checkpoint} must hold the {len(expected)} variables of this model. Received: {len(received)}, "
            f"and {name} of shape {received.get(name)} in place of {expected.get(name)}"
        )
    for name, variable in state:
        variable.assign(arrays[name])
    return done, history
