"""Batch normalization by the statistics of the batch at hand, in inference."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from keras_freq._core.layer_chain import find_layers


def normalize_by_batch(layer: Any, inputs: Any) -> Any:
    """`gamma * (x - mean(batch)) / sqrt(var(batch) + epsilon) + beta` with a layer's weights, in float32."""
    x = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
    channels = layer.axis % len(x.shape)
    axes = [axis for axis in range(len(x.shape)) if axis != channels]
    mean, variance = ops.moments(x, axes, synchronized=layer.synchronized)
    outputs = ops.batch_normalization(
        x,
        mean,
        variance,
        channels,
        offset=ops.cast(layer.beta, x.dtype) if layer.center else None,
        scale=ops.cast(layer.gamma, x.dtype) if layer.scale else None,
        epsilon=layer.epsilon,
    )
    return ops.cast(outputs, layer.compute_dtype)


def find_normalizations(model: Any) -> list[Any]:
    """Every layer of batch normalization in a model, however deep, each once."""
    return find_layers(model, keras.layers.BatchNormalization)


@contextlib.contextmanager
def by_batch(model: Any) -> Iterator[None]:
    """Within it the model normalizes by the batch at hand, and changes no moving statistics.

    For as long as the model is called or traced: its own layers stand in for themselves, as a copy would not
    have their weights.
    """
    layers = find_normalizations(model)

    def stand_in(layer):
        return lambda inputs, training=None, mask=None: normalize_by_batch(layer, inputs)

    for layer in layers:
        # Past the setters of Keras and PyTorch, which would look for weights in it.
        object.__setattr__(layer, "call", stand_in(layer))
    try:
        yield
    finally:
        for layer in layers:
            object.__delattr__(layer, "call")
