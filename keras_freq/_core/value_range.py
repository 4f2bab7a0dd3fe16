"""Which pixel values a model takes: what its first layers tell, and what images show."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_freq._core.layer_chain import first_layers

UNIT = (0.0, 1.0)
BYTES = (0.0, 255.0)


def range_of_first_layers(model: Any) -> tuple[float, float] | None:
    """The pixel values for which the model's own first layers are made, or `None` where they do not tell.

    A `Rescaling` by 1/255 or 1/127.5, or a `Normalization` whose mean lies far above 1, takes 0 to 255; a
    `Rescaling` by about 1 or 2, or a `Normalization` whose mean and deviation are those of images in [0, 1],
    takes 0 to 1.
    """
    for layer in first_layers(model):
        if isinstance(layer, keras.layers.Rescaling):
            scale = np.asarray(layer.scale, "float64")
            if np.all((scale > 1 / 512) & (scale < 1 / 64)):
                return BYTES
            if np.all((scale > 0.5) & (scale < 32)):
                return UNIT
        elif isinstance(layer, keras.layers.Normalization):
            moments = normalization_moments(layer)
            if moments is not None:
                mean, deviation = moments
                if np.all(mean > 2) and np.all(deviation > 2):
                    return BYTES
                if np.all((mean > 0.05) & (mean < 1) & (deviation < 0.6)):
                    return UNIT
        else:
            break
    return None


def normalization_moments(layer: keras.layers.Normalization) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean and deviation that the layer subtracts and divides by, float64, or `None` before it is built."""
    if layer.invert:
        return None
    mean, variance = getattr(layer, "mean", None), getattr(layer, "variance", None)
    if mean is None or variance is None:
        return None
    flat = (np.ravel(keras.ops.convert_to_numpy(value)).astype("float64") for value in (mean, variance))
    mean, variance = flat
    return mean, np.sqrt(variance)


def first_normalization(model: Any) -> tuple[np.ndarray, float, float] | None:
    """Mean of the model's first `Normalization`, and the `Rescaling` in front of it: `scale`, `offset`."""
    scale, offset = 1.0, 0.0
    for layer in first_layers(model):
        if isinstance(layer, keras.layers.Rescaling) and np.ndim(layer.scale) == 0 == np.ndim(layer.offset):
            scale, offset = scale * float(layer.scale), offset * float(layer.scale) + float(layer.offset)
        elif isinstance(layer, keras.layers.Normalization):
            moments = normalization_moments(layer)
            return None if moments is None else (moments[0], scale, offset)
        else:
            break
    return None
