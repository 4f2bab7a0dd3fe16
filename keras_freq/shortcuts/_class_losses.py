"""One compiled step of a search: many filtered copies of a batch, summed loss and hits by class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import compile_function
from keras_freq._core.losses import cross_entropy, nan_where_infinite
from keras_freq.evaluate._predictions import choose_classes, is_tied

LOSSES = ("cross_entropy", "logit")


def compile_class_losses(
    model: Classifier, filter_images: Callable, *, what: tuple, loss: str = "cross_entropy"
) -> Callable:
    """The losses of filtered images by class as one compiled function, nothing copied back.

    Args:
        model: A classifier that returns logits.
        filter_images: Pure function `filter_images(images, *args)` of tensors that returns the copies
            `(masks * batch, ...)`, all images under the first mask in front.
        what: Tells the compiled functions of one model apart: all that `filter_images` depends on.
        loss: `"cross_entropy"`, or `"logit"` for the logit of the own class with its sign changed.

    Returns:
        A function `(images, labels, valid, *args)` of tensors. It returns a float32 tensor `(masks, 3,
        classes)` on the device: for each class the sum over its images among the first `valid` of the loss,
        how many of them are recognized, and how many have undefined outputs.
    """

    def build(forward, images, labels, valid, args):
        logits = forward(filter_images(images, *args))
        return sum_by_class(logits, labels, valid, loss)

    run = compile_function(model, ("class losses", loss, *what), build)
    return lambda images, labels, valid, *args: run(images, labels, valid, args)


def sum_by_class(logits: Any, labels: Any, valid: Any, loss: str = "cross_entropy") -> Any:
    """Summed loss, correct and undefined ones `(masks, 3, classes)` of logits `(masks * batch, classes)`."""
    classes, batch = logits.shape[-1], ops.shape(labels)[0]
    logits = ops.reshape(logits, (-1, batch, classes))
    # A tie is no answer.
    chosen = choose_classes(logits)
    correct = ops.logical_and(ops.equal(chosen, labels), ops.logical_not(is_tied(logits)))
    counts = [ops.cast(which, "float32") for which in (correct, ops.equal(chosen, classes))]
    parts = ops.stack([compute_image_losses(logits, labels, loss), *counts], axis=1)
    real = ops.arange(batch, dtype="int32") < valid
    own = ops.logical_and(ops.one_hot(labels, classes, dtype="bool"), ops.expand_dims(real, -1))
    # Chosen, not multiplied by zeros: an undefined loss stays with its class.
    return ops.sum(ops.where(own, ops.expand_dims(parts, -1), 0.0), axis=2)


def compute_image_losses(logits: Any, labels: Any, loss: str) -> Any:
    """Loss of each image, `(..., batch)`, of logits `(..., batch, classes)`.

    A cross-entropy is NaN where a logit is infinite.
    """
    if loss == "cross_entropy":
        return cross_entropy(logits, labels) * nan_where_infinite(logits)
    own = ops.one_hot(labels, logits.shape[-1], dtype="bool")
    return -ops.sum(ops.where(own, logits, 0.0), axis=-1)
