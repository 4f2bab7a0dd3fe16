"""The first and the last layers of a model, through nested models and layers that change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

# Layers that hand on what they get in inference mode, or keep the values of pixels.
_SAME_VALUES = (
    keras.layers.InputLayer,
    keras.layers.Identity,
    keras.layers.Dropout,
    keras.layers.GaussianNoise,
    keras.layers.Resizing,
    keras.layers.CenterCrop,
    keras.layers.RandomFlip,
    keras.layers.RandomCrop,
    keras.layers.RandomRotation,
    keras.layers.RandomTranslation,
    keras.layers.RandomZoom,
    keras.layers.RandomContrast,
    keras.layers.RandomBrightness,
)


def first_layers(model: Any) -> Iterator[Any]:
    """Layers that an image meets first, as long as one follows the other, without those that keep values."""
    for layer in _flat(model):
        if not keeps_values(layer):
            yield layer
            if not isinstance(layer, (keras.layers.Rescaling, keras.layers.Normalization)):
                return


def keeps_values(layer: Any) -> bool:
    """Whether what leaves a layer is pixels of the same range."""
    return isinstance(layer, _SAME_VALUES) or getattr(layer, "keeps_pixel_values", False)


def _flat(model: Any) -> Iterator[Any]:
    """Operations from the input on, through models, except those whose order is not known."""
    for layer in operations_in_order(model):
        known = isinstance(layer, keras.Model) and operations_in_order(layer)
        yield from _flat(layer) if known else [layer]


def operations_in_order(model: Any) -> list:
    """Operations from the input on, or an empty list where the order is not known."""
    model = getattr(model, "inference_model", model)  # a wrapper's own layers come in training alone
    operations = getattr(model, "operations", None)  # functional
    if operations:
        return list(operations)
    if isinstance(model, keras.Sequential):
        return list(model.layers)
    inner = [layer for layer in getattr(model, "layers", ()) if isinstance(layer, keras.Model)]
    return inner if len(inner) == 1 else []


def inner_layers(layer: Any) -> list:
    """The layers that a layer or model holds."""
    # A private name of Keras: layers that hold layers have no public one for them, as models do.
    return list(getattr(layer, "_layers", None) or ())


def find_layers(model: Any, kind: type) -> list:
    """Every layer of a kind in a model or layer, itself too, however deep, each once."""
    found: dict[int, Any] = {}
    waiting, seen = [model], set[int]()
    while waiting:
        layer = waiting.pop()
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        if isinstance(layer, kind):
            found[id(layer)] = layer
        waiting.extend(inner_layers(layer))
    return list(found.values())


def is_transparent(layer: Any) -> bool:
    """Whether a layer at the end hands on what it gets in inference mode."""
    linear = isinstance(layer, keras.layers.Activation) and layer.activation is keras.activations.linear
    return linear or isinstance(layer, (keras.layers.Identity, keras.layers.Dropout))
