"""How the tensors that go into a model and come out of it are read, inside traced code."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from keras_freq._core.batch_statistics import by_batch
from keras_freq._core.checks import show
from keras_freq._core.layer_chain import find_layers
from keras_freq._core.value_range import UNIT

# The link of a model that is no classifier: whatever it returns is handed on.
AS_RETURNED = "as the model returns them"


@dataclass(frozen=True)
class Reading:
    """How the tensors that go into a model and come out of it are read.

    `preprocess` maps pixels on [0, 1] to the model's input, `preprocessor` those in its range. `activation`
    is the softmax or sigmoid that was taken off the model: ties stay those of its answers. With `by_batch`
    its batch normalization takes the statistics of the batch at hand.
    """

    value_range: tuple[float, float] = UNIT
    preprocess: Callable | None = None
    preprocessor: Callable | None = None
    output: str | int | None = None
    link: str = "logits"
    activation: str | None = None
    by_batch: bool = False

    @property
    def layers(self) -> list[keras.Layer]:
        """Keras layers in front of the model."""
        return [one for one in (self.preprocess, self.preprocessor) if isinstance(one, keras.Layer)]

    def list_constants(self, model: keras.Model) -> list:
        """What each `Normalization` of the model and in front of it has found: tensors, no variables."""
        found = [
            one for part in (model, *self.layers) for one in find_layers(part, keras.layers.Normalization)
        ]
        return [getattr(one, name, None) for one in found for name in ("mean", "variance")]

    def __call__(self, model: keras.Model, pixels: Any) -> Any:
        """float32 logits `(batch, classes)` of pixels on [0, 1], inside traced code; or what is returned."""
        return self.link_outputs(self.run(model, pixels))

    def run(self, model: keras.Model, pixels: Any) -> Any:
        """The output that is meant, as the model returns it; of a classifier float32."""
        if self.preprocess is not None:
            images = self.preprocess(pixels)
        else:
            low, high = self.value_range
            images = pixels if self.value_range == UNIT else pixels * (high - low) + low
            if self.preprocessor is not None:
                images = self.preprocessor(images)
        with by_batch(model) if self.by_batch else contextlib.nullcontext(), _keep_mode(model):
            outputs = model(images, training=False)
        if self.link == AS_RETURNED:
            return pick_any(outputs, self.output)
        outputs = pick_output(outputs, self.output)
        if self.activation is not None:
            outputs = _tie(outputs, self.activation)
        return ops.cast(outputs, "float32")

    def link_outputs(self, outputs: Any) -> Any:
        tiny = 1e-37
        if self.link in ("none", AS_RETURNED):
            return outputs
        if self.link == "log probabilities":
            return ops.log(ops.maximum(outputs, tiny))
        if self.link == "log odds":
            outputs = ops.log(ops.maximum(outputs, tiny)) - ops.log(ops.maximum(1 - outputs, tiny))
        if outputs.shape[-1] == 1:
            return ops.concatenate([ops.zeros_like(outputs), outputs], axis=-1)
        return outputs


@contextlib.contextmanager
def _keep_mode(model: keras.Model) -> Iterator[None]:
    """Leaves the modules of PyTorch in a wrapper in the mode that their own loop of training has set."""
    wrapped = isinstance(model, keras.layers.TorchModuleWrapper)
    modes = [(one, one.training) for one in model.module.modules()] if wrapped else []
    try:
        yield
    finally:
        for one, mode in modes:
            one.training = mode


def _tie(logits: Any, activation: str) -> Any:
    """Logits that are equal where the probabilities are, which are rounded more: the model's own answer."""
    if activation == "sigmoid":
        tied, value = ops.sigmoid(logits) == 0.5, ops.zeros_like(logits)
    else:
        probabilities = ops.softmax(logits)
        tied = probabilities == ops.max(probabilities, axis=-1, keepdims=True)
        value = ops.max(logits, axis=-1, keepdims=True)
    # The value alone: the gradient is that of the logits.
    return ops.where(tied, logits - ops.stop_gradient(logits) + ops.stop_gradient(value), logits)


def pick_any(outputs: Any, output: str | int | None) -> Any:
    """All that a model returns, or the one part of it that is meant."""
    if output is None:
        return outputs
    try:
        return outputs[output]
    except (KeyError, IndexError, TypeError):
        names = sorted(outputs) if isinstance(outputs, dict) else len(keras.tree.flatten(outputs))
        raise ValueError(
            f"`output` must be one of the model's. Received: output={show(output)} of {names}"
        ) from None


def pick_output(outputs: Any, output: str | int | None) -> Any:
    """The one output `(batch, classes)` that is meant."""
    several = isinstance(outputs, (dict, list, tuple))
    if several and output is None and len(outputs) == 1:
        outputs, several = keras.tree.flatten(outputs)[0], False
    if several:
        names = sorted(outputs) if isinstance(outputs, dict) else list(range(len(outputs)))
        try:
            outputs = outputs[output]
        except (KeyError, IndexError, TypeError):
            raise ValueError(
                "The model must return one tensor, or `output` name one of several: "
                f"keras_freq.Classifier(model, output=...). Received: output={show(output)} of {names}"
            ) from None
    if len(outputs.shape) != 2 or not outputs.shape[-1]:
        raise ValueError(
            "The model must return one tensor of logits (batch, classes), or (batch, 1) for two classes. "
            f"Received: an output of shape {tuple(outputs.shape)}"
        )
    return outputs
