"""F1 of each class over the first training steps: which class is learned first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, MutableMapping
from typing import Any

import numpy as np

from keras_freq._core.checks import check_whole
from keras_freq._core.classifier import Classifier
from keras_freq.callbacks._measurement import Measurement
from keras_freq.evaluate._class_scores import ClassScoresResult, class_scores
from keras_freq.shortcuts._first_learned import first_learned


class EarlyLearning(Measurement):
    """Measures precision, recall and F1 of each class while a model takes its first steps.

    Measures after every n-th training step up to `iterations`, and after the last of them. Steps go on
    counting over several calls of `fit`. Puts a plain float into the epoch's logs: `macro_f1`, the mean of F1
    over the classes at the last measurement in the epoch.
    In other epochs the key is absent, as those of validation are under `validation_freq`. Callbacks that
    read the logs, such as `CSVLogger` or `EarlyStopping` (name its `mode`), must stand behind this one.
    Training is not changed: weights and random streams are the same with and without.

    Args:
        data: Arrays `(images, labels)`, a `tf.data.Dataset` or a `keras.utils.PyDataset`; read anew at every
            measurement, so a generator will not do.
        every: Measure after every n-th step, or after each step in a collection, counted from 1.
        iterations: Measure for so many steps.
        prefix: Put in front of the key: `"val_"` gives `val_macro_f1`.
        model: What is measured: by default the model in training; where more must be said of it, a
            `keras_freq.Classifier` of it.
        batch_size: Images per batch where `data` are arrays, default 128.

    Attributes:
        history: List of `(step, ClassScoresResult)`, steps counted from 1.
        keys: The names of its numbers in the logs.

    Raises:
        ValueError: If an argument is out of range or unknown, or `data` is a generator; when training begins,
            if the data do not fit the model or hold values that are not finite, or the model was compiled
            with `steps_per_execution` above 1, which hides the steps between.
        TypeError: When training begins, if `data` are of another kind.

    Source: Wang, Veldhuis, Brune, Strisciuglio, ICCV 2023 (F1 by class over the first 500 iterations).

    Example:
        >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> early = keras_freq.callbacks.EarlyLearning(data, every=2, iterations=5)
        >>> history = model.fit(*data, batch_size=2, epochs=2, verbose=0, callbacks=[early])
        >>> early.steps, early.f1.shape
        ((2, 4, 5), (3, 4))
    """

    history: list[tuple[int, ClassScoresResult]]
    _evaluation = staticmethod(class_scores)
    _strict = False

    def __init__(
        self,
        data: Any,
        *,
        every: int | Collection[int] = 10,
        iterations: int = 500,
        prefix: str = "",
        model: Classifier | None = None,
        batch_size: int | None = None,
    ):
        super().__init__(
            data, {"batch_size": batch_size}, ["macro_f1"], every=every, prefix=prefix, model=model
        )
        self.iterations = check_whole(iterations, "iterations")
        self._step = 0
        self._last: ClassScoresResult | None = None

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps that were measured, ascending; 1 is after the first."""
        return tuple(step for step, _ in self.history)

    @property
    def f1(self) -> np.ndarray:
        """F1 of each class at each of them, `(measurements, classes)`; `(0, 0)` before the first."""
        return self._collect("f1")

    def first_learned(self, threshold: float = 0.5) -> tuple[int, ...]:
        """The classes in the order in which their F1 first reached the threshold.

        Of classes that reached it at the same measurement the one with the higher F1 is in front. Classes
        that never did are left out.

        Args:
            threshold: F1, in (0, 1].

        Raises:
            ValueError: If the threshold lies outside (0, 1].
        """
        return first_learned(self.f1, threshold=threshold)

    def on_train_begin(self, logs: MutableMapping[str, float] | None = None) -> None:
        steps = getattr(self.model, "steps_per_execution", 1)
        if steps > 1:
            raise ValueError(
                "`EarlyLearning` sees single steps: compile with steps_per_execution=1. "
                f"Received: steps_per_execution={steps}"
            )
        super().on_train_begin(logs)

    def on_epoch_begin(self, epoch: int, logs: MutableMapping[str, float] | None = None) -> None:
        self._last = None

    def on_train_batch_end(self, batch: int, logs: MutableMapping[str, float] | None = None) -> None:
        self._step += 1
        last = self._step == self.iterations
        if last or (self._step < self.iterations and self._is_due(self._step)):
            self._last = self._measure(self._step)

    def on_epoch_end(self, epoch: int, logs: MutableMapping[str, float] | None = None) -> None:
        if self._last is not None:
            self._log(self._last, logs)

    def _values(self, result: ClassScoresResult) -> Iterable[float]:
        return [result.f1.mean()]
