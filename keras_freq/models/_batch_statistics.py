"""Batch normalization that does not change in inference, as some published networks have it."""

from __future__ import annotations

from typing import Any

import keras

from keras_freq._core.batch_statistics import normalize_by_batch


@keras.saving.register_keras_serializable(package="keras_freq")
class BatchStatisticsNormalization(keras.layers.BatchNormalization):
    """Batch normalization with the statistics of the batch at hand, in training and in inference.

    `y = gamma * (x - mean(batch)) / sqrt(var(batch) + epsilon) + beta`, over all axes but `axis`, in float32
    or better. Training is that of `keras.layers.BatchNormalization`, moving statistics included; in inference
    and where `trainable=False` those are neither used nor changed. The weights are the same four, so that
    `set_weights` exchanges them with a `BatchNormalization`.

    What a model with this layer says of an image depends on the other images of the batch: accuracies change
    with the batch size and the order of the data, a batch of one is normalized by the image alone, and
    where evaluations fill up a last, shorter batch, as those of `keras_freq.evaluate` do with copies of its
    last image, the filling takes part in the statistics. Let the batch size divide the number of images.

    Args:
        **kwargs: Those of `keras.layers.BatchNormalization`, without `renorm`. Masks are not supported.

    Raises:
        ValueError: if `renorm` is set, which works with moving statistics.

    Source: Wang et al., "High-frequency Component Helps Explain the Generalization of Convolutional Neural
        Networks", CVPR 2020: their published network normalizes so at test time.

    Example:
        >>> layer = keras_freq.models.BatchStatisticsNormalization()
        >>> y = keras.ops.convert_to_numpy(layer(np.random.default_rng(0).normal(5, 3, (64, 4))))
        >>> bool(abs(y.mean()) < 1e-5)
        True
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        if getattr(self, "renorm", False):
            raise ValueError(
                "`renorm` must be False, since moving statistics are not used. Received: renorm=True"
            )
        self.supports_masking = False

    def call(self, inputs, training=None):
        if training and self.trainable:
            return super().call(inputs, training=training)
        return normalize_by_batch(self, inputs)
