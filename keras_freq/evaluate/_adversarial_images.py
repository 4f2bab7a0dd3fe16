"""Adversarial images: kept for figures, confined to their ball, and moved towards the originals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_freq._core.checks import show
from keras_freq._core.result import Record
from keras_freq.attacks._norm_balls import distances, snap
from keras_freq.evaluate._predictions import predict_classes


@dataclass(frozen=True, kw_only=True)
class AdversarialImages(Record):
    """Images before and after an attack.

    Attributes:
        originals: float32 `(n, height, width, channels)`.
        adversarials: float32, same shape: what the attack made of them, whether it fooled the model or not.
        labels: True classes, `(n,)`.
        clean_predictions: Classes that the model sees in the originals, `(n,)`.
        predictions: Classes that the model sees in the adversarials, `(n,)`.
        epsilon: Size of the ball that all adversarials lie in; `None` for attacks that look for the smallest
            change.

    Example:
        >>> options = {"attack": "fgsm", "engine": "own", "epsilons": (8 / 255,), "keep_images": True}
        >>> kept = keras_freq.evaluate.adversarial_accuracy(model, data, **options).images
        >>> kept.adversarials.shape, bool(np.abs(kept.adversarials - kept.originals).max() <= kept.epsilon)
        ((8, 32, 32, 3), True)
    """

    originals: np.ndarray
    adversarials: np.ndarray
    labels: np.ndarray
    clean_predictions: np.ndarray
    predictions: np.ndarray
    epsilon: float | None

    def _headline(self) -> dict[str, Any]:
        fooled = (self.clean_predictions == self.labels) & (self.predictions != self.labels)
        return {"images": len(self.labels), "fooled": int(fooled.sum()), "epsilon": self.epsilon}


def join_batches(parts: list[tuple[np.ndarray, ...]], epsilon: float | None) -> AdversarialImages:
    """Joins the batches' `(originals, adversarials, labels, clean_predictions, predictions)`."""
    originals, adversarials, labels, before, after = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    return AdversarialImages(
        originals=originals,
        adversarials=adversarials,
        labels=labels,
        clean_predictions=before,
        predictions=after,
        epsilon=epsilon,
    )


def confine(
    originals: np.ndarray,
    images: np.ndarray,
    epsilon: float,
    norm: str,
    attack: str,
) -> np.ndarray:
    """An attack's result, exactly inside the ball and the bounds. More than rounding outside is an error."""
    if not np.isfinite(images).all():
        raise RuntimeError(f"The attack returned values that are not finite. Received: attack={show(attack)}")
    size = distances(originals, images, norm).max()
    low, high = float(images.min()), float(images.max())
    slack = 1e-5
    if size > epsilon * (1 + 1e-4) + slack or low < -slack or high > 1 + slack:
        raise RuntimeError(
            f"The attack left the {norm} ball of {epsilon:.6g} or the range [0, 1]. "
            f"Received: attack={show(attack)}, largest distance {size:.6g}, values from {low:.6g} to "
            f"{high:.6g}"
        )
    return snap(originals, images, epsilon, (0.0, 1.0), norm)


def shorten(
    logits: Callable, originals: np.ndarray, images: np.ndarray, labels: np.ndarray, steps: int = 10
) -> np.ndarray:
    """Moves adversarial images straight towards the originals by bisection, as long as they fool the model.

    Args:
        logits: Compiled logits of the model.
        originals: float32 `(batch, ...)`.
        images: Adversarial images; those that fool nobody come back as they are.
        labels: True classes.
        steps: Halvings, one forward pass each.

    Returns:
        float32 images, no farther from the originals than before.
    """
    right = np.zeros(len(images))  # the share of the way at which the model is still right
    fooled_at = np.ones(len(images))
    best = images
    for _ in range(steps):
        middle = (right + fooled_at) / 2
        weight = middle.reshape((-1,) + (1,) * (images.ndim - 1)).astype("float32")
        between = originals + weight * (images - originals)
        fooled = predict_classes(logits, between) != labels
        best = np.where(fooled.reshape(weight.shape), between, best)
        fooled_at, right = np.where(fooled, middle, fooled_at), np.where(fooled, right, middle)
    return best
