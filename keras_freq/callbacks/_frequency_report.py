"""A whole report while a model trains."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from keras_freq._core.checks import check_flag, check_whole
from keras_freq._core.classifier import Classifier
from keras_freq._core.feeds import ModelFeed
from keras_freq._report import Report, check_sections, report, section_keys
from keras_freq._report._figures import draw_figures
from keras_freq.callbacks._event_images import check_tensorboard, write_images
from keras_freq.callbacks._measurement import Measurement


class FrequencyReport(Measurement):
    """Measures a report at the end of every n-th epoch, and writes its page.

    Puts the headline numbers of the sections into the epoch's logs as plain floats: `clean`, `low_8`,
    `high_8`, `robust_2`, `corruption_error` and so on, as in `Report.numbers`. On other epochs the keys are
    absent. The pages stand in folders of their own, `epoch-003` after the third epoch, with figures that
    loggers of experiments can take. The same images are looked at every time.

    Args:
        data: Arrays `(images, labels)`, a `tf.data.Dataset` or a `keras.utils.PyDataset`; read anew at every
            measurement, so a generator will not do.
        to: Folder for the pages, or `None`: numbers alone.
        only: Sections of `keras_freq.report`; all of them take minutes every time.
        classes: Names of the classes.
        full: As in `keras_freq.report`; so is `n`.
        n: How many images, at most; default 1000.
        seed: Of the choice of images, corruptions, pairs and attacks.
        every: Measure at the end of every n-th epoch, or at the end of each epoch in a collection, counted
            from 1 as under Keras' `validation_freq`.
        prefix: Put in front of the keys: `"val_"` gives `val_low_4`.
        tensorboard: Folder of TensorBoard's logs, such as the `log_dir` of `keras.callbacks.TensorBoard`, for
            the figures as images, in its subfolder `report`; the package tensorboard must be installed.
        model: What is measured: by default the model in training; where more must be said of it, a
            `keras_freq.Classifier` of it.

    Attributes:
        history: List of `(epoch, Report)`, epochs counted from 0 as Keras does.
        keys: The names of its numbers in the logs, known when training begins.

    Raises:
        ValueError: If an argument is out of range or unknown, or `data` is a generator; when training begins,
            if the data do not fit the model or hold values that are not finite.
        ImportError: If `tensorboard` is asked for and not installed.
        TypeError: When training begins, if `data` are of another kind.

    Example:
        >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> pages = keras_freq.callbacks.FrequencyReport(data, to="pages", every=2)
        >>> history = model.fit(*data, epochs=2, verbose=0, callbacks=[pages])
        >>> len(history.history["low_8"]), pages.history[0][1].n
        (1, 8)
    """

    history: list[tuple[int, Report]]

    def __init__(
        self,
        data: Any,
        *,
        to: str | os.PathLike | None = None,
        only: Sequence[str] = ("bands",),
        classes: Sequence[str] | None = None,
        full: bool = False,
        n: int | None = None,
        seed: int = 0,
        every: int | Collection[int] = 1,
        prefix: str = "",
        tensorboard: str | os.PathLike | None = None,
        model: Classifier | None = None,
    ):
        self.only = check_sections(only, full=check_flag(full, "full"))
        self.to = None if to is None else Path(to)
        self.tensorboard = None if tensorboard is None else Path(tensorboard)
        if self.tensorboard is not None:
            check_tensorboard()
        self.n = n if n is None else check_whole(n, "n")  # at most: no option that must fit the data
        options = {
            "only": self.only,
            "classes": classes,
            "full": full,
            "seed": check_whole(seed, "seed", least=0),
        }
        super().__init__(data, options, (), every=every, prefix=prefix, model=model)
        self._names: tuple[str, ...] = ()

    def on_train_begin(self, logs: MutableMapping[str, float] | None = None) -> None:
        # The radii of the bands, and with them the keys, follow from the size of the images.
        self._names = section_keys(self.only, ModelFeed(self._measured, self.data).size)
        self.keys = tuple(self.prefix + name for name in self._names)
        super().on_train_begin(logs)

    def _measure(self, moment: int) -> Report:
        folder = None if self.to is None else self.to / f"epoch-{moment + 1:03d}"
        result = report(self._measured, self.data, to=folder, n=self.n, progress=False, **self.options)
        self.history.append((moment, result))
        if self.tensorboard is not None:
            pictures = {f"frequency_report/{one.name}": one.png for one in draw_figures(result)}
            write_images(self.tensorboard / "report", moment, pictures)
        return result

    def _values(self, result: Report) -> Iterable[float]:
        numbers = result.numbers()
        return (numbers.get(name, float("nan")) for name in self._names)
