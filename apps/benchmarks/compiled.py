"""A function of images as its backend runs it best: compiled on TensorFlow and JAX, eager on PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


def compile_forward(function: Callable, variables: list | None = None) -> Callable[[Any], Any]:
    """`images -> function(images)`. The `variables` of a layer are read at every call, and never written."""
    return _compile(function, variables or [])


def compile_gradient(function: Callable, variables: list | None = None) -> Callable[[Any], Any]:
    """`images -> v, dv/dx` with `v = sum(function(x) ** 2)`: forward and backward.

    Both are returned: of a function that is not differentiable the gradient is 0, and a compiler would leave
    the rest out.
    """

    def loss(images):
        return keras.ops.sum(keras.ops.square(keras.ops.cast(function(images), "float32")))

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        def gradient(images):
            with tf.GradientTape() as tape:
                tape.watch(images)
                value = loss(images)
            return value, tape.gradient(value, images, unconnected_gradients="zero")

        return _compile(gradient, variables or [])
    if backend == "jax":
        import jax

        return _compile(jax.value_and_grad(loss), variables or [])
    import torch

    def backward(images):
        images = images.detach().requires_grad_(True)
        value = loss(images)
        return value.detach(), torch.autograd.grad(value, images)[0]

    return backward


def wait(result: Any) -> Any:
    """Returns once the device has computed it, a tensor or several."""
    backend = keras.backend.backend()
    for tensor in keras.tree.flatten(result):
        if backend == "tensorflow":
            tensor.numpy()
        elif backend == "jax":
            tensor.block_until_ready()
        elif tensor.is_cuda:
            import torch

            torch.cuda.synchronize()
    return result


def _compile(function: Callable, variables: list) -> Callable[[Any], Any]:
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    if backend == "jax":
        import jax

        def pure(state, images):
            with keras.StatelessScope(list(zip(variables, state, strict=True))):
                return function(images)

        jitted = jax.jit(pure)
        return lambda images: jitted([variable.value for variable in variables], images)
    import torch

    def run(images):
        with torch.no_grad():
            return function(images)

    return run
