"""Accuracy, by class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import compile_logits
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq._core.sweep import sweep_batches
from keras_freq.evaluate._predictions import count_correct


@dataclass(frozen=True, kw_only=True)
class AccuracyResult(Result):
    """Accuracy of a model; `float(result)` is the accuracy.

    Attributes:
        accuracy: Share of the images classified as labeled, in [0, 1].
        correct_per_class: Images of each class that were classified as labeled.
        count_per_class: Images of each class.
        undefined: Images whose outputs are NaN or have no finite largest one; they count as wrong.

    Example:
        >>> result = keras_freq.evaluate.accuracy(model, data)
        >>> float(result) == sum(result.correct_per_class) / result.n
        True
    """

    accuracy: float
    correct_per_class: tuple[int, ...]
    count_per_class: tuple[int, ...]
    undefined: int = 0

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

    def _headline(self) -> dict[str, Any]:
        pairs = enumerate(zip(self.correct_per_class, self.count_per_class, strict=True))
        shares = {label: correct / count for label, (correct, count) in pairs if count}
        return {"accuracy": self.accuracy, "accuracy by class": shares}


def accuracy(
    model: keras.Model | Classifier,
    data: Any,
    *,
    transform: Callable | None = None,
    batch_size: int | None = None,
    progress: bool | None = False,
) -> AccuracyResult:
    """Share of the images that the model classifies as labeled, in inference mode.

    Args:
        model: Keras classifier `(batch, ...) -> (batch, classes)`, logits or probabilities.
        data: Arrays `(images, labels)`, a `tf.data.Dataset`, a `keras.utils.PyDataset`, or an iterable of
            batches.
        transform: Pure function of a batch of image tensors, compiled in front of the model: a filter, say.
        batch_size: Images per batch where `data` are arrays, default 128.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        An `AccuracyResult`. Images whose outputs are NaN or infinite count as wrong.

    Raises:
        ValueError: If the data are empty, images are not finite, or labels are not among the model's outputs.

    Example:
        >>> result = keras_freq.evaluate.accuracy(model, data)
        >>> result.n, result.count_per_class
        (8, (2, 2, 2, 2))
        >>> low = lambda images: keras_freq.spectral.low_pass(images, 8)
        >>> 0 <= float(keras_freq.evaluate.accuracy(model, data, transform=low)) <= 1
        True
    """
    feed = ModelFeed(model, data, batch_size=batch_size, strict=False)
    count = compile_logits(feed.model, transform, count_correct)
    counts = np.zeros(feed.classes + 1, "int64")
    with progress_bar(progress, "accuracy") as advance:
        steps = sweep_batches(feed, lambda images, *behind: count(images, reduce_args=behind))
        for (_, valid), found in steps:
            counts += found
            advance(valid)
    *correct, undefined = counts.tolist()
    return AccuracyResult(
        model=feed.model.name,
        n=feed.n,
        settings={
            "transform": None if transform is None else getattr(transform, "__name__", repr(transform)),
            "batch_size": batch_size,
            **feed.settings,
        },
        versions=versions(),
        accuracy=sum(correct) / feed.n,
        correct_per_class=tuple(correct),
        count_per_class=tuple(feed.count_per_class.tolist()),
        undefined=undefined,
    )
