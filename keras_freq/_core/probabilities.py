"""Recognize a model that returns probabilities where logits are meant."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

_ACTIVATIONS = ("softmax", "sigmoid")
# Layers that hand on what they get in inference mode.
_TRANSPARENT = (keras.layers.Identity, keras.layers.Dropout)


def reject_probabilities(model: keras.Model, outputs: np.ndarray | None = None) -> None:
    """Raises if a model ends in softmax or sigmoid, where gradients vanish and attacks fail.

    Looks at the last layer, through nested models and wrappers with one model inside; with `outputs` also at
    the numbers: rows that are non-negative and sum to 1 are probabilities whatever made them.

    Args:
        model: A Keras model.
        outputs: A first batch of its outputs `(batch, classes)`, or `None`.

    Raises:
        ValueError: One line that says how to get logits.
    """
    activation = _last_activation(model)
    if activation:
        raise ValueError(
            "The model must return logits: remove the activation of its last layer and train or convert with "
            f"from_logits=True. Received: model={model.name!r}, which ends in {activation}"
        )
    if outputs is None or not len(outputs) or not np.isfinite(outputs).all():
        return
    sums = np.sum(outputs, axis=-1, dtype="float64")
    if np.min(outputs) >= 0 and np.max(np.abs(sums - 1)) < 1e-3:
        raise ValueError(
            "The model must return logits: remove the softmax at its end and train or convert with "
            f"from_logits=True. Received: model={model.name!r}, whose outputs are at least 0 and sum to 1"
        )


def _last_activation(layer: Any) -> str | None:
    """The name of a softmax or sigmoid at the end of a layer, a model or an operation, if there is one."""
    kind = type(layer).__name__
    if kind.lower() in _ACTIVATIONS:  # layers.Softmax, and ops.softmax or ops.sigmoid in a functional model
        return kind.lower()
    if isinstance(layer, keras.Model):
        for last in reversed(_chain(layer)):
            if not _is_transparent(last):
                return _last_activation(last)
        return None
    name = getattr(getattr(layer, "activation", None), "__name__", None)
    if name in _ACTIVATIONS:
        return name
    inner = getattr(layer, "layer", None)  # TimeDistributed and other wrappers
    return _last_activation(inner) if isinstance(inner, keras.Layer) else None


def _chain(model: keras.Model) -> list:
    """Operations of a model whose last one makes the output, or an empty list where that is not known."""
    operations = getattr(model, "operations", None)  # functional
    if operations:
        return list(operations) if len(model.outputs) == 1 else []
    if isinstance(model, keras.Sequential):
        return list(model.layers)
    inner = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    return inner if len(inner) == 1 else []


def _is_transparent(layer: Any) -> bool:
    activation = getattr(layer, "activation", None)
    linear = isinstance(layer, keras.layers.Activation) and activation is keras.activations.linear
    return linear or isinstance(layer, _TRANSPARENT)
