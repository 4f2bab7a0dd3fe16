"""Accuracy, by class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_freq._core.compiled import compile_logits
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq.evaluate._counting import Tally, count_correct, labelled_batches


@dataclass(frozen=True, kw_only=True)
class AccuracyResult(Result):
    """Accuracy of a model; `float(result)` is the accuracy.

    Attributes:
        accuracy: Share of the images classified as labelled, in [0, 1].
        correct_per_class: Images of each class that were classified as labelled.
        count_per_class: Images of each class.
    """

    accuracy: float
    correct_per_class: tuple[int, ...]
    count_per_class: tuple[int, ...]

    def __float__(self) -> float:
        return self.accuracy

    def rows(self) -> list[dict[str, Any]]:
        """One row for all classes, then one for each."""
        rows = [{"model": self.model, "class": "all", "accuracy": self.accuracy, "n": self.n}]
        pairs = zip(self.correct_per_class, self.count_per_class, strict=True)
        for index, (correct, count) in enumerate(pairs):
            share = correct / count if count else float("nan")
            rows.append({"model": self.model, "class": index, "accuracy": share, "n": count})
        return rows


def accuracy(
    model: keras.Model,
    data: Any,
    *,
    transform: Callable | None = None,
    batch_size: int | None = None,
    progress: bool | None = False,
) -> AccuracyResult:
    """Share of the images that the model classifies as labelled, in inference mode.

    Args:
        model: Keras classifier `(batch, ...) -> (batch, classes)`, logits or probabilities.
        data: Arrays `(images, labels)`, a `tf.data.Dataset`, a `keras.utils.PyDataset`, or an iterable of
            batches.
        transform: Pure function of a batch of image tensors, compiled in front of the model: a filter, say.
        batch_size: Images a batch where `data` are arrays, default 128.
        progress: Show a progress bar; `None`: on a terminal where tqdm is installed.

    Returns:
        An `AccuracyResult`. Images whose outputs are NaN or infinite count as wrong.

    Raises:
        ValueError: If the data are empty, images are not finite, or labels are not among the model's outputs.

    Example:

    >>> low = lambda images: keras_freq.spectral.low_pass(images, 8)
    >>> float(keras_freq.evaluate.accuracy(model, data.test, transform=low))
    0.61
    """
    count = compile_logits(model, transform, count_correct)
    tally = Tally()
    with progress_bar(progress, "accuracy") as advance:
        for images, labels, valid in labelled_batches(model, data, batch_size):
            tally.add("all", count(images, reduce_args=(labels, np.int32(valid))))
            tally.seen(labels, valid)
            advance(valid)
    correct = tally.correct("all")
    return AccuracyResult(
        model=model.name,
        n=tally.n,
        settings={
            "transform": None if transform is None else getattr(transform, "__name__", repr(transform)),
            "batch_size": batch_size,
        },
        versions=versions(),
        accuracy=float(correct.sum() / tally.n),
        correct_per_class=tuple(correct.tolist()),
        count_per_class=tally.per_class(len(correct)),
    )
