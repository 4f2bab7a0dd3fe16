"""The cross-entropy of each image, inside traced code of the active backend."""

from __future__ import annotations

from typing import Any

from keras import ops


def cross_entropy(logits: Any, labels: Any) -> Any:
    """Cross-entropy of each image.

    `l = sum_k y_k (log sum_j exp(z_j) - z_k)`, from differences to the largest logit: float32 keeps the small
    losses of images that the model is sure of, and their gradients.

    Args:
        logits: `(..., classes)`.
        labels: Class indices, of the shape of the images or what broadcasts to it; or a weight of at least 0
            for every class, `(..., classes)`. The weights need not add up to one.

    Returns:
        float32 `(...)`.
    """
    logits = ops.cast(logits, "float32")
    if len(labels.shape) < len(logits.shape):
        weights = ops.one_hot(labels, logits.shape[-1], dtype="float32")
    else:
        weights = ops.cast(labels, "float32")
    top = ops.one_hot(ops.argmax(logits, axis=-1), logits.shape[-1], dtype="bool")
    highest = ops.sum(ops.where(top, logits, 0.0), axis=-1, keepdims=True)
    # The largest is set to zero, not subtracted from itself: that would add gradients of 1 and -1 to a small
    # one, and lose it.
    gaps = ops.where(top, 0.0, highest - logits)
    others = ops.sum(ops.where(top, 0.0, ops.exp(-gaps)), axis=-1, keepdims=True)
    losses = gaps + ops.log1p(others)
    # Chosen, since a class that the model excludes, with a logit of minus infinity, has an infinite loss.
    return ops.sum(ops.where(weights > 0, weights * losses, 0.0), axis=-1)


def wrong_log_odds(logits: Any, labels: Any) -> Any:
    """`m = log sum_{k != y} exp(z_k) - z_y`, `(batch,)`, of which the cross-entropy is `log(1 + exp(m))`.

    In this form float32 keeps the gradient of images that the model is sure of: `1 - p_y` is never taken.
    """
    own = ops.one_hot(labels, logits.shape[-1], dtype="float32")
    others = ops.where(own > 0, -1e30, logits)
    return ops.logsumexp(others, axis=-1) - ops.sum(own * logits, axis=-1)


def nan_where_infinite(logits: Any) -> Any:
    """1 for each image, or NaN where one of its logits is not finite: a factor for losses.

    Such a loss has a finite gradient now and then, depending on the backend, which means nothing.
    """
    factor = ops.where(ops.all(ops.isfinite(logits), axis=-1), 1.0, float("nan"))
    return ops.cast(factor, "float32")  # not the default float
