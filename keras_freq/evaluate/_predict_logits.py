"""Logits of all images of a data set."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import compile_logits
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.sweep import sweep_batches


def predict_logits(
    model: keras.Model | Classifier, data: Any, *, batch_size: int | None = None
) -> np.ndarray:
    """The model's logits for every image, in the order of the data, in inference mode.

    Args:
        model: Keras classifier that returns logits `(batch, classes)`.
        data: Images `(n, height, width, channels)`, or any data that `iterate_batches` takes; labels are not
            used.
        batch_size: Images per batch where `data` are arrays, default 128.

    Returns:
        float32 array `(n, classes)`.

    Raises:
        ValueError: If the data are empty or not finite, or the model ends in softmax or sigmoid.

    Example:
        >>> keras_freq.evaluate.predict_logits(model, images).shape
        (8, 4)
    """
    feed = ModelFeed(model, data, batch_size=batch_size, needs_logits=True, needs_labels=False, strict=False)
    logits = compile_logits(feed.model)
    steps = sweep_batches(feed, lambda images, *_: logits(images))
    return np.concatenate([found[:valid] for (_, valid), found in steps])
