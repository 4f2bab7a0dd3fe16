"""Keras metrics and functions as one kind of thing that adds up over batches."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_freq._core.checks import show

_KINDS = (
    "`metric` must be a Keras metric, its class or a function without arguments that makes one, a function "
    "(targets, outputs), a pair (key, one of these), or a list or dictionary of them. Received: metric={}"
)


class RunningMetric:
    """A metric by the name that its numbers get.

    Attributes:
        name: That name.
        own: Whether it is the user's own instance, of which there is one for all conditions.
    """

    def __init__(self, name: str | None, metric: Any):
        self._key, self._picks = None, False
        if _is_pair(metric):
            (self._key, metric), self._picks = metric, True
        self.own = isinstance(metric, keras.metrics.Metric)
        if self.own:
            self._make: Callable[[], keras.metrics.Metric] = lambda: metric
        elif _makes_a_metric(metric):
            self._make = metric
        elif callable(metric) and _takes(metric, 2):
            title = str(name or getattr(metric, "__name__", type(metric).__name__))
            self._make = lambda: keras.metrics.MeanMetricWrapper(_by_image(metric, title), name=title)
        else:
            raise TypeError(_KINDS.format(show(metric)))
        self.name = name or self.begin().name

    def begin(self) -> keras.metrics.Metric:
        """A metric that has seen nothing."""
        metric = self._make()
        if not isinstance(metric, keras.metrics.Metric):
            raise TypeError(_KINDS.format(f"a function that makes a {type(metric).__name__}"))
        metric.reset_state()
        return metric

    def update(self, metric: keras.metrics.Metric, targets: Any, outputs: Any, weights: Any) -> None:
        """Adds a batch."""
        if self._picks:
            targets, outputs = self._pick(targets, "targets"), self._pick(outputs, "outputs")
            weights = self._pick(weights, "weights") if isinstance(weights, (Mapping, tuple)) else weights
        if weights is None:
            metric.update_state(targets, outputs)
        else:
            metric.update_state(targets, outputs, sample_weight=weights)

    def read(self, metric: keras.metrics.Metric) -> dict[str, float]:
        """Its numbers: one by its name, several as `name.key` or `name[0]`."""
        return dict(_flatten(self.name, metric.result()))

    def _pick(self, parts: Any, what: str) -> Any:
        try:
            return parts[self._key]
        except (KeyError, IndexError, TypeError):
            known = sorted(map(str, parts)) if isinstance(parts, Mapping) else type(parts).__name__
            raise ValueError(
                f"The key of a metric must be one of {what}. Received: {show(self._key)} with {what} {known}"
            ) from None


def check_metrics(metric: Any) -> list[RunningMetric]:
    """One metric or several, with names that differ."""
    given: list[tuple[str | None, Any]]
    if isinstance(metric, Mapping):
        given = [(str(name), one) for name, one in metric.items()]
    elif isinstance(metric, (list, tuple)) and not _is_pair(metric):
        given = [(None, one) for one in metric]
    else:
        given = [(None, metric)]
    if not given:
        raise ValueError(_KINDS.format(show(metric)))
    metrics = [RunningMetric(name, one) for name, one in given]
    names = [one.name for one in metrics]
    if len(set(names)) < len(names):
        raise ValueError(
            f"`metric` must hold metrics of different names: pass a dictionary. Received: the names {names}"
        )
    return metrics


def _is_pair(metric: Any) -> bool:
    return isinstance(metric, tuple) and len(metric) == 2 and isinstance(metric[0], (str, int))


def _makes_a_metric(metric: Any) -> bool:
    if inspect.isclass(metric):
        return issubclass(metric, keras.metrics.Metric)
    if isinstance(metric, functools.partial) and inspect.isclass(metric.func):
        return _makes_a_metric(metric.func)
    return callable(metric) and _takes(metric, 0) and not _takes(metric, 2)


def _takes(function: Callable, count: int) -> bool:
    try:
        inspect.signature(function).bind(*[None] * count)
    except (TypeError, ValueError):  # other arguments, or a built-in function that does not tell them
        return False
    return True


def _by_image(function: Callable, name: str) -> Callable:
    """The function, whose values must be one or more for each image."""

    def values(targets, outputs):
        found = ops.convert_to_tensor(function(targets, outputs))
        count = len(keras.tree.flatten(targets)[0])
        if tuple(found.shape[:1]) != (count,):
            raise ValueError(
                "A function as a metric must return an array of one value for each image, over which the "
                "mean is taken; what is one number of all images is a Keras metric. "
                f"Received: {name} returns the shape {tuple(found.shape)} for {count} images"
            )
        return found

    return values


def _flatten(name: str, result: Any) -> list[tuple[str, float]]:
    if isinstance(result, Mapping):
        return [pair for key, value in result.items() for pair in _flatten(f"{name}.{key}", value)]
    values = np.asarray(ops.convert_to_numpy(result), "float64")
    if values.size == 1:
        return [(name, float(values.reshape(())))]
    return [
        (f"{name}[{', '.join(map(str, place))}]", float(value)) for place, value in np.ndenumerate(values)
    ]
