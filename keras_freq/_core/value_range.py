"""Which pixel values a model takes: what its first layers tell, and what images show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_freq._core.layer_chain import first_layers

UNIT = (0.0, 1.0)
BYTES = (0.0, 255.0)


def range_of_first_layers(model: Any, preprocessor: Any = None) -> tuple[float, float] | None:
    """The pixel values for which the model's own first layers are made, or `None` where they do not tell.

    A `Rescaling` by 1/255 or 1/127.5, or a `Normalization` whose mean lies far above 1, takes 0 to 255; a
    `Rescaling` by 2 or 255, or a `Normalization` whose mean and deviation are those of images in [0, 1],
    takes 0 to 1. Of several layers the first that tells counts, for what reaches it through the others; what
    stands in front of the model is `preprocessor`.
    """
    for layer, moments, (scale, offset) in _scalings(model, preprocessor):
        if moments is not None:
            mean, deviation = moments
            if np.all(mean > 2) and np.all(deviation > 2):
                return BYTES
            if np.all((mean > 0.05) & (mean < 1) & (deviation < 0.6)):
                return UNIT
        with np.errstate(divide="ignore", invalid="ignore"):
            zero = -offset / scale  # the pixel that becomes 0
        if np.all((scale > 1 / 512) & (scale < 1 / 64) & (zero > -13) & (zero < 268)):
            return BYTES
        plain = np.all(scale == 1) and np.all(offset == 0)
        natural = np.all((scale > 0.5) & (scale < 512) & (zero > -0.05) & (zero < 1.05))
        if not isinstance(layer, keras.layers.Normalization) and natural and not plain:
            return UNIT
    return None


def first_normalization(model: Any, preprocessor: Any = None) -> np.ndarray | None:
    """Mean that the model's first `Normalization` subtracts, as pixels in the range that the model takes."""
    for layer, moments, _ in _scalings(model, preprocessor):
        if moments is not None:
            return np.ravel(moments[0])
        if isinstance(layer, keras.layers.Normalization):
            return None
    return None


def _scalings(model: Any, preprocessor: Any) -> Iterator[tuple[Any, tuple | None, tuple]]:
    """The first layers that scale pixels.

    Each with the mean and deviation that a `Normalization` takes off, as pixels, and with the scale and
    offset of all up to it: `scale * pixel + offset` leaves it.
    """
    scale, offset = np.ones(()), np.zeros(())
    if preprocessor is not None:
        if not hasattr(preprocessor, "image_converter"):
            return
        # KerasHub's, which keeps to this interface without being a layer that Keras knows.
        converter = preprocessor.image_converter
        factor, shift = getattr(converter, "scale", None), getattr(converter, "offset", None)
        scale = scale if factor is None else np.asarray(factor, "float64")
        offset = offset if shift is None else np.asarray(shift, "float64")
        yield converter, (-offset / scale, 1 / scale) if offset.ndim else None, (scale, offset)
    for layer in first_layers(model):
        if isinstance(layer, keras.layers.Rescaling):
            moments, factor, shift = None, layer.scale, layer.offset
            factor, shift = np.asarray(factor, "float64"), np.asarray(shift, "float64")
        elif isinstance(layer, keras.layers.Normalization) and getattr(layer, "variance", None) is not None:
            mean, variance = (
                keras.ops.convert_to_numpy(value).astype("float64") for value in (layer.mean, layer.variance)
            )
            deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
            moments = None if layer.invert else ((mean - offset) / scale, deviation / scale)
            factor, shift = (deviation, mean) if layer.invert else (1 / deviation, -mean / deviation)
        else:
            return
        scale, offset = scale * factor, offset * factor + shift
        yield layer, moments, (scale, offset)
