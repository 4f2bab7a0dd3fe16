"""Predicted classes: fetched image by image, or counted on the device."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
from keras import ops

# The host runs ahead of an accelerator by at most this many steps, which bounds the memory of queued images.
_AHEAD = 16


def predict_classes(logits: Callable, images: Any) -> np.ndarray:
    """Predicted classes `(batch,)`; -1, which no label equals, where they are undefined."""
    outputs = ops.convert_to_numpy(logits(images))
    return np.where(np.isfinite(outputs.max(axis=-1)), outputs.argmax(axis=-1), -1)


def count_undefined(predicted: np.ndarray) -> int:
    """How many of the classes that `predict_classes` returned are none."""
    return int(np.sum(predicted < 0))


def is_defined(logits: Any) -> Any:
    """Whether there is a largest logit, `(...)`: none of them is NaN, and the largest is finite."""
    numbers = ops.all(ops.equal(logits, logits), axis=-1)
    return ops.logical_and(numbers, ops.isfinite(ops.max(logits, axis=-1)))


def choose_classes(logits: Any) -> Any:
    """The class of the largest logit, the first of equal ones, int32 `(...)`; `classes` where undefined."""
    chosen = ops.cast(ops.argmax(logits, axis=-1), "int32")
    return ops.where(is_defined(logits), chosen, logits.shape[-1])


def is_tied(logits: Any) -> Any:
    """Whether two classes or more share the largest logit, `(...)`: no answer, though argmax gives one."""
    highest = ops.max(logits, axis=-1, keepdims=True)
    return ops.sum(ops.cast(ops.equal(logits, highest), "int32"), axis=-1) > 1


def choose_among(logits: Any, labels: Any, top: Any) -> Any:
    """The label where its class is among the `top` with the largest logits, else as `choose_classes`.

    Of equal logits the first is the larger.
    """
    chosen, labels = choose_classes(logits), ops.expand_dims(labels, -1)
    own = ops.take_along_axis(logits, labels, axis=-1)
    first = ops.logical_and(ops.equal(logits, own), ops.arange(logits.shape[-1], dtype="int32") < labels)
    rank = ops.sum(ops.cast(ops.logical_or(logits > own, first), "int32"), axis=-1)
    right = ops.logical_and(rank < top, chosen < logits.shape[-1])
    return ops.where(right, ops.squeeze(labels, -1), chosen)


def count_correct(logits: Any, labels: Any, valid: Any, top: Any = None) -> Any:
    """Correct predictions of each class, and behind them undefined ones, `(classes + 1,)`, on the device.

    Rows at or beyond `valid` are filling. With `top` correct is where the class is among so many.
    """
    classes = logits.shape[-1]
    chosen = choose_classes(logits) if top is None else choose_among(logits, labels, top)
    real = ops.arange(ops.shape(labels)[0], dtype="int32") < valid
    # No label equals `classes`: an undefined row counts in the last column, whatever its label.
    counted = ops.logical_and(real, ops.logical_or(ops.equal(chosen, labels), ops.equal(chosen, classes)))
    return ops.sum(
        ops.expand_dims(ops.cast(counted, "int32"), -1) * ops.one_hot(chosen, classes + 1, dtype="int32"),
        axis=0,
    )


def count_and_choose(logits: Any, labels: Any, valid: Any, top: Any = None) -> Any:
    """What `count_correct` counts, and the classes chosen."""
    return count_correct(logits, labels, valid, top), choose_classes(logits)


class KeptPredictions:
    """Predicted classes by key, fetched batch by batch: small integers, -1 where there is none."""

    def __init__(self, classes: int):
        self._classes = classes
        self._parts: dict[Hashable, list[np.ndarray]] = {}

    def add(self, key: Hashable, chosen: Any, valid: int) -> None:
        """Adds those of a batch, of which the first `valid` are real."""
        self._parts.setdefault(key, []).append(ops.convert_to_numpy(chosen)[:valid])

    def fetch(self, key: Hashable) -> np.ndarray:
        """All of a key, `(n,)`."""
        chosen = np.concatenate(self._parts[key])
        kind = np.int16 if self._classes <= np.iinfo(np.int16).max else np.int32
        return np.where(chosen < self._classes, chosen, -1).astype(kind)


class DeviceCounts:
    """Sums of counts by key, added up on the device while the host runs ahead."""

    def __init__(self) -> None:
        self._sums: dict[Hashable, Any] = {}
        self._steps = 0

    def add(self, key: Hashable, counts: Any) -> None:
        """Adds the counts of a step; waits for the device now and then."""
        self._sums[key] = counts if key not in self._sums else self._sums[key] + counts
        self._steps += 1
        if self._steps % _AHEAD == 0:
            ops.convert_to_numpy(self._sums[key])

    def fetch(self, key: Hashable) -> np.ndarray:
        """The sum of a key, int64."""
        return ops.convert_to_numpy(self._sums[key]).astype("int64")
