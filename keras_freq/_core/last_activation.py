"""The softmax or sigmoid at the end of a model, and the model without it."""

from __future__ import annotations

import weakref
from typing import Any

import keras

from keras_freq._core.layer_chain import is_transparent, operations_in_order

ACTIVATIONS = ("softmax", "sigmoid")
# model -> {index of the output: (what it was cut from, the model that ends in front of the activation)}
_CUT: weakref.WeakKeyDictionary[Any, dict] = weakref.WeakKeyDictionary()


def cut_activation(model: Any, index: int = 0) -> keras.Model | None:
    """The model up to the softmax or sigmoid of one of its outputs; `None` where none is known."""
    known, parts = _CUT.setdefault(model, {}), _list_parts(model, index)
    before, cut = known.get(index, ((), None))
    # A model is another one once its head was replaced, or the activation of its last layer.
    if len(before) != len(parts) or any(one is not other for one, other in zip(before, parts, strict=True)):
        cut = _cut(model, index)
        known[index] = parts, cut
    return cut


def last_activation(layer: Any, index: int = 0) -> str | None:
    """The name of the activation at the end of a layer, a model or an operation, where it has a known one."""
    if isinstance(layer, keras.Model):
        last, _ = _find_last(layer, index)
        return None if last is None else last_activation(last)
    if isinstance(layer, LinearLayer):
        return "linear"
    kind = type(layer).__name__.lower()
    if kind in ACTIVATIONS:  # layers.Softmax, and ops.softmax or ops.sigmoid in a functional model
        return kind
    name = getattr(getattr(layer, "activation", None), "__name__", None)
    if name is not None:
        return name
    inner = getattr(layer, "layer", None)  # TimeDistributed and other wrappers
    return last_activation(inner) if isinstance(inner, keras.Layer) else None


def _find_last(model: keras.Model, index: int) -> tuple[Any, Any]:
    """What makes an output, layers that change nothing aside, and what goes into it where that is known."""
    if isinstance(model, keras.Sequential) or not getattr(model, "outputs", None):
        operations = _strip_transparent(operations_in_order(model))
        return (operations[-1] if operations else None), None
    tensor = model.outputs[index]
    while True:
        # Private names of Keras, which have no public form: what made a symbolic tensor, and of what.
        operation, node, _ = tensor._keras_history
        inputs: list = [] if operation is None else operation._inbound_nodes[node].input_tensors
        if len(inputs) != 1:
            return operation, None
        if not is_transparent(operation):
            return operation, inputs[0]
        tensor = inputs[0]


def _list_parts(model: Any, index: int) -> tuple:
    """All that a model without its last activation is made of."""
    last, tensor = _find_last(model, index)
    inner = getattr(last, "layer", None)  # of a wrapper
    parts = (
        *operations_in_order(model),
        last,
        tensor,
        *(getattr(one, "activation", None) for one in (last, inner)),
    )
    return (*parts, *_list_parts(last, 0)) if isinstance(last, keras.Model) else parts


def _strip_transparent(operations: list) -> list:
    while operations and is_transparent(operations[-1]):
        operations = operations[:-1]
    return operations


def _cut(model: keras.Model, index: int) -> keras.Model | None:
    last, tensor = _find_last(model, index)
    if last is None or last_activation(last) not in ACTIVATIONS:
        return None
    if isinstance(model, keras.Sequential):
        inner = _without_activation(last)
        before = _strip_transparent(operations_in_order(model))[:-1]
        return inner and keras.Sequential([*before, inner], name=model.name)
    if len(getattr(model, "inputs", None) or ()) != 1 or tensor is None:
        return None
    inner = _without_activation(last)
    return inner and keras.Model(model.inputs[0], inner(tensor), name=model.name)


def _without_activation(last: Any) -> keras.Layer | None:
    """A layer that computes what the last operation of a model does, without its activation."""
    if isinstance(last, keras.Model):
        return cut_activation(last)
    if type(last).__name__.lower() in ACTIVATIONS or isinstance(last, keras.layers.Activation):
        return keras.layers.Identity(dtype=getattr(last, "compute_dtype", None))
    return LinearLayer(last) if hasattr(last, "activation") else None


@keras.saving.register_keras_serializable("keras_freq")
class LinearLayer(keras.layers.Layer):
    """A layer with its weights, and a linear activation in place of its own.

    Args:
        layer: A Keras layer with the attribute `activation`. It is not changed.
    """

    def __init__(self, layer: keras.Layer, **kwargs):
        # Not the layer's policy: a quantized one asks each layer that has it for a quantized call.
        super().__init__(autocast=False, **{"name": layer.name, "dtype": layer.compute_dtype, **kwargs})
        self.layer = layer

    def call(self, inputs):
        # For as long as this call is traced. Its weights cannot be shared in any other way.
        activation, self.layer.activation = self.layer.activation, keras.activations.linear
        try:
            return self.layer(inputs)
        finally:
            self.layer.activation = activation

    def build(self, input_shape):
        if not self.layer.built:
            self.layer.build(input_shape)

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        return {**super().get_config(), "layer": keras.saving.serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("layer")), **config)
