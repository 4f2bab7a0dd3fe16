"""The shortcut test while a model trains: how soon a few frequencies are enough for a class."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal

import numpy as np

from keras_freq._core.checks import check_choice, check_flag, check_whole
from keras_freq._core.classifier import Classifier
from keras_freq._core.feeds import ModelFeed
from keras_freq.callbacks._measurement import Measurement
from keras_freq.shortcuts._frequency_maps import FrequencyMaps
from keras_freq.shortcuts._shortcut_report import (
    ShortcutReport,
    check_mask_size,
    check_masks,
    shortcut_report,
)


class ShortcutMaskEvaluation(Measurement):
    """Tests a model under given masks at the end of every n-th epoch.

    Puts plain floats into the epoch's logs: `shortcut_tpr` and `shortcut_fpr`, the means over the classes of
    the rates on images that keep the frequencies of a class only, and `clean_tpr`, the same of the images as
    they are.
    On other epochs the keys are absent, as those of validation are under `validation_freq`. Callbacks that
    read the logs, such as `CSVLogger` or `EarlyStopping` (name its `mode`), must stand behind this one.
    Training is not changed: weights and random streams are the same with and without.

    Args:
        data: Arrays `(images, labels)`, a `tf.data.Dataset` or a `keras.utils.PyDataset`; read anew at every
            measurement, so a generator will not do.
        maps: `FrequencyMaps` or masks `(classes, height, width)`, as in
            `keras_freq.shortcuts.shortcut_report`; found on another model of the same task, say, or on an
            earlier run of this one.
        every: Measure at the end of every n-th epoch, or at the end of each epoch in a collection, counted
            from 1 as under Keras' `validation_freq`.
        prefix: Put in front of the keys: `"val_"` gives `val_shortcut_tpr`.
        model: What is measured: by default the model in training; where more must be said of it, a
            `keras_freq.Classifier` of it.
        split: `"separate"` or `"test"`, as in `keras_freq.shortcuts.shortcut_report`.
        others: Whether to filter images of other classes too; without them there is no `shortcut_fpr`.
        per_step: Images times masks in one forward pass, default 128.
        batch_size: Images per batch where `data` are arrays, default 128 or `per_step`.
        mean: What a removed DC leaves behind, as in `keras_freq.shortcuts.shortcut_report`.
        data_format: `"channels_last"` or `"channels_first"`; default that of the model.

    Attributes:
        history: List of `(epoch, ShortcutReport)`, epochs counted from 0 as Keras does.
        keys: The names of its numbers in the logs.

    Raises:
        ValueError: If an argument is out of range or unknown, or `data` is a generator; when training begins,
            if the data do not fit the model or hold values that are not finite, or the masks do not fit the
            images or the model.
        TypeError: When training begins, if `data` are of another kind.

    Source: Wang, Veldhuis, Brune, Strisciuglio, ICCV 2023, whose test follows training.

    Example:
        >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> masks = np.stack([keras_freq.spectral.disk_mask(32, 32, radius) for radius in (2, 4, 8, 16)])
        >>> test = keras_freq.callbacks.ShortcutMaskEvaluation(data, masks)
        >>> history = model.fit(*data, epochs=2, verbose=0, callbacks=[test])
        >>> test.tpr.shape, test.epochs
        ((2, 4), (1, 2))
    """

    history: list[tuple[int, ShortcutReport]]
    _evaluation = staticmethod(shortcut_report)

    def __init__(
        self,
        data: Any,
        maps: FrequencyMaps | np.ndarray,
        *,
        every: int | Collection[int] = 1,
        prefix: str = "",
        model: Classifier | None = None,
        split: Literal["separate", "test"] = "separate",
        others: bool = True,
        per_step: int | None = None,
        batch_size: int | None = None,
        mean: float | Sequence[float] | None = None,
        data_format: str | None = None,
    ):
        check_masks(maps)
        super().__init__(
            data,
            {
                "maps": maps,
                "split": check_choice(split, "split", ("separate", "test")),
                "others": check_flag(others, "others"),
                "per_step": None if per_step is None else check_whole(per_step, "per_step"),
                "batch_size": batch_size,
                "mean": mean,
                "data_format": data_format,
            },
            ["shortcut_tpr", "shortcut_fpr", "clean_tpr"],
            every=every,
            prefix=prefix,
            model=model,
        )

    @property
    def epochs(self) -> tuple[int, ...]:
        """How many epochs the model was trained for at each measurement; 1 is after the first."""
        return tuple(epoch + 1 for epoch, _ in self.history)

    @property
    def tpr(self) -> np.ndarray:
        """Rate of each class under its mask, `(measurements, classes)`; `(0, 0)` before the first."""
        return self._collect("tpr")

    @property
    def fpr(self) -> np.ndarray:
        """False positive rate of each class under its mask, of the same shape."""
        return self._collect("fpr")

    def _check(self, feed: ModelFeed) -> None:
        check_mask_size(check_masks(self.options["maps"]), feed)

    def _values(self, result: ShortcutReport) -> Iterable[float]:
        return map(_mean, (result.tpr, result.fpr, result.clean_tpr))


def _mean(rates: np.ndarray) -> float:
    """Over the classes that have images."""
    known = rates[~np.isnan(rates)]
    return float(known.mean()) if known.size else float("nan")
