"""Precision, recall and F1 of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import compile_logits
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.result import Result, versions
from keras_freq._core.sweep import sweep_batches
from keras_freq.evaluate._predictions import choose_classes


@dataclass(frozen=True, kw_only=True)
class ClassScoresResult(Result):
    """Confusion of a model, and the scores of each class that follow from it.

    Attributes:
        confusion: Counts `(classes, classes)`, rows the true classes, columns the predictions.
        undefined: Images whose logits are NaN or have no finite largest one, for each class; they count as
            missed.

    Example:
        >>> scores = keras_freq.evaluate.class_scores(model, data)
        >>> scores.n, np.shape(scores.confusion)
        (8, (4, 4))
    """

    confusion: tuple[tuple[int, ...], ...]
    undefined: tuple[int, ...]

    @property
    def count_per_class(self) -> np.ndarray:
        """Images of each class, `(classes,)`."""
        return np.sum(self.confusion, axis=1) + np.array(self.undefined)

    @property
    def precision(self) -> np.ndarray:
        """Share of the predictions of a class that are right, 0 where there are none, `(classes,)`."""
        return _divide(np.diag(self.confusion), np.sum(self.confusion, axis=0))

    @property
    def recall(self) -> np.ndarray:
        """Share of the images of a class that are recognized, 0 where there are none, `(classes,)`."""
        return _divide(np.diag(self.confusion), self.count_per_class)

    @property
    def f1(self) -> np.ndarray:
        """`2 TP / (2 TP + FP + FN)`, `(classes,)`; 0 for a class neither there nor predicted."""
        predicted = np.sum(self.confusion, axis=0)
        return _divide(2 * np.diag(self.confusion), predicted + self.count_per_class)

    @property
    def accuracy(self) -> float:
        """Share of all images that are recognized."""
        return float(np.trace(np.array(self.confusion)) / self.n)

    def rows(self) -> list[dict[str, Any]]:
        """One row for each class."""
        scores = zip(self.precision, self.recall, self.f1, self.count_per_class, strict=True)
        return [
            {
                "model": self.model,
                "class": label,
                "precision": float(p),
                "recall": float(r),
                "f1": float(f),
                "n": int(n),
            }
            for label, (p, r, f, n) in enumerate(scores)
        ]

    def _headline(self) -> dict[str, Any]:
        return {"accuracy": self.accuracy, "F1 by class": dict(enumerate(self.f1))}


def class_scores(
    model: keras.Model | Classifier, data: Any, *, batch_size: int | None = None
) -> ClassScoresResult:
    """Precision, recall and F1 of each class, in inference mode.

    `F1 = 2 TP / (2 TP + FP + FN)`, one class against the others.

    Args:
        model: Keras classifier `(batch, ...) -> (batch, classes)`, logits or probabilities.
        data: Arrays `(images, labels)`, a `tf.data.Dataset`, a `keras.utils.PyDataset`, or an iterable of
            batches.
        batch_size: Images per batch where `data` are arrays, default 128.

    Returns:
        A `ClassScoresResult`: `.f1`, `.precision`, `.recall` `(classes,)` and the confusion.

    Raises:
        ValueError: If the data are empty, images are not finite, or labels are not among the model's outputs.
        TypeError: If `model` is not a Keras model.

    Example:
        >>> scores = keras_freq.evaluate.class_scores(model, data)
        >>> scores.f1.shape, scores.count_per_class.tolist()
        ((4,), [2, 2, 2, 2])
    """
    feed = ModelFeed(model, data, batch_size=batch_size, strict=False)
    predict = compile_logits(feed.model, None, choose_classes)
    counts = np.zeros((feed.classes, feed.classes + 1), "int64")
    for (labels, valid), predictions in sweep_batches(feed, lambda images, *_: predict(images)):
        np.add.at(counts, (labels[:valid], predictions[:valid]), 1)
    return ClassScoresResult(
        model=feed.model.name,
        n=feed.n,
        settings={"batch_size": batch_size, **feed.settings},
        versions=versions(),
        confusion=tuple(map(tuple, counts[:, :-1].tolist())),
        undefined=tuple(counts[:, -1].tolist()),
    )


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(whole > 0, part / np.maximum(whole, 1), 0.0)
