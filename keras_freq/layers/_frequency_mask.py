from __future__ import annotations

from typing import Literal

import keras
import numpy as np

from keras_freq.layers._base import FrequencyLayer
from keras_freq.spectral._filters import apply_mask
from keras_freq.spectral._masks import checked_mask


@keras.saving.register_keras_serializable(package="keras_freq")
class FrequencyMask(FrequencyLayer):
    """Multiply the spectrum of every channel by a gain of one's own.

    `y = Re IDFT(mask * DFT(x))`

    Args:
        mask: `(height, width)` of the images, centred, DC at `(height // 2, width // 2)`; saved with the
            layer.
        symmetrize: `None` refuses a mask that is not Hermitian; `"mean"`, `"min"` or `"max"` makes it so
            first.
        data_format: `"channels_last"` or `"channels_first"`; by default that of the Keras configuration.
        **kwargs: `name`, `dtype` and so on of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`, or one image without the batch axis inside `tf.data`.

    Output shape:
        The same.

    Raises:
        ValueError: if the mask is not a finite Hermitian matrix, or images of another size arrive.

    Example:
        >>> mask = keras_freq.spectral.ring_mask(32, 32, 4, 8)
        >>> tuple(keras_freq.layers.FrequencyMask(1 - mask)(np.ones((1, 32, 32, 3))).shape)
        (1, 32, 32, 3)
    """

    def __init__(
        self,
        mask,
        *,
        symmetrize: Literal["mean", "min", "max"] | None = None,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        mask = np.asarray(mask)
        if mask.ndim != 2:
            raise ValueError(f"`mask` must have shape (height, width). Received: mask.shape={mask.shape}")
        self.mask = checked_mask(mask, *mask.shape, how=symmetrize)

    def transform(self, images):
        return apply_mask(images, self.mask, data_format=self.data_format)

    def get_config(self):
        return {**super().get_config(), "mask": self.mask.tolist()}
