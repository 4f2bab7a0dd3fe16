"""The gradient of a loss with respect to the images, inside traced code of the active backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


def input_gradient(loss: Callable, x: Any, *, differentiable: bool = False) -> Any:
    """Gradient of a scalar function of one tensor. `.grad` of weights is never filled.

    Args:
        loss: Function of a tensor that returns a scalar tensor.
        x: Tensor of the active backend.
        differentiable: Whether the gradient is part of a loss: it has one of its own then, with respect to
            the weights. PyTorch keeps for it what it would free; the others can always.

    Returns:
        Tensor of the shape of `x`.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            value = loss(x)
        return tape.gradient(value, x)
    if backend == "jax":
        import jax

        return jax.grad(loss)(x)
    import torch

    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        # Only the path to the input: `.grad` of the weights is never filled.
        return torch.autograd.grad(loss(x), x, create_graph=differentiable)[0]
