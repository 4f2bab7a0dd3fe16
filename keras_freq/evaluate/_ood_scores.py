"""Scores that say how far an image looks like the training data."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_freq._core.checks import check_choice
from keras_freq._core.classifier import Classifier
from keras_freq.evaluate._predict_logits import predict_logits

SCORES = ("max_logit", "max_softmax", "energy")


def ood_scores(
    model: keras.Model | Classifier, data: Any, *, score: str = "max_logit", batch_size: int | None = None
) -> np.ndarray:
    """A score for every image, higher for those that look more in-distribution.

    With the logits `z`: `max_logit` is `max(z)`, `max_softmax` is `max(softmax(z))`, `energy` is
    `log(sum(exp(z)))`, the negative free energy.

    Args:
        model: Keras classifier that returns logits `(batch, classes)`, or a `keras_freq.Classifier`.
        data: Images `(n, height, width, channels)`, or any data that `iterate_batches` takes; labels are not
            used.
        score: `"max_logit"`, `"max_softmax"` or `"energy"`.
        batch_size: Images per batch where `data` are arrays, default 128.

    Returns:
        float64 array `(n,)`, in the order of the data.

    Raises:
        ValueError: If `score` is unknown, the data are empty or not finite, or the model returns
            probabilities.

    Source: Chen et al., ICCV 2021, detection by the largest logit; Hendrycks and Gimpel, ICLR 2017, by the
        largest probability; Liu et al., NeurIPS 2020, by the energy.

    Example:
        >>> known = keras_freq.evaluate.ood_scores(model, images)
        >>> unknown = keras_freq.evaluate.ood_scores(model, 1 - images)
        >>> known.shape, keras_freq.evaluate.ood_metrics(known, unknown).n
        ((8,), 16)
    """
    check_choice(score, "score", SCORES)
    logits = predict_logits(model, data, batch_size=batch_size).astype("float64")
    top = logits.max(axis=-1)
    if score == "max_logit":
        return top
    total = np.exp(logits - top[:, None]).sum(axis=-1)
    return 1 / total if score == "max_softmax" else top + np.log(total)
