"""One compiled step of a heat map: what it is given, and what it computes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_freq._core.compiled import to_tensor
from keras_freq.spectral import fourier_basis, mirror_index


def basis_tensors(
    group: list, per_step: int, size: tuple[int, int], phase: float | str, data_format: str
) -> tuple:
    """Basis images of a step on the device, `(bases, 1, height, width, 1)`; zeros where nothing is added.

    One set for a fixed phase; for random ones cosine and sine, of which every phase is a sum.
    """
    phases = (0.0, np.pi / 2) if phase == "random" else (phase,)
    sets = []
    for value in phases:
        wave = np.zeros((per_step, *size), "float32")
        for index, place in enumerate(group):
            if place is not None:
                wave[index] = fourier_basis(*size, *place, value)
        sets.append(to_tensor(np.expand_dims(wave, (1, 4) if data_format == "channels_last" else (1, 2))))
    return tuple(sets)


class SignedAmplitudes:
    """Signed amplitudes of a step's frequencies, a batch of images at a time, from a stream each."""

    def __init__(self, group, per_step, size, channels, epsilon, phase, seed, data_format):
        self._axes = (3, 4) if data_format == "channels_last" else (4, 5)
        self._epsilon, self._channels, self._per_step = epsilon, channels, per_step
        self._random = phase == "random"
        self._signs = [None if place is None else np.random.default_rng([seed, *place]) for place in group]
        self._phases = [
            # A frequency that is its own mirror has no phase.
            None
            if not self._random or place is None or _is_own_mirror(size, place)
            else np.random.default_rng([seed, *place, 1])
            for place in group
        ]

    def __len__(self) -> int:
        return len(self._signs)

    def next(self, batch: int, valid: int) -> tuple[np.ndarray, ...]:
        """Amplitudes `(bases, batch, 1, 1, channels)`, one array a set of basis images."""
        sets = np.zeros((1 + self._random, self._per_step, batch, self._channels), "float32")
        for index, (signs, phases) in enumerate(zip(self._signs, self._phases, strict=True)):
            if signs is None:
                continue
            # Rows for real images alone: filling in the middle of a feed must not shift the stream.
            amplitude = np.where(signs.random((valid, self._channels)) < 0.5, -self._epsilon, self._epsilon)
            if phases is None:
                sets[0, index, :valid] = amplitude
            else:
                angle = 2 * np.pi * phases.random((valid, 1))
                sets[0, index, :valid] = amplitude * np.cos(angle)
                sets[1, index, :valid] = amplitude * np.sin(angle)
        return tuple(np.expand_dims(sets, self._axes))


def _is_own_mirror(size: tuple[int, int], place: tuple[int, int]) -> bool:
    return all(mirror_index(length)[index] == index for length, index in zip(size, place, strict=True))


def add_bases(images: Any, waves: tuple, amplitudes: tuple, lower: Any, upper: Any) -> Any:
    """Every image with every basis image of the step added, `(bases * batch, ...)`."""
    added = ops.expand_dims(images, 0)
    for wave, amplitude in zip(waves, amplitudes, strict=True):
        added = added + amplitude * wave
    return ops.reshape(ops.clip(added, lower, upper), (-1, *ops.shape(images)[1:]))


def count_each(logits: Any, labels: Any, valid: Any) -> Any:
    """Correct predictions of each basis image and class, `(bases, classes)`, inside the compiled step."""
    classes, batch = logits.shape[-1], ops.shape(labels)[0]
    predicted = ops.reshape(ops.cast(ops.argmax(logits, axis=-1), "int32"), (-1, batch))
    finite = ops.reshape(ops.all(ops.isfinite(logits), axis=-1), (-1, batch))
    real = ops.arange(batch, dtype="int32") < valid
    correct = ops.logical_and(ops.logical_and(ops.equal(predicted, labels), finite), real)
    one_hot = ops.one_hot(labels, classes, dtype="int32")
    return ops.sum(ops.expand_dims(ops.cast(correct, "int32"), -1) * one_hot, axis=1)


def count_and_change(classes: int, outputs: Any, labels: Any, valid: Any, clean: Any) -> Any:
    """Counts and, behind them, the summed L2 norms of the layer's change, float32 `(bases, classes + 1)`."""
    batch, width = ops.shape(clean)[0], clean.shape[-1]
    counts = count_each(outputs[:, width - classes :], labels, valid)
    change = ops.reshape(outputs, (-1, batch, width)) - clean
    norms = ops.sqrt(ops.sum(ops.square(change[..., : width - classes]), axis=-1))
    norms = ops.where(ops.arange(batch, dtype="int32") < valid, norms, 0.0)
    sums = ops.sum(norms, axis=1, keepdims=True)
    return ops.concatenate([ops.cast(counts, "float32"), sums], axis=-1)


def with_layer(model: keras.Model, name: str) -> tuple[keras.Model, Callable]:
    """A model of the same weights that returns the layer's output and the logits, side by side."""
    inputs, outputs = getattr(model, "inputs", None) or (), getattr(model, "outputs", None) or ()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(
            "`layer` needs a functional or sequential model with one input and one output; of a model that "
            f"wraps one, pass what it wraps. Received: layer={name!r} with model={model.name!r}, a "
            f"{type(model).__name__}"
        )
    layers = {layer.name: layer for layer in model.layers}
    if name not in layers:
        raise ValueError(f"`layer` must be one of {', '.join(map(repr, layers))}. Received: layer={name!r}")
    try:
        parts = (layers[name].output, outputs[0])
        flat = [keras.layers.Flatten(dtype="float32")(part) for part in parts]
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"`layer` must be a layer with one output. Received: layer={name!r} of model={model.name!r}"
        ) from error
    joined = keras.Model(inputs[0], keras.layers.Concatenate(dtype="float32")(flat))
    return joined, functools.partial(count_and_change, outputs[0].shape[-1])
