"""The shortcut test while a model trains: how soon a few frequencies are enough for a class."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

import keras
import numpy as np

from keras_freq.shortcuts._frequency_maps import FrequencyMaps
from keras_freq.shortcuts._shortcut_report import ShortcutReport, check_masks, shortcut_report


class ShortcutMaskEvaluation(keras.callbacks.Callback):
    """Tests a model under given masks after every n-th epoch.

    Puts plain floats into the epoch's logs: `shortcut_tpr` and `shortcut_fpr`, the means over the classes of
    the rates on images that keep the frequencies of a class only, and `clean_tpr`, the same of the images as
    they are. They reach `History` always, and callbacks such as `CSVLogger` or `EarlyStopping` (name its
    `mode`) if those stand behind this one in the list. On epochs that are not measured the values are NaN, so
    that all columns keep one length. Training is not changed.

    Args:
        data: Arrays `(images, labels)`, a `tf.data.Dataset` or a `keras.utils.PyDataset`; read anew at every
            measurement, so a generator will not do.
        maps: `FrequencyMaps` or masks `(classes, height, width)`, as in
            `keras_freq.shortcuts.shortcut_report`; found on another model of the same task, say, or on an
            earlier run of this one.
        every: Measure after every n-th epoch.
        prefix: Put in front of the keys.
        options: Further options of `shortcut_report`: `split`, `others`, `per_step`, `batch_size`,
            `data_format`.

    Attributes:
        history: List of `(epoch, ShortcutReport)`, epochs counted from 0 as Keras does.

    Raises:
        ValueError: If `every` is below 1, `data` is a generator, or the masks are not Hermitian.

    Source: Wang, Veldhuis, Brune, Strisciuglio, ICCV 2023, whose test follows training.

    Example:

    >>> test = keras_freq.callbacks.ShortcutMaskEvaluation(data.test, maps)
    >>> history = model.fit(data.train, epochs=10, callbacks=[test])
    >>> test.tpr.shape
    (10, 10)
    """

    def __init__(
        self,
        data: Any,
        maps: FrequencyMaps | np.ndarray,
        *,
        every: int = 1,
        prefix: str = "",
        **options: Any,
    ):
        super().__init__()
        if isinstance(data, Iterator):
            raise ValueError(
                "`data` must be readable again at every epoch: arrays, a tf.data.Dataset or a PyDataset. "
                f"Received: data of type {type(data).__name__}, which can be read only once"
            )
        if isinstance(every, bool) or not isinstance(every, (int, np.integer)) or every < 1:
            raise ValueError(f"`every` must be a whole number of at least 1. Received: every={every!r}")
        check_masks(maps)
        self.data, self.maps = data, maps
        self.every, self.prefix, self.options = every, prefix, options
        self.history: list[tuple[int, ShortcutReport]] = []

    @property
    def epochs(self) -> tuple[int, ...]:
        """How many epochs the model was trained for at each measurement: 1 is after the first."""
        return tuple(epoch + 1 for epoch, _ in self.history)

    @property
    def tpr(self) -> np.ndarray:
        """Rate of each class under its mask, `(measurements, classes)`."""
        return np.array([report.tpr for _, report in self.history]).reshape(len(self.history), -1)

    @property
    def fpr(self) -> np.ndarray:
        """False positive rate of each class under its mask, `(measurements, classes)`."""
        return np.array([report.fpr for _, report in self.history]).reshape(len(self.history), -1)

    def on_epoch_end(self, epoch: int, logs: MutableMapping[str, float] | None = None) -> None:
        values = dict.fromkeys(("shortcut_tpr", "shortcut_fpr", "clean_tpr"), float("nan"))
        if (epoch + 1) % self.every == 0:
            # `self.model` on JAX first brings the weights back from the training loop.
            report = shortcut_report(self.model, self.data, self.maps, **self.options)
            self.history.append((epoch, report))
            rates = (report.tpr, report.fpr, report.clean_tpr)
            values = dict(zip(values, map(_mean, rates), strict=True))
        if logs is not None:
            for name, value in values.items():
                logs[f"{self.prefix}{name}"] = value


def _mean(rates: np.ndarray) -> float:
    """Over the classes that have images."""
    known = rates[~np.isnan(rates)]
    return float(known.mean()) if known.size else float("nan")
