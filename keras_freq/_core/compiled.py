"""A model as one compiled function, on each backend.

TensorFlow: one `tf.function`. JAX: one `jax.jit` that takes the weights as arguments, read at every call,
since arrays taken once are deleted by a later `fit` and a closure would never see new weights. PyTorch:
eager, without gradients of the weights. The model runs in inference mode, and what is compiled is kept for as
long as the model lives.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_freq._core.classifier import as_classifier
from keras_freq._core.devices import split_batch, splitting, take_local
from keras_freq._core.input_gradient import input_gradient
from keras_freq._core.losses import cross_entropy
from keras_freq._core.reading import Reading

# model -> {(what is computed, the model's weights): compiled function}. The functions hold the model weakly.
_COMPILED: weakref.WeakKeyDictionary[Any, dict] = weakref.WeakKeyDictionary()
# Bound for callers that pass a new transform each time: the oldest compiled function goes.
_KEPT_PER_MODEL = 16


def compile_logits(
    model: keras.Model, transform: Callable | None = None, reduce: Callable | None = None
) -> Callable:
    """The model's logits as one compiled function, in inference mode.

    `y = model(transform(images, *args))`, with the weights that the model has at the time of the call.

    Args:
        model: A Keras classifier, `(batch, ...)` in, `(batch, classes)` out, or a `keras_freq.Classifier`,
            which takes pixels on [0, 1] here, whatever its model takes.
        transform: Pure function `transform(images, *args)` of tensors, traced in front of the model. Give the
            same function object again to reuse what was compiled.
        reduce: Pure function `reduce(logits, *reduce_args)` of tensors, traced behind the model.

    Returns:
        A function `(images, *args, reduce_args=())` of arrays or tensors. It returns a tensor on the device:
        float32 logits `(batch, classes)`, or what `reduce` makes of them. One compilation serves all calls
        with the same shapes, also over several calls of `compile_logits`.

    Raises:
        TypeError: If `model` is not a Keras model.
        ValueError: At the first call, if the model's output is not `(batch, classes)`.

    Example:
        >>> logits = kf.attacks.compile_logits(model, lambda images, gain: images * gain)
        >>> tuple(logits(images, np.float32(0.5)).shape)
        (8, 4)
    """

    def build(forward, images, args, reduce_args):
        logits = forward(images if transform is None else transform(images, *args))
        return logits if reduce is None else reduce(logits, *reduce_args)

    run = compile_function(model, ("logits", transform, reduce), build)

    def call(images, *args, reduce_args=()):
        return run(images, args, tuple(reduce_args))

    return call


def compile_loss_gradient(model: keras.Model, update: Callable | None = None) -> Callable:
    """The gradient of the cross-entropy with respect to the images as one compiled function.

    `g = d/dx sum_n CE(model(x_n), label_n)`: the sum, so that an image's gradient does not depend on its
    batch.

    Args:
        model: A Keras classifier that returns logits.
        update: Pure function `update(images, gradient, *args)` of tensors, traced behind the gradient: one
            step of an attack, say. Give the same function object again to reuse what was compiled.

    Returns:
        A function `(images, labels, *args)`. It returns the gradient, of the images' shape, or what `update`
        makes of it. Gradients of the weights are never computed.

    Raises:
        TypeError: If `model` is not a Keras model.

    Example:
        >>> gradient = kf.attacks.compile_loss_gradient(model)(images, labels)
        >>> tuple(gradient.shape)
        (8, 32, 32, 3)
    """

    def build(forward, images, labels, args):
        gradient = input_gradient(lambda x: ops.sum(cross_entropy(forward(x), labels)), images)
        return gradient if update is None else update(images, gradient, *args)

    run = compile_function(model, ("gradient", update), build)

    def call(images, labels, *args):
        return run(images, labels, args)

    return call


def differentiable_logits(model: keras.Model) -> Callable:
    """`tensor -> logits` through which the active framework can differentiate with respect to its input.

    Compiled on TensorFlow and JAX. On PyTorch a backward pass through it leaves `.grad` of the weights alone.
    """
    run = compile_function(model, ("differentiable",), lambda forward, images: forward(images))
    if keras.backend.backend() == "torch":
        apply = _torch_input_only()

        def call(images):
            return apply(images, lambda x: run(x)) if images.requires_grad else run(images)

        return call
    return run


def to_tensor(array: Any) -> Any:
    """An array as a tensor of the active backend, on its device."""
    if isinstance(array, np.ndarray) and not array.flags.writeable:
        array = array.copy()  # PyTorch shares the memory of an array and warns if it is read-only.
    return ops.convert_to_tensor(array)


def compile_function(model: keras.Model, what: tuple, build: Callable) -> Callable:
    """`run(images, *arguments)`, which computes `build(forward, images, *arguments)` in one compiled step.

    `forward` maps pixels on [0, 1] to logits: the model in inference mode with the weights that it has at
    each call. `what` tells the functions of one model apart; of equal ones the first is kept.
    """
    classifier = as_classifier(model)
    reading, core = classifier.reading, classifier.core

    def run(*arguments):
        images, *others = keras.tree.map_structure(to_tensor, arguments)
        arguments = (split_batch(images), *others)
        if not core.built:  # variables must not be made inside a traced function
            reading.run(core, arguments[0][:1])
        functions = _COMPILED.setdefault(core, {})
        # A model whose variables were replaced (quantization, LoRA, another head) is another function.
        # So is one whose batch is split otherwise, and one behind constants that were adapted anew.
        key = (what, reading, _Objects([*core.weights, *reading.list_constants(core)]), splitting())
        if key not in functions:
            while len(functions) >= _KEPT_PER_MODEL:
                functions.pop(next(iter(functions)))
            functions[key] = _COMPILERS[keras.backend.backend()](weakref.ref(core), reading, build)
        return functions[key](*arguments)

    return run


class _Objects:
    """A key of objects, equal where they are the same ones. It keeps them: no later one takes a place."""

    def __init__(self, objects: list):
        self._objects = objects

    def __hash__(self) -> int:
        return hash(tuple(map(id, self._objects)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Objects) or len(self._objects) != len(other._objects):
            return False
        return all(one is two for one, two in zip(self._objects, other._objects, strict=True))


def _compile_tensorflow(model: weakref.ref, reading: Reading, build: Callable) -> Callable:
    import tensorflow as tf

    # Keras converts no Python either, and AutoGraph would wrap an error in ten lines.
    @tf.function(autograph=False)
    def run(*arguments):
        return build(lambda x: reading(model(), x), *arguments)

    traced: dict[tuple, Any] = {}

    def call(*arguments):
        # One graph for each shape, exactly: TensorFlow itself would make one for two sizes of images, and
        # warn of many models.
        key = tuple((tuple(tensor.shape), tensor.dtype) for tensor in keras.tree.flatten(arguments))
        if key not in traced:
            traced[key] = run.get_concrete_function(*arguments)
        return traced[key](*arguments)

    return call


def _compile_jax(model: weakref.ref, reading: Reading, build: Callable) -> Callable:
    import jax

    @jax.jit
    def run(values, *arguments):
        def forward(x):
            current = model()
            # Not `stateless_call`, which hands `training` to models that take no such argument.
            with keras.StatelessScope(list(zip(_variables(current, reading), values, strict=True))):
                # Images times masks of a step, however they were made: each device takes its share.
                return reading(current, split_batch(x))

        return build(forward, *arguments)

    def call(*arguments):
        return run([take_local(one.value) for one in _variables(model(), reading)], *arguments)

    return call


def _variables(model: keras.Model, reading: Reading) -> list:
    """Those of the model and of the layers in front of it, each once."""
    found = [one for layer in (model, *reading.layers) for one in layer.variables]
    return list({id(one): one for one in found}.values())


def _compile_torch(model: weakref.ref, reading: Reading, build: Callable) -> Callable:
    import torch

    def run(*arguments):
        with torch.set_grad_enabled(torch.is_grad_enabled() and _wants_gradient(arguments)):
            return build(lambda x: reading(model(), x), *arguments)

    return run


def _wants_gradient(arguments: tuple) -> bool:
    return any(getattr(argument, "requires_grad", False) for argument in keras.tree.flatten(arguments))


_COMPILERS = {"tensorflow": _compile_tensorflow, "jax": _compile_jax, "torch": _compile_torch}


def _torch_input_only() -> Callable:
    import torch

    class InputOnly(torch.autograd.Function):
        @staticmethod
        def forward(context, images, function):
            with torch.enable_grad():
                context.images = images.detach().requires_grad_(True)
                context.logits = function(context.images)
            return context.logits.detach()

        @staticmethod
        def backward(context, gradient):
            # Kept, since an attack may ask for the gradient of several losses of one forward pass.
            return torch.autograd.grad(context.logits, context.images, gradient, retain_graph=True)[0], None

    return InputOnly.apply
