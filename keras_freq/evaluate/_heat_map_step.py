"""One compiled step of a heat map: at which frequencies, what is added to the images, what is counted."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_freq._core.checks import check_choice, show
from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import to_tensor
from keras_freq.evaluate._predictions import choose_among, choose_classes
from keras_freq.spectral import fourier_basis, radial_distance
from keras_freq.spectral._grid import one_of_each_pair, own_mirror

COVERAGES = ("half", "reference", "full")
# Centered indices of a frequency; `None` stands for nothing added.
Place = tuple[int, int] | None


def check_window(window: int | Sequence[int] | None, height: int, width: int) -> tuple[int, int] | None:
    """Half sizes (rows, columns) of a window about DC that lies inside the spectrum."""
    if window is None:
        return None
    sizes = tuple(window) if isinstance(window, Sequence) else (window, window)
    most = ((height - 1) // 2, (width - 1) // 2)
    if len(sizes) != 2 or not all(
        isinstance(size, (int, np.integer)) and not isinstance(size, bool) and 0 <= size <= top
        for size, top in zip(sizes, most, strict=False)
    ):
        raise ValueError(
            f"`window` must be whole numbers of 0 to {most[0]} rows and 0 to {most[1]} columns from DC for "
            f"images of {height}x{width}. Received: window={show(window)}"
        )
    return int(sizes[0]), int(sizes[1])


def select_frequencies(
    height: int, width: int, *, coverage: str = "half", window: tuple[int, int] | None = None
) -> list[tuple[int, int]]:
    """Centered indices of the frequencies to be measured, from DC outward.

    Of a pair `(i, j)` and its mirror, `"half"` takes the one with the larger `j`, or with the larger `i`
    where `j` is its own mirror; `"reference"` takes both in the column `j = width // 2`; `"full"` takes all.
    """
    check_choice(coverage, "coverage", COVERAGES)
    i, j = np.indices((height, width))
    taken = one_of_each_pair(height, width).copy()
    if coverage == "full":
        taken[:] = True
    elif coverage == "reference":
        taken[:, width // 2] = True
    if window is not None:
        taken &= (np.abs(i - height // 2) <= window[0]) & (np.abs(j - width // 2) <= window[1])
    order = np.argsort(radial_distance(height, width)[taken], kind="stable")
    return [(int(row), int(column)) for row, column in np.argwhere(taken)[order]]


class SignedBases:
    """Basis images of one step on the device, and signed amplitudes for each batch from a stream each.

    Args:
        places: The frequencies of the step.
        size: Height and width of the images.
        channels: Channels of the images.
        epsilon: L2 norm of what is added to a channel.
        phase: Radians, or `"random"`: then there are two sets of basis images, cosine and sine, of which
            every phase is a sum.
        seed: Seed of signs and phases.
        data_format: `"channels_last"` or `"channels_first"`.

    Attributes:
        waves: Basis images `(bases, 1, height, width, 1)`, one tensor per set; zeros where nothing is added.
    """

    def __init__(
        self,
        places: Sequence[Place],
        *,
        size: tuple[int, int],
        channels: int,
        epsilon: float,
        phase: float | str,
        seed: int,
        data_format: str,
    ):
        last = data_format == "channels_last"
        random = isinstance(phase, str)
        self._axes = (3, 4) if last else (4, 5)
        self._channels, self._epsilon, self._sets = channels, epsilon, 1 + random
        self._signs = [None if place is None else np.random.default_rng([seed, *place]) for place in places]
        self._phases = [
            # A frequency that is its own mirror has no phase.
            None
            if not random or place is None or own_mirror(*size)[place]
            else np.random.default_rng([seed, *place, 1])
            for place in places
        ]
        waves = np.zeros((self._sets, len(places), *size), "float32")
        angles = (0.0, np.pi / 2) if isinstance(phase, str) else (phase,)
        for wave, angle in zip(waves, angles, strict=True):
            for index, place in enumerate(places):
                if place is not None:
                    wave[index] = fourier_basis(*size, *place, angle)
        self.waves = tuple(to_tensor(np.expand_dims(wave, (1, 4) if last else (1, 2))) for wave in waves)

    def draw_amplitudes(self, batch: int, valid: int) -> tuple[np.ndarray, ...]:
        """Amplitudes `(bases, batch, 1, 1, channels)` for the next batch, one array per set."""
        sets = np.zeros((self._sets, len(self._signs), batch, self._channels), "float32")
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


def add_bases(images: Any, waves: tuple, amplitudes: tuple) -> Any:
    """Every image with every basis image of the step added, `(bases * batch, ...)`."""
    added = ops.expand_dims(images, 0)
    for wave, amplitude in zip(waves, amplitudes, strict=True):
        added = added + amplitude * wave
    return ops.reshape(ops.clip(added, 0.0, 1.0), (-1, *ops.shape(images)[1:]))


def count_each(logits: Any, labels: Any, valid: Any, top: Any = None) -> Any:
    """Correct predictions of each basis image by class, then undefined ones: `(bases, classes + 1)`."""
    classes, batch = logits.shape[-1], ops.shape(labels)[0]
    if top is None:
        predicted = ops.reshape(choose_classes(logits), (-1, batch))
    else:
        by_basis = ops.reshape(logits, (-1, batch, classes))
        every = ops.broadcast_to(labels, ops.shape(by_basis)[:2])
        predicted = choose_among(by_basis, every, top)
    real = ops.arange(batch, dtype="int32") < valid
    # Undefined ones are of the class `classes`, which no label is.
    counted = ops.logical_or(ops.equal(predicted, labels), ops.equal(predicted, classes))
    counted = ops.cast(ops.logical_and(counted, real), "int32")
    return ops.sum(ops.expand_dims(counted, -1) * ops.one_hot(predicted, classes + 1, dtype="int32"), axis=1)


def count_and_change(classes: int, outputs: Any, labels: Any, valid: Any, clean: Any, top: Any = None) -> Any:
    """Counts and, behind them, the summed L2 norms of the layer's change, float32 `(bases, classes + 2)`."""
    batch, width = ops.shape(clean)[0], clean.shape[-1]
    counts = count_each(outputs[:, width - classes :], labels, valid, top)
    change = ops.reshape(outputs, (-1, batch, width)) - clean
    norms = ops.sqrt(ops.sum(ops.square(change[..., : width - classes]), axis=-1))
    norms = ops.where(ops.arange(batch, dtype="int32") < valid, norms, 0.0)
    sums = ops.sum(norms, axis=1, keepdims=True)
    return ops.concatenate([ops.cast(counts, "float32"), sums], axis=-1)


def attach_layer(classifier: Classifier, name: str) -> tuple[Classifier, Callable]:
    """A model of the same weights that returns the layer's output and the logits, side by side."""
    model = classifier.core
    inputs, outputs = (list(getattr(model, side, None) or ()) for side in ("inputs", "outputs"))
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(
            "`layer` needs a functional or sequential model with one input and one output; of a model that "
            f"wraps one, pass what it wraps. Received: layer={show(name)} with model={model.name!r}, a "
            f"{type(model).__name__}"
        )
    if outputs[0].shape[-1] < 2 or classifier.reading.link != "logits":
        raise ValueError(
            "`layer` needs a model whose outputs are logits of two classes or more. "
            f"Received: layer={show(name)} with model={model.name!r}"
        )
    layers = {layer.name: layer for layer in model.layers}
    if name not in layers:
        raise ValueError(
            f"`layer` must be one of {', '.join(map(repr, layers))}. Received: layer={show(name)}"
        )
    try:
        parts = (layers[name].output, outputs[0])
        flat = [keras.layers.Flatten(dtype="float32")(part) for part in parts]
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"`layer` must be a layer with one output. Received: layer={show(name)} of model={model.name!r}"
        ) from error
    joined = keras.Model(inputs[0], keras.layers.Concatenate(dtype="float32")(flat))
    return classifier.replace_model(joined), functools.partial(count_and_change, outputs[0].shape[-1])
