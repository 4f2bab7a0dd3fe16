from __future__ import annotations

from typing import Any, Literal, get_args

import keras
import numpy as np

from keras_freq._core.checks import check_choice, check_number, check_seed, show
from keras_freq._core.one_line import call_with_short_errors
from keras_freq.layers._base import FrequencyLayer, hold_bytes
from keras_freq.layers._float_bytes import mark_float_bytes
from keras_freq.spectral._backend import (
    dtype_of,
    has_values,
    host_values,
    is_floating,
    is_foreign_tensorflow,
    library_of,
)
from keras_freq.spectral._dft import half_mask, irfft2, rfft2
from keras_freq.spectral._images import to_planes
from keras_freq.spectral._masks import check_mask

How = Literal["keep_other", "drop_own"]


@keras.saving.register_keras_serializable(package="keras_freq")
class ClassFrequencies(FrequencyLayer):
    """Take from images the frequencies by which a network knows their class, or show it those of another one.

    With chance `probability` an image `x` of class `c` becomes `Re IDFT(m * DFT(x))`:

    - `how="keep_other"`, DFM-X: `m` is the map of a class other than `c`, drawn for each image. What the
      network took for a sign of that class is all that it sees, and the label stays `c`.
    - `how="drop_own"`: `m` is 1 less the map of `c`. The network has to know the class from the rest.

    DC is kept, so that the image keeps its mean. Maps are those of `keras_freq.shortcuts`, of the network
    that is trained anew or of another one.

    The layer takes and returns a dictionary, as Keras' MixUp and CutMix do, and works as the `mixture` of
    `keras_freq.training.MixtureModel`, or in `tf.data.Dataset.map`. Pixels are bytes, 0 to 255, or floats of
    any range.

    Args:
        maps: A `keras_freq.shortcuts.FrequencyMaps`, or masks `(classes, height, width)` from 0 to 1,
            centered and Hermitian, of two classes at least; saved with the layer.
        how: `"keep_other"` or `"drop_own"`.
        probability: Chance of an image to be changed, 0 to 1.
        seed: Seed of the layer's stream, or `None` for a fresh one.
        data_format: `"channels_last"` or `"channels_first"`; by default that of the Keras configuration.
        **kwargs: `name`, `dtype` and so on of `keras.layers.Layer`.

    Call arguments:
        inputs: `{"images": ..., "labels": ...}`, a batch `(batch, height, width, channels)` with class
            indices `(batch,)` or `(batch, 1)`, or a weight for every class `(batch, classes)`, of which the
            largest counts; of two classes also the probability of the second.
        training: `False` makes the layer the identity. Inside a model Keras sets it; alone the layer
            augments.

    Returns:
        A dictionary of the changed images and the labels as they were.

    Raises:
        TypeError: if `inputs` is no such dictionary.
        ValueError: if an argument lies outside its range, or images of another size or labels of other
            classes than those of the maps arrive. In compiled code only the number of weights is looked at.

    Source: Wang, Veldhuis, Brune and Strisciuglio, "DFM-X: Augmentation by Leveraging Prior Knowledge of
        Shortcut Learning", ICCV Workshops 2023, for `"keep_other"` with `probability=0.3`.
        Differs from the original: channels are filtered each by itself, where the published code leaves them
        rolled against each other; any maps will do.

    Example:
        >>> maps = np.stack([keras_freq.spectral.disk_mask(32, 32, radius) for radius in (4, 6, 8, 10)])
        >>> layer = keras_freq.layers.ClassFrequencies(maps, how="drop_own", seed=0)
        >>> sorted(layer({"images": images, "labels": labels}))
        ['images', 'labels']
    """

    works_on_arrays = False  # it takes labels too

    def __init__(
        self,
        maps: Any,
        *,
        how: How = "keep_other",
        probability: float = 0.3,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        masks = np.asarray(getattr(maps, "masks", maps), "float32")
        if masks.ndim != 3 or len(masks) < 2:
            raise ValueError(
                "`maps` must be masks (classes, height, width) of two classes at least. "
                f"Received: maps of shape {masks.shape}"
            )
        self.maps = np.stack([check_mask(mask, *mask.shape) for mask in masks])
        if self.maps.min() < 0 or self.maps.max() > 1:
            raise ValueError(
                "`maps` must lie between 0 and 1. "
                f"Received: maps from {self.maps.min():g} to {self.maps.max():g}"
            )
        self.how = check_choice(how, "how", get_args(How))
        self.probability = check_number(probability, "probability", least=0, most=1)
        self.seed = check_seed(seed)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._pipeline_generator: Any = None
        gains = np.stack([half_mask(mask, *mask.shape) for mask in self.maps])
        gains = gains if how == "keep_other" else 1 - gains
        gains[:, 0, 0] = 1
        self._gains = gains.astype("float32")

    def __call__(self, inputs, *args, **kwargs):
        if not isinstance(inputs, dict) or not {"images", "labels"} <= set(inputs):
            raise TypeError(
                "`inputs` must be a dictionary with the keys 'images' and 'labels'. "
                f"Received: {sorted(inputs) if isinstance(inputs, dict) else show(inputs)}"
            )
        if is_foreign_tensorflow(inputs["images"]):
            result = self.call_in_pipeline(inputs, *args, **kwargs)
        else:
            inputs = {name: keras.ops.convert_to_tensor(part) for name, part in inputs.items()}
            result = call_with_short_errors(keras.layers.Layer.__call__, self, inputs, *args, **kwargs)
        if hold_bytes(inputs["images"]):
            result["images"] = mark_float_bytes(result["images"])
        return result

    def call(self, inputs, training=True):
        images = inputs["images"]
        if training:
            shape = (2, keras.ops.shape(images)[0])
            # float32 whatever the default float: half precision has too few numbers to draw from.
            draws = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
            images = self.transform(images, inputs["labels"], draws)
        return {**inputs, "images": keras.ops.cast(images, self.compute_dtype)}

    def call_in_pipeline(self, inputs, training=True):
        import tensorflow as tf

        images = inputs["images"]
        if training:
            if self._pipeline_generator is None:
                with tf.init_scope():
                    start = int(keras.ops.convert_to_numpy(self.seed_generator.state.value)[0])
                    self._pipeline_generator = tf.random.Generator.from_seed(start)
            draws = self._pipeline_generator.uniform((2, tf.shape(images)[0]))
            images = self.transform(images, inputs["labels"], draws)
        return {**inputs, "images": tf.cast(images, self.compute_dtype)}

    def transform(self, images: Any, labels: Any, draws: Any) -> Any:
        """The images of `labels` with the uniform numbers `draws`, `(2, batch)`: other class, coin."""
        if len(images.shape) != 4:
            raise ValueError(
                "ClassFrequencies needs a batch (batch, height, width, channels): batch a dataset before "
                f"mapping it. Received: shape={tuple(images.shape)}"
            )
        planes, back = to_planes(images, self.data_format)
        classes, *size = self.maps.shape
        if tuple(planes.shape[-2:]) != tuple(size):
            raise ValueError(
                f"Images must have the size of the maps, {size[0]} x {size[1]}. "
                f"Received: {planes.shape[-2]} x {planes.shape[-1]}"
            )
        self._check_labels(labels)
        xp = library_of(planes)
        if len(labels.shape) == 2 and labels.shape[-1] != 1:
            labels = xp.argsort(labels)[:, -1]
        elif is_floating(dtype_of(labels)):  # a probability is nearer to one of two classes
            labels = xp.floor(xp.cast(labels, "float32") + 0.5)
        chosen = xp.reshape(xp.cast(labels, "int32"), (-1,))
        if self.how == "keep_other":
            step = xp.cast(xp.minimum(xp.floor(draws[0] * (classes - 1)), classes - 2.0), "int32")
            chosen = (chosen + 1 + step) % classes
        gains = xp.take(xp.constant(self._gains, like=planes), chosen, axis=0)[:, None]
        re, im = rfft2(planes)
        coins = xp.reshape(draws[1], (-1, 1, 1, 1)) < self.probability
        return back(xp.where(coins, irfft2(re * gains, im * gains, *size), planes))

    def _check_labels(self, labels: Any) -> None:
        classes = len(self.maps)
        if len(labels.shape) == 2 and labels.shape[-1] != 1:
            if labels.shape[-1] not in (None, classes):
                raise ValueError(
                    f"Labels must have a weight for each of the {classes} classes that have maps. "
                    f"Received: labels of shape {tuple(labels.shape)}"
                )
            return
        values = host_values(labels)
        if values is None and has_values(labels) and keras.backend.backend() != "torch":
            # PyTorch's training steps hold values too, and must not wait for the device.
            values = keras.ops.convert_to_numpy(labels)
        if values is not None and not ((values >= 0) & (values < classes)).all():
            raise ValueError(
                f"Labels must be from 0 to {classes - 1}, the classes that have maps. "
                f"Received: labels from {values.min():g} to {values.max():g}"
            )

    def compute_output_shape(self, input_shape):
        return dict(input_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "maps": self.maps.tolist(),
            "how": self.how,
            "probability": self.probability,
            "seed": self.seed,
        }
