"""F1 of each class over the first training steps: which class is learned first."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

import keras
import numpy as np

from keras_freq.evaluate._class_scores import ClassScoresResult, class_scores


class EarlyLearning(keras.callbacks.Callback):
    """Measures precision, recall and F1 of each class while a model takes its first steps.

    Measures after every `every`-th training step up to `iterations`, and after the last of them. Puts the
    mean of F1 over the classes, as it was last measured, into the epoch's logs as `macro_f1` (NaN before the
    first). Steps go on counting over several calls of `fit`. Training is not changed: weights and random
    streams are the same with and without.

    Args:
        data: Arrays `(images, labels)`, a `tf.data.Dataset` or a `keras.utils.PyDataset`; read anew at every
            measurement, so a generator will not do.
        every: Measure after every n-th step.
        iterations: Measure for so many steps.
        prefix: Put in front of the key: `"val_"` gives `val_macro_f1`.
        batch_size: Images a batch where `data` are arrays, default 128.

    Attributes:
        history: List of `(step, ClassScoresResult)`; step 1 is after the first.

    Raises:
        ValueError: If a number is below 1 or `data` is a generator; when training begins, if the model was
            compiled with `steps_per_execution` above 1, which hides the steps between.

    Source: Wang, Veldhuis, Brune, Strisciuglio, ICCV 2023 (F1 by class over the first 500 iterations).

    Example:

    >>> early = keras_freq.callbacks.EarlyLearning(data.test, every=10, iterations=500)
    >>> history = model.fit(data.train, epochs=2, callbacks=[early])
    >>> early.f1.shape, early.first_learned()[0]
    ((50, 10), 8)
    """

    def __init__(
        self,
        data: Any,
        *,
        every: int = 10,
        iterations: int = 500,
        prefix: str = "",
        batch_size: int | None = None,
    ):
        super().__init__()
        if isinstance(data, Iterator):
            raise ValueError(
                "`data` must be readable again at every measurement: arrays, a tf.data.Dataset or a "
                f"PyDataset. Received: data of type {type(data).__name__}, which can be read only once"
            )
        for name, value in (("every", every), ("iterations", iterations), ("batch_size", batch_size)):
            whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            if not (name == "batch_size" and value is None) and not (whole and value >= 1):
                raise ValueError(f"`{name}` must be a whole number of at least 1. Received: {name}={value!r}")
        self.data = data
        self.every, self.iterations = every, iterations
        self.prefix, self.batch_size = prefix, batch_size
        self.history: list[tuple[int, ClassScoresResult]] = []
        self._step = 0

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps that were measured, ascending; 1 is after the first."""
        return tuple(step for step, _ in self.history)

    @property
    def f1(self) -> np.ndarray:
        """F1 of each class at each of them, `(measurements, classes)`; `(0, 0)` before the first."""
        return np.array([result.f1 for _, result in self.history] or np.zeros((0, 0)), "float64")

    def first_learned(self, threshold: float = 0.5) -> tuple[int, ...]:
        """The classes in the order in which their F1 first reached the threshold.

        Of classes that reached it at the same measurement the one with the higher F1 is in front. Classes
        that never did are left out.

        Args:
            threshold: F1, in (0, 1].

        Raises:
            ValueError: If the threshold lies outside (0, 1].
        """
        return first_learned(self.f1, threshold)

    def on_train_begin(self, logs: MutableMapping[str, float] | None = None) -> None:
        steps = getattr(self.model, "steps_per_execution", 1)
        if steps > 1:
            raise ValueError(
                "`EarlyLearning` sees single steps: compile with steps_per_execution=1. "
                f"Received: steps_per_execution={steps}"
            )

    def on_train_batch_end(self, batch: int, logs: MutableMapping[str, float] | None = None) -> None:
        self._step += 1
        step = self._step
        if step <= self.iterations and (step % self.every == 0 or step == self.iterations):
            # `self.model` on JAX first brings the weights back from the training loop.
            self.history.append((step, class_scores(self.model, self.data, batch_size=self.batch_size)))

    def on_epoch_end(self, epoch: int, logs: MutableMapping[str, float] | None = None) -> None:
        if logs is not None:
            last = float(self.history[-1][1].f1.mean()) if self.history else float("nan")
            logs[f"{self.prefix}macro_f1"] = last


def first_learned(f1: np.ndarray, threshold: float = 0.5) -> tuple[int, ...]:
    """`EarlyLearning.first_learned` of scores `(measurements, classes)`."""
    if isinstance(threshold, bool) or not 0 < threshold <= 1:
        raise ValueError(f"`threshold` must be a number in (0, 1]. Received: threshold={threshold!r}")
    if not f1.size:
        return ()
    reached = f1 >= threshold
    first = np.where(reached.any(axis=0), reached.argmax(axis=0), len(f1))
    score = f1[np.minimum(first, len(f1) - 1), np.arange(f1.shape[1])]
    order = np.lexsort((-score, first))
    return tuple(int(label) for label in order if first[label] < len(f1))
