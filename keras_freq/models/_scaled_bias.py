"""A bias that learns faster than the weights beside it."""

from __future__ import annotations

import keras
from keras import ops

from keras_freq._core.checks import check_number


@keras.saving.register_keras_serializable(package="keras_freq")
class ScaledBias(keras.layers.Layer):
    """Adds `scale * bias`, one learned number a channel: `(..., channels)` to the same.

    Under gradient descent with rate r the sum learns as if its rate were `scale**2 * r`, and so it does
    without a rate of its own in the optimizer.

    Args:
        scale: The factor, greater than 0.
        **kwargs: `name`, `dtype` and so on of `keras.layers.Layer`.

    Raises:
        ValueError: if `scale` is not a number greater than 0.

    Source: Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", arXiv 2404.00498, section 3.3, biases
        of normalizations with 64 times the rate.
        Differs from the original: a factor in the network in place of a rate in the optimizer.

    Example:
        >>> tuple(keras_freq.models.ScaledBias(8.0)(np.zeros((2, 5, 5, 4), "float32")).shape)
        (2, 5, 5, 4)
    """

    def __init__(self, scale: float = 8.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = check_number(scale, "scale", above=0)

    def build(self, input_shape):
        self.bias = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="bias")

    def call(self, inputs):
        return inputs + self.scale * ops.cast(self.bias, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}
