"""Count correct predictions on the device, one compiled step a batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_freq._core.checks import check_labels, check_model_classes, check_whole
from keras_freq.data import iterate_batches

# The host runs ahead of an accelerator by at most this many batches, which bounds the memory of queued
# images.
_AHEAD = 16


def labelled_batches(
    model: keras.Model, data: Any, batch_size: int | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Batches `(images, labels, valid)` of one shape, with labels checked against the model's outputs."""
    classes = check_model_classes(model)
    for images, labels, valid in iterate_batches(data, batch_size):
        yield images, check_labels(labels, len(images), classes), valid


def first_images(
    model: keras.Model, data: Any, n: int, batch_size: int | None = None
) -> tuple[tuple[np.ndarray, np.ndarray], int]:
    """The first `n` images with their labels as arrays, and the size of the batches they came in."""
    check_whole(n, "n")
    parts, count = [], 0
    for images, labels, valid in labelled_batches(model, data, batch_size):
        parts.append((images[: min(valid, n - count)], labels[: min(valid, n - count)]))
        count += len(parts[-1][0])
        if count == n:
            break
    if count < n:
        raise ValueError(f"`n` must be at most the number of images, here {count}. Received: n={n}")
    size = len(images)
    images, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    return (images, labels), min(size, n)


def count_correct(logits: Any, labels: Any, valid: Any) -> Any:
    """Correct predictions of each class, `(classes,)`, inside the compiled step.

    Rows at or beyond `valid` are filling; a row with a NaN or infinite logit is wrong.
    """
    classes = logits.shape[-1]
    correct = ops.equal(ops.cast(ops.argmax(logits, axis=-1), "int32"), labels)
    finite = ops.all(ops.isfinite(logits), axis=-1)
    real = ops.arange(ops.shape(labels)[0], dtype="int32") < valid
    counted = ops.cast(ops.logical_and(ops.logical_and(correct, finite), real), "int32")
    return ops.sum(ops.expand_dims(counted, -1) * ops.one_hot(labels, classes, dtype="int32"), axis=0)


class Tally:
    """Sums on the device and the number of images of each class on the host."""

    def __init__(self):
        self.n = 0
        self._sums = {}
        self._labels = []
        self._steps = 0

    def seen(self, labels: np.ndarray, valid: int) -> None:
        """Takes note of the real labels of a batch."""
        self.n += valid
        self._labels.append(labels[:valid])

    def add(self, key: Any, counts: Any) -> None:
        """Adds the counts of a step, without waiting for them."""
        self._sums[key] = counts if key not in self._sums else self._sums[key] + counts
        self._steps += 1
        if self._steps % _AHEAD == 0:
            ops.convert_to_numpy(self._sums[key])

    def correct(self, key: Any) -> np.ndarray:
        """Correct predictions of each class, `(classes,)`."""
        counts = ops.convert_to_numpy(self._sums[key]).astype("int64")
        # Labels beyond the outputs fall out of a one-hot code silently; they are seen here at the latest.
        check_labels(np.concatenate(self._labels), self.n, counts.shape[-1])
        return counts

    def per_class(self, classes: int) -> tuple[int, ...]:
        """Images of each class."""
        return tuple(np.bincount(np.concatenate(self._labels), minlength=classes).tolist())
