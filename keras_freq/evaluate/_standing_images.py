"""Images that a model still gets right while one attack after another is tried on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_freq._core.checks import check_images, check_labels
from keras_freq._core.compiled import compile_logits
from keras_freq._core.probabilities import reject_probabilities
from keras_freq.evaluate._adversarial_images import checked, predict
from keras_freq.evaluate._counting import first_images, labelled_batches


class StandingImages:
    """All images of the data, and which of them no attack has fooled yet.

    Attributes:
        labels: True classes `(n,)`.
        clean: Accuracy without attack.
        standing: Whether the model is right and no attack has fooled it, `(n,)`.
    """

    def __init__(
        self,
        model: keras.Model,
        data: Any,
        *,
        epsilon: float,
        bounds: tuple[float, float],
        n: int | None,
        batch_size: int | None,
    ):
        self.logits = compile_logits(model)
        self._epsilon, self._bounds = epsilon, bounds
        if n is not None:
            data, batch_size = first_images(model, data, n, batch_size)
        parts = []
        for images, labels, valid in labelled_batches(model, data, batch_size):
            images = check_images(images, bounds)
            if not parts:
                outputs = keras.ops.convert_to_numpy(self.logits(images))
                reject_probabilities(model, outputs)
                self.classes, self._batch = outputs.shape[-1], len(images)
            check_labels(labels, len(labels), self.classes)
            right = predict(self.logits, images) == labels
            parts.append((images[:valid], labels[:valid], right[:valid]))
        self._images, self.labels, self.standing = (np.concatenate(part) for part in zip(*parts, strict=True))
        self.clean = self.accuracy

    @property
    def accuracy(self) -> float:
        """Share of the images that stand."""
        return float(self.standing.mean())

    def attack(self, name: str, run: Callable, advance: Callable[[int], None], *, fill: bool = True) -> None:
        """Runs an L-infinity attack on the images that stand; the fooled ones fall.

        What stands is packed into batches of one shape, so that one compiled function serves however few are
        left. What is scored lies in the ball and the bounds exactly.

        Args:
            name: Name of the attack.
            run: Function `(images, labels, rows)` of NumPy arrays that returns images. `rows` are the places
                of the images in the data.
            advance: Told how many images are done.
            fill: Fill the last batch up with copies of its last image, for compiled functions. Without it,
                the last batch is shorter.
        """
        rows = np.flatnonzero(self.standing)
        for begin in range(0, len(rows), self._batch):
            part = rows[begin : begin + self._batch]
            filled = np.concatenate([part, np.repeat(part[-1:], self._batch - len(part))]) if fill else part
            images, labels = self._images[filled], self.labels[filled]
            found = run(images, labels, filled)
            found = checked(images, found, self._epsilon, self._bounds, "linf", name)
            self.standing[part] = (predict(self.logits, found) == labels)[: len(part)]
            advance(len(part))

    def per_class(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Images of each class that stand, and all images of each class."""
        return tuple(
            tuple(np.bincount(labels, minlength=self.classes).tolist())
            for labels in (self.labels[self.standing], self.labels)
        )
