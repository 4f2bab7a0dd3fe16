"""What the callbacks share: when they measure, on what, and what reaches the logs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, MutableMapping
from typing import Any

import keras
import numpy as np

from keras_freq._core.checks import check_data_format, check_interval, check_readable_again, check_whole, show
from keras_freq._core.classifier import as_classifier
from keras_freq._core.feeds import ModelFeed
from keras_freq.callbacks._order import promise_columns, warn_of_readers_in_front, withdraw_columns

# The parts of a spectrum, from DC outward.
RINGS = ("low", "mid", "high")


class Measurement(keras.callbacks.Callback):
    """Base of the callbacks: calls one function of `evaluate` or `shortcuts` at the end of some epochs.

    A subclass names the function and turns its result into numbers. They enter the epoch's logs as plain
    floats: on epochs without a measurement, and where a number is undefined, the key is absent, as those of
    validation are under Keras' `validation_freq`.

    Args:
        data: What is measured on; read anew at every measurement.
        options: Arguments of the function, by name.
        keys: Names of the numbers, without the prefix.
        every: When to measure.
        prefix: Put in front of the keys.
        model: What is measured; default the model in training.
    """

    _evaluation: Callable[..., Any]
    _needs_gradients = False
    _strict = True

    def __init__(
        self,
        data: Any,
        options: dict[str, Any],
        keys: Iterable[str],
        *,
        every: int | Collection[int],
        prefix: str,
        model: Any = None,
    ):
        super().__init__()
        check_readable_again(data)
        if not isinstance(prefix, str):
            raise ValueError(f"`prefix` must be text. Received: prefix={show(prefix)}")
        for name in {"n", "batch_size"} & set(options):
            if options[name] is not None:
                options[name] = check_whole(options[name], name)
        if options.get("data_format") is not None:
            check_data_format(options["data_format"])
        if options.get("bounds") is not None:
            options["bounds"] = check_interval(options["bounds"], "bounds")
        self.data, self.options = data, options
        self.every, self.prefix = check_every(every), prefix
        self._declared = None if model is None else as_classifier(model)
        self.keys = tuple(prefix + key for key in keys)
        self.history: list[tuple[int, Any]] = []

    def _values(self, result: Any) -> Iterable[float]:
        """The numbers of a result, in the order of the keys."""
        raise NotImplementedError

    def _check(self, feed: ModelFeed) -> None:
        """Refuses data and a model that do not suit the options."""

    def _is_due(self, count: int) -> bool:
        """Whether to measure after so many epochs (or steps), counted from 1."""
        return count % self.every == 0 if isinstance(self.every, int) else count in self.every

    @property
    def _measured(self) -> Any:
        # Asked for in any case: on JAX that brings the weights back from the training loop.
        model = self.model
        return model if self._declared is None else self._declared

    def _measure(self, moment: int) -> Any:
        result = type(self)._evaluation(self._measured, self.data, **self.options)
        self.history.append((moment, result))
        return result

    def _log(self, result: Any, logs: MutableMapping[str, float] | None) -> None:
        if logs is not None:
            values = zip(self.keys, map(float, self._values(result)), strict=True)
            logs.update((key, value) for key, value in values if value == value)  # NaN is no number

    def _collect(self, name: str) -> np.ndarray:
        """An attribute of all results so far, a row for each; `(0, 0)` before the first."""
        return np.array([getattr(result, name) for _, result in self.history] or np.zeros((0, 0)), "float64")

    def on_train_begin(self, logs: MutableMapping[str, float] | None = None) -> None:
        warn_of_readers_in_front(self, self.keys)
        # What would stop a measurement stops training before its first epoch.
        shared = {"batch_size", "n", "data_format"} & set(self.options)
        feed = ModelFeed(
            self._measured,
            self.data,
            value_range=self.options.get("bounds"),
            needs_gradients=self._needs_gradients,
            strict=self._strict,
            **{name: self.options[name] for name in shared},
        )
        self._check(feed)
        feed.check()
        promise_columns(self, self.keys)  # last: where training does not begin, no one takes them back

    def on_epoch_end(self, epoch: int, logs: MutableMapping[str, float] | None = None) -> None:
        if self._is_due(epoch + 1):
            self._log(self._measure(epoch), logs)

    def on_train_end(self, logs: MutableMapping[str, float] | None = None) -> None:
        withdraw_columns(self)


def check_every(every: Any) -> int | frozenset[int]:
    """A whole number n for the epochs n, 2n, ..., or a collection of epochs, counted from 1."""
    several = isinstance(every, Collection) and not isinstance(every, (str, bytes))
    try:
        if several and len(every):
            return frozenset(check_whole(epoch, "every") for epoch in every)
        return check_whole(every, "every")
    except ValueError:
        raise ValueError(
            "`every` must be a whole number of at least 1, or a collection of such numbers. "
            f"Received: every={show(every)}"
        ) from None
