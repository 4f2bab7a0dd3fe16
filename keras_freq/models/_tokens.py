"""What a vision transformer adds to its patches: a token of its own, and where each of them lies."""

from __future__ import annotations

import keras
from keras import ops

_INITIALIZER = {"class_name": "TruncatedNormal", "config": {"stddev": 0.02}}


@keras.saving.register_keras_serializable(package="keras_freq")
class ClassToken(keras.layers.Layer):
    """Puts one learned token in front of every sequence: `(batch, n, width)` to `(batch, n + 1, width)`.

    Args:
        **kwargs: `name`, `dtype` and so on of `keras.layers.Layer`.

    Source: Dosovitskiy et al., "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale",
        ICLR 2021, equation 1.

    Example:
        >>> tuple(keras_freq.models.ClassToken()(np.ones((2, 4, 8), "float32")).shape)
        (2, 5, 8)
    """

    def build(self, input_shape):
        self.token = self.add_weight(
            shape=(1, 1, input_shape[-1]),
            initializer=keras.initializers.deserialize(_INITIALIZER),
            name="token",
        )

    def call(self, sequence):
        shape = (ops.shape(sequence)[0], 1, sequence.shape[-1])
        token = ops.broadcast_to(ops.cast(self.token, sequence.dtype), shape)
        return ops.concatenate([token, sequence], axis=1)

    def compute_output_shape(self, input_shape):
        batch, length, width = input_shape
        return (batch, None if length is None else length + 1, width)


@keras.saving.register_keras_serializable(package="keras_freq")
class PositionEmbedding(keras.layers.Layer):
    """Adds a learned vector to each place of a sequence of known length, `(batch, n, width)`.

    Args:
        **kwargs: `name`, `dtype` and so on of `keras.layers.Layer`.

    Raises:
        ValueError: if the length of the sequence is not known.

    Source: Dosovitskiy et al., "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale",
        ICLR 2021, equation 1.

    Example:
        >>> tuple(keras_freq.models.PositionEmbedding()(np.ones((2, 4, 8), "float32")).shape)
        (2, 4, 8)
    """

    def build(self, input_shape):
        if input_shape[1] is None:
            raise ValueError(
                "The sequence must be of known length, one vector per place. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        self.positions = self.add_weight(
            shape=(1, *input_shape[1:]),
            initializer=keras.initializers.deserialize(_INITIALIZER),
            name="positions",
        )

    def call(self, sequence):
        return sequence + ops.cast(self.positions, sequence.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape
