"""Training on crops of large images, as APR's authors do: crop, APR-S, flip, normalize, APR-P."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import keras
import numpy as np
from keras import ops

import keras_freq as kf


@keras.saving.register_keras_serializable(package="keras_freq_apps")
class NormalizedPair(keras.layers.Layer):
    """Mixes the images of a batch in normalized space: pixels in and out.

    `y = std * pair((x - mean) / std) + mean`. Amplitudes of normalized images are others than those of
    pixels, channel by channel and at DC, so that this is not what `pair` makes of the pixels.
    """

    def __init__(self, pair: keras.Layer, *, mean: Sequence[float], std: Sequence[float], **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.pair, self.mean, self.std = pair, tuple(mean), tuple(std)

    def build(self, input_shape):
        self.pair.build(input_shape)

    def call(self, images, training=True):
        if not training:
            return images
        mean, std = (ops.convert_to_tensor(np.asarray(x, "float32")) for x in (self.mean, self.std))
        normalized = (ops.cast(images, "float32") - mean) / std
        return self.pair(normalized, training=True) * std + mean

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        pair = keras.saving.serialize_keras_object(self.pair)
        return {**super().get_config(), "pair": pair, "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "pair": keras.saving.deserialize_keras_object(config["pair"])})


@keras.saving.register_keras_serializable(package="keras_freq_apps")
class CroppedAPRModel(kf.APRModel):
    """`keras_freq.APRModel` behind a crop: random in training, the middle in inference."""

    PARTS: ClassVar[tuple[str, ...]] = ("crop", *kf.APRModel.PARTS)

    def __init__(self, classifier: keras.Model, *, crop: kf.layers.RandomResizedCrop, **options):
        super().__init__(classifier, **options)
        self.crop = crop

    def build(self, input_shape):
        self.crop.build(input_shape)
        super().build(self.crop.compute_output_shape(input_shape))

    def call(self, images, training=False):
        return super().call(self.crop(images, training=training), training=training)

    def compute_output_shape(self, input_shape):
        return super().compute_output_shape(self.crop.compute_output_shape(input_shape))
