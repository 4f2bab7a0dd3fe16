"""The images that have survived the attacks so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np

from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import compile_logits
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.sweep import run_steps
from keras_freq.evaluate._adversarial_images import confine
from keras_freq.evaluate._predictions import count_undefined, predict_classes


class Survivors:
    """All images of the data, and which of them a model still gets right after the attacks so far.

    Attributes:
        classes: The number of the model's outputs.
        labels: True classes `(n,)`.
        clean: Accuracy without attack.
        undefined: Undefined outputs so far, of images as they are and attacked.
        alive: Whether the model is right and no attack has fooled it, `(n,)`.
    """

    def __init__(
        self,
        model: keras.Model | Classifier,
        data: Any,
        *,
        epsilon: float,
        bounds: Sequence[float] | None,
        data_format: str | None,
        n: int | None,
        batch_size: int | None,
    ):
        self._epsilon = epsilon
        feed = ModelFeed(
            model,
            data,
            batch_size=batch_size,
            n=n,
            value_range=bounds,
            data_format=data_format,
            needs_gradients=True,
        )
        self.model, self.settings, self.data_format = feed.model, feed.settings, feed.data_format
        self.logits = compile_logits(feed.model)
        # The pass tells the labels; images are kept, for the attacks.
        self._images, self.labels = feed.arrays()
        self.classes, self._batch, self.undefined = feed.classes, feed.batch_size, 0
        self.alive = np.ones(len(self.labels), bool)
        self._see(lambda rows: self._images[rows], lambda count: None)
        self.clean = self.accuracy

    @property
    def accuracy(self) -> float:
        """Share of the images that survive."""
        return float(self.alive.mean())

    @property
    def count(self) -> int:
        """How many images survive."""
        return int(self.alive.sum())

    def attack(self, name: str, run: Callable, advance: Callable[[int], None], *, fill: bool = True) -> None:
        """Runs an L-infinity attack on the images that survive; the fooled ones fall.

        Those are packed into batches of one shape, so that one compiled function serves however few are
        left. What is scored lies in the ball and the bounds exactly.

        Args:
            name: Name of the attack.
            run: Function `(images, labels, rows)` of NumPy arrays that returns images. `rows` are the places
                of the images in the data.
            advance: Told how many images are done.
            fill: Fill the last batch up with copies of its last image, for compiled functions. Without it,
                the last batch is shorter.
        """

        def make(rows: np.ndarray) -> np.ndarray:
            images = self._images[rows]
            return confine(images, run(images, self.labels[rows], rows), self._epsilon, "linf", name)

        self._see(make, advance, fill=fill)

    def _see(self, make: Callable, advance: Callable[[int], None], *, fill: bool = True) -> None:
        """Lets those fall that the model gets wrong in the images that `make` makes for some places."""

        def predict(part: np.ndarray) -> np.ndarray:
            rows = np.concatenate([part, np.repeat(part[-1:], self._batch - len(part))]) if fill else part
            return predict_classes(self.logits, make(rows))[: len(part)]

        alive = np.flatnonzero(self.alive)
        parts = (alive[begin : begin + self._batch] for begin in range(0, len(alive), self._batch))
        for part, predicted in run_steps(((part, partial(predict, part)) for part in parts), ahead=1):
            self.undefined += count_undefined(predicted)
            self.alive[part] = predicted == self.labels[part]
            advance(len(part))

    def count_per_class(self, *, alive: bool) -> tuple[int, ...]:
        """Images of each class that survive, or all of each class."""
        labels = self.labels[self.alive] if alive else self.labels
        return tuple(np.bincount(labels, minlength=self.classes).tolist())
