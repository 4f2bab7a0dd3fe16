"""Predicted classes: fetched image by image, or counted on the device."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
from keras import ops

# The host runs ahead of an accelerator by at most this many steps, which bounds the memory of queued images.
_AHEAD = 16


def predict_classes(logits: Callable, images: Any) -> np.ndarray:
    """Predicted classes `(batch,)`; -1, which no label equals, where an output is NaN or infinite."""
    outputs = ops.convert_to_numpy(logits(images))
    return np.where(np.isfinite(outputs).all(axis=-1), outputs.argmax(axis=-1), -1)


def choose_classes(logits: Any) -> Any:
    """The class of the largest logit, int32 `(batch,)`; the number of classes where a logit is not finite."""
    finite = ops.all(ops.isfinite(logits), axis=-1)
    return ops.where(finite, ops.cast(ops.argmax(logits, axis=-1), "int32"), logits.shape[-1])


def count_correct(logits: Any, labels: Any, valid: Any) -> Any:
    """Correct predictions of each class, `(classes,)`, inside the compiled step.

    Rows at or beyond `valid` are filling; a row with a NaN or infinite logit is wrong.
    """
    classes = logits.shape[-1]
    correct = ops.equal(choose_classes(logits), labels)
    real = ops.arange(ops.shape(labels)[0], dtype="int32") < valid
    counted = ops.cast(ops.logical_and(correct, real), "int32")
    return ops.sum(ops.expand_dims(counted, -1) * ops.one_hot(labels, classes, dtype="int32"), axis=0)


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
