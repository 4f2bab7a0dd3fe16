"""A model without the softmax or sigmoid at its end."""

from __future__ import annotations

from typing import TypeVar

import keras

from keras_freq._core.classifier import Classifier
from keras_freq._core.last_activation import ACTIVATIONS, cut_activation, last_activation
from keras_freq._core.layer_chain import operations_in_order

Model = TypeVar("Model", keras.Model, Classifier)


def to_logits(model: Model) -> Model:
    """The model without the softmax or sigmoid at its end: `softmax(to_logits(model)(x)) == model(x)`.

    It shares layers and weights with the model: training one trains the other, and nothing is copied.

    Args:
        model: A functional or sequential Keras model whose one output is made by a softmax or a sigmoid: a
            layer, an operation, or the activation of the last layer, also of a model that stands at the end;
            or a `keras_freq.Classifier` of such a model, or of one with several outputs that names one.

    Returns:
        A Keras model `(batch, ...) -> (batch, classes)`; the model itself if it ends in neither. Of a
        classifier, one of that model with the same declarations.

    Raises:
        ValueError: If the activation cannot be taken off: it is made inside a subclassed model, say.
        TypeError: If `model` is of another kind.

    Example:
        >>> probabilities = keras.Sequential([model, keras.layers.Softmax()])
        >>> logits = kf.to_logits(probabilities)
        >>> np.allclose(kf.evaluate.predict_logits(logits, images), kf.evaluate.predict_logits(model, images))
        True
    """
    if isinstance(model, Classifier):
        if not model.tells_outputs:
            _refuse(model.core)
        return model.ending_in_logits
    if not isinstance(model, keras.Model):
        raise TypeError(
            "`model` must be a Keras model or a keras_freq.Classifier. "
            f"Received: model of type {type(model).__name__}"
        )
    cut = cut_activation(model)
    if cut is None and (last_activation(model) in ACTIVATIONS or not operations_in_order(model)):
        _refuse(model)
    return model if cut is None else cut


def _refuse(model: keras.Model) -> None:
    raise ValueError(
        "`model` must be functional or sequential with one output, so that its last operation can be "
        f"taken off. Received: model={model.name!r}, a {type(model).__name__}"
    )
