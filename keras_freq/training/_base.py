"""What the models share that train a classifier in a way of their own."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_freq._core.classifier import Classifier
from keras_freq.layers._base import RandomFrequencyLayer
from keras_freq.training._first_images import FirstImages


class TrainingModel(keras.Model):
    """A model that holds a classifier and, in inference, is the classifier alone.

    `input_shape`, `output_shape` and `layers` are those of the classifier, the layers behind the wrapper's
    own (Keras looks in `layers` for what it saves and summarizes). `inputs`, `outputs` and `operations`
    belong to Keras' functional models, which the wrapper is not: `model.classifier` has them.

    Subclasses name in `PARTS` the attributes that hold layers or `None`, and set them through `hold`. They
    add the rest of their settings in `get_config`.
    """

    PARTS: ClassVar[tuple[str, ...]] = ("classifier",)

    def __init__(self, **kwargs):
        # Pixels reach the augmentation unrounded; the classifier casts them itself.
        super().__init__(autocast=False, **kwargs)

    def hold(self, *, classifier: keras.Model, **parts: keras.Layer | None) -> None:
        """Check and keep the classifier and the other layers."""
        if not isinstance(classifier, keras.Model):
            declared = isinstance(classifier, Classifier)
            way = ": pass its `model`, and its range to the layers as value_range=" if declared else ""
            raise TypeError(
                f"`classifier` must be a Keras model{way}. Received: type={type(classifier).__name__}"
            )
        _check_one_output(classifier)
        for name, layer in parts.items():
            if layer is not None and not isinstance(layer, keras.Layer):
                raise TypeError(
                    f"`{name}` must be a Keras layer or None. Received: type={type(layer).__name__}"
                )
        for name, layer in {"classifier": classifier, **parts}.items():
            setattr(self, name, layer)

    @keras.Model.layers.getter
    def layers(self) -> list:
        """The layers that the wrapper adds, then those of the classifier."""
        layers = super().layers
        classifier = getattr(self, "classifier", None)
        if classifier is None:
            return layers
        return [layer for layer in layers if layer is not classifier] + classifier.layers

    @property
    def input_shape(self) -> Any:
        """That of the classifier, where Keras knows it."""
        return self.classifier.input_shape

    @property
    def output_shape(self) -> Any:
        """That of the classifier, where Keras knows it."""
        return self.classifier.output_shape

    @property
    def inference_model(self) -> keras.Model:
        """What it is in inference."""
        return self.classifier

    def fit(self, x=None, *args, **kwargs):
        """`keras.Model.fit`, which looks at the first images.

        Raises:
            ValueError: If the first batch holds pixels that are not finite or beyond the range that a layer
                takes.
        """
        first = FirstImages(self._check_images, kwargs.get("batch_size") or 32)
        try:
            return super().fit(first.look(x), *args, **kwargs)
        except Exception:
            if first.error is None:
                raise
        raise first.error from None

    def _check_images(self, images: np.ndarray) -> None:
        for name in self.PARTS:
            for layer in _flatten(getattr(self, name)):
                if isinstance(layer, RandomFrequencyLayer):
                    layer.check_range(images)
                    return  # behind it the values are its own

    def build(self, input_shape):
        for name in self.PARTS:
            layer = getattr(self, name)
            if layer is not None and not layer.built:
                layer.build(input_shape)
        super().build(input_shape)

    def compute_output_shape(self, input_shape):
        return self.classifier.compute_output_shape(input_shape)

    def get_config(self):
        parts = {name: getattr(self, name) for name in self.PARTS}
        return {
            **super().get_config(),
            **{name: layer and keras.saving.serialize_keras_object(layer) for name, layer in parts.items()},
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        for name in cls.PARTS:
            config[name] = config[name] and keras.saving.deserialize_keras_object(
                config[name], custom_objects=custom_objects
            )
        return cls(**config)


def _check_one_output(classifier: keras.Model) -> None:
    """Refuses several outputs, where they are known before the first images."""
    shape = getattr(classifier, "output_shape", None) if classifier.built else None
    if shape is None or (isinstance(shape, tuple) and all(n is None or isinstance(n, int) for n in shape)):
        return
    names = getattr(classifier, "output_names", None) or shape
    raise ValueError(
        "`classifier` must have one output, a tensor of logits: take keras.Model(classifier.inputs, "
        f"classifier.outputs[0]) of one with several. Received: classifier={classifier.name!r} with outputs "
        f"{names}"
    )


def _flatten(layer: Any) -> list:
    """The layers of a sequence of augmentations, or the one there is."""
    return list(layer.layers) if isinstance(layer, keras.Sequential) else [layer]


class BatchTransformModel(TrainingModel):
    """A classifier whose training step sees `prepare(images, labels)` in place of the batch.

    `prepare` may draw from the seed generators of the model's layers and run the classifier in inference
    mode. It is traced with the step: nothing leaves the device.

    Attributes:
        copies: How many versions of the batch `prepare` returns, one behind the other. Sample weights are
            repeated as often.
    """

    copies = 1

    def prepare(self, images: Any, labels: Any) -> tuple[Any, Any]:
        """What the step trains on, of the same shapes but for `copies` times the batch, without gradients."""
        raise NotImplementedError

    def call(self, images, training=False):
        return self.classifier(images, training=training)

    def check_labels(self, labels: Any) -> None:
        """Refuse images without labels."""
        if labels is None:
            raise ValueError(f"{type(self).__name__} trains on (images, labels). Received: images alone")

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        self.check_labels(y)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.check_labels(y)
        return super().compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def train_step(self, *arguments):
        if keras.backend.backend() == "jax":
            state, data = arguments
            state, data = self._prepare_stateless(state, data)
            return super().train_step(state, data)
        return super().train_step(self._prepare_data(*arguments))

    def _prepare_data(self, data):
        images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        self.check_labels(labels)
        images, labels = self.prepare(ops.convert_to_tensor(images), ops.convert_to_tensor(labels))
        if weights is not None and self.copies > 1:
            weights = ops.concatenate([ops.convert_to_tensor(weights)] * self.copies)
        return ops.stop_gradient(images), labels, weights

    def _prepare_stateless(self, state, data):
        """The same where variables are arguments of the step: random draws advance among the values."""
        trainable, non_trainable, *rest = state
        mapping = [
            *zip(self.trainable_variables, trainable, strict=True),
            *zip(self.non_trainable_variables, non_trainable, strict=True),
        ]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            data = self._prepare_data(data)
        values = []
        for variable, value in zip(self.non_trainable_variables, non_trainable, strict=True):
            new = scope.get_current_value(variable)
            values.append(value if new is None else new)
        return (trainable, values, *rest), data
