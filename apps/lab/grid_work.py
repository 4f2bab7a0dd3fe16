"""What a worker does with a unit of a grid, the same in every process: train a network, or measure one."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

import keras_freq as kf
from apps.lab.errors import RunError
from apps.lab.grid_settings import Measurement
from apps.lab.train import build, obtain

# The network that was built last: its next measurement compiles nothing again.
_last: dict[str, keras.Model] = {}


def train_unit(
    work: Mapping[str, Any],
    train: tuple[np.ndarray, np.ndarray],
    store: str,
    about: Mapping[str, Any],
    *,
    say: Callable[[str], None] = print,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The outcome of a training, and what the driver keeps of it: weights, history and facts."""
    keras.utils.set_random_seed(work["seed"])
    one = obtain(
        store,
        work["label"],
        work["training"],
        train,
        classes=work["classes"],
        seed=work["seed"],
        about=about,
        say=say,
    )
    outcome = {
        "accuracy": one.history["accuracy"][-1],
        "minutes": one.facts["minutes"],
        "origin": one.origin,
        "reference": one.digest == one.origin,
        "seconds": 0.0 if one.found else sum(one.history["seconds"]),
    }
    return outcome, {"weights": one.model.get_weights(), "history": one.history, "facts": one.facts}


def measure_unit(
    work: Mapping[str, Any],
    weights: list[np.ndarray],
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
) -> dict[str, Any]:
    """The outcome of a measurement: the result as JSON, and how long it took."""
    start = time.perf_counter()
    keras.utils.set_random_seed(work["seed"])
    measurement: Measurement = work["measurement"]
    if work["network"] not in _last:
        _last.clear()
        model = build(work["training"], train, work["classes"], seed=work["seed"], name=work["name"])
        model.set_weights(weights)
        _last[work["network"]] = model
    function = find_function(measurement)
    options = measurement.values
    if "progress" in inspect.signature(function).parameters:
        options = {"progress": None, **options}
    classifier = kf.Classifier(_last[work["network"]], value_range=(0, 1))
    result = function(classifier, test, **options).to_json()
    return {"result": result, "seconds": time.perf_counter() - start}


def find_function(measurement: Measurement) -> Callable[..., Any]:
    """The function of a measurement, once it is seen to be there and to have such options."""
    name = measurement.function
    function = getattr(kf.evaluate, name) if name in _measuring() else None
    if function is None:
        raise RunError(
            f"`function` of a measurement must be one of {', '.join(_measuring())}. Received: function={name}"
        )
    allowed = list(inspect.signature(function).parameters)[2:]
    unknown = [option for option in measurement.values if option not in allowed]
    if unknown:
        raise RunError(f"`options` of {name} are {', '.join(allowed)}. Received: {unknown[0]}")
    return function


def _measuring() -> list[str]:
    """The evaluations that take a model and images and return a result."""
    found = []
    for name in kf.evaluate.__all__:
        function = getattr(kf.evaluate, name)
        if inspect.isfunction(function):
            signature = inspect.signature(function)
            kind = getattr(kf.evaluate, str(signature.return_annotation), None)
            takes = list(signature.parameters)[:2] == ["model", "data"]
            if takes and inspect.isclass(kind) and issubclass(kind, kf.evaluate.Result):
                found.append(name)
    return found
