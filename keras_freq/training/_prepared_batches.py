"""Training on what is made of each batch, images and labels, inside the compiled step."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_freq.training._classifier_wrapper import ClassifierWrapper


class PreparedBatches(ClassifierWrapper):
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
        """Labels there must be."""
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
        return super().train_step(self._prepared(*arguments))

    def _prepared(self, data):
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
            data = self._prepared(data)
        values = []
        for variable, value in zip(self.non_trainable_variables, non_trainable, strict=True):
            new = scope.get_current_value(variable)
            values.append(value if new is None else new)
        return (trainable, values, *rest), data
