"""Logits of all images of a data set."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_freq._core.compiled import compile_logits
from keras_freq._core.probabilities import reject_probabilities
from keras_freq.data import iterate_batches


def predict_logits(model: keras.Model, data: Any, *, batch_size: int | None = None) -> np.ndarray:
    """The model's logits for every image, in the order of the data, in inference mode.

    Args:
        model: Keras classifier that returns logits `(batch, classes)`.
        data: Images `(n, height, width, channels)`, or any data that `iterate_batches` takes; labels are not
            used.
        batch_size: Images a batch where `data` are arrays, default 128.

    Returns:
        float32 array `(n, classes)`.

    Raises:
        ValueError: If the data are empty or not finite, or the model ends in softmax or sigmoid.

    Example:

    >>> keras_freq.evaluate.predict_logits(model, data.test).shape
    (1000, 10)
    """
    reject_probabilities(model)
    logits = compile_logits(model)
    if hasattr(data, "shape"):
        data = (data, np.zeros(len(data), "int32"))
    parts = []
    for images, _, valid in iterate_batches(data, batch_size):
        part = keras.ops.convert_to_numpy(logits(images))
        if not parts:
            reject_probabilities(model, part)
        parts.append(part[:valid])
    return np.concatenate(parts)
