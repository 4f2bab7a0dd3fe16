"""What the frequency layers share: they run in a model and inside `tf.data` under every backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np

from keras_freq._core.checks import check_bytes, check_data_format, check_seed, show
from keras_freq._core.one_line import call_with_short_errors
from keras_freq._core.value_range import UNIT
from keras_freq.layers._float_bytes import are_float_bytes, mark_float_bytes
from keras_freq.spectral._backend import (
    Array,
    dtype_of,
    has_values,
    host_values,
    is_floating,
    is_foreign_tensorflow,
    is_tensorflow,
    library_of,
)
from keras_freq.spectral._images import check_images_shape


class FrequencyLayer(keras.layers.Layer):
    """A layer that maps images to images of the same shape.

    Subclasses write `transform(images)` with functions that accept the tensors of every library. In a Keras
    model it runs on the active backend; inside `tf.data.Dataset.map`, where tensors are TensorFlow's whatever
    the backend, it runs on TensorFlow and touches no Keras state.

    Images arrive in the type they have (mixed precision does not round them first) and leave in the compute
    type of the layer.
    """

    # What stands behind it takes pixels of the same range.
    keeps_pixel_values = True
    # Follows from the configuration and from images alone: `transform_arrays` may run in another process.
    works_on_arrays = True

    def __init__(self, *, data_format: str | None = None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        data_format = data_format or keras.config.image_data_format()
        self.data_format = check_data_format(data_format)

    def __call__(self, images, *args, **kwargs):
        if not hasattr(images, "shape") and not isinstance(images, (list, tuple)):
            raise TypeError(
                f"{type(self).__name__} takes images, an array or tensor. Received: {show(images)}"
            )
        if isinstance(images, (list, tuple)):
            images = keras.ops.convert_to_tensor(images)
        if is_foreign_tensorflow(images):
            result = self.call_in_pipeline(images, *args, **kwargs)
        else:
            result = call_with_short_errors(super().__call__, images, *args, **kwargs)
        return mark_float_bytes(result) if hold_bytes(images) else result

    def call(self, images):
        return keras.ops.cast(self.transform(images), self.compute_dtype)

    def call_in_pipeline(self, images, training=None):
        """`call` for TensorFlow's tensors under another backend. `training` is taken, as Keras takes it, and
        changes nothing here."""
        import tensorflow as tf

        return tf.cast(self.transform(images), self.compute_dtype)

    def transform_arrays(self, images: np.ndarray, generators: Sequence[np.random.Generator]) -> np.ndarray:
        """What the layer makes of arrays in training, by NumPy: no tensor, and no state of Keras.

        Args:
            images: `(batch, height, width, channels)`, or as `data_format` says.
            generators: One for every image, which its random numbers are drawn from.

        Returns:
            float32 images of the same shape.
        """
        return self._as_floats(self.transform(images), images)

    def _as_floats(self, result: np.ndarray, images: np.ndarray) -> np.ndarray:
        result = result.astype("float32", copy=False)
        return mark_float_bytes(result) if hold_bytes(images) else result

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "data_format": self.data_format}


def hold_bytes(images: Array) -> bool:
    """Whether images are 0 to 255: whole numbers, or what another layer made of them."""
    return not is_floating(dtype_of(images)) or are_float_bytes(images)


class RandomFrequencyLayer(FrequencyLayer):
    """A frequency layer that draws anew at every call in training and is the identity otherwise.

    Subclasses write `draw_shape(batch, channels)`, the shape of the uniform numbers they need, and
    `transform(images, draws)`, which is pure. A fresh seed gives a fresh stream, the same seed the same
    stream, per backend; `tf.data` has a stream of its own.
    """

    # Of floats. A layer whose strengths depend on it takes it as an argument, and refuses what lies beyond.
    value_range: tuple[float, float] = UNIT
    checks_range = False
    # Where nothing is compiled, NumPy is several times as fast as the tensors of a processor.
    skips_what_is_not_drawn = False
    # Options that are values of pixels, of floats as of bytes on `value_range`.
    pixel_options: tuple[str, ...] = ()

    def __init__(self, *, seed: int | None = None, data_format: str | None = None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.seed = check_seed(seed)
        self._checked = False
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._pipeline_generator = None

    def _draw_and_transform(self, images: Array, batch, uniform: Callable[[tuple], Array]) -> Array:
        check_images_shape(images.shape, self.data_format, open_size=True)
        draws = uniform(self.draw_shape_of(images, batch))
        of_bytes = hold_bytes(images)
        if self.skips_what_is_not_drawn:
            values = host_values(images), host_values(draws)
            if not any(value is None for value in values):
                images, draws = values
        if not of_bytes:
            return self.transform(images, draws)
        self._check_options()
        # Bytes are 0 to 255, and stay so, as floats, also for the next layer: worked on in the floats' range.
        low, high = self.value_range
        pixels = library_of(images).cast(images, "float32") * ((high - low) / 255) + low
        return (self.transform(pixels, draws) - low) * (255 / (high - low))

    def _check_options(self) -> None:
        """Refuses pixel values of another scale than that on which bytes are worked on."""
        low, high = self.value_range
        for name in self.pixel_options:
            given = getattr(self, name)
            values = np.ravel(0.0 if given is None else given)
            if min(values) < low - (high - low) / 2 or max(values) > high + (high - low) / 2:
                raise ValueError(
                    f"`{name}` must be stated for pixels on [{low:g}, {high:g}], also of bytes. "
                    f"Received: {name}={show(given)} and images of bytes"
                )

    def draw_shape_of(self, images: Array, batch) -> tuple:
        """The shape of the uniform numbers for these images, where it depends on their size."""
        return self.draw_shape(batch, images.shape[-1 if self.data_format == "channels_last" else -3])

    def check_range(self, images: np.ndarray) -> None:
        """Refuses what is beyond bytes, not finite, or of another range than the layer takes.

        A filter before this layer rings beyond the range; half its width is left for that. Images in [-1, 1],
        in 0 to 255 or divided by a standard deviation lie farther out.
        """
        if images.dtype.kind in "iu":
            check_bytes(images)
            return
        low, high = self.value_range
        least, most = float(images.min()), float(images.max())
        ringing = (high - low) / 2
        beyond = least < low - ringing or most > high + ringing
        if not np.isfinite([least, most]).all() or (self.checks_range and beyond):
            raise ValueError(
                f"{type(self).__name__} takes bytes, 0 to 255, or finite floats"
                + (f" in value_range=({low:g}, {high:g}). " if self.checks_range else ". ")
                + f"Received: values from {least:.6g} to {most:.6g}"
            )

    def _check_once(self, images: Array) -> None:
        """Looks at the first images that have values, outside of compiled code and of training steps."""
        if self._checked or not has_values(images) or are_float_bytes(images):
            return
        values = keras.ops.convert_to_numpy(images)
        if not values.size or values.min() == values.max():
            return  # Keras tries a model out with tensors of one number
        self.check_range(values)
        # Only now: while it builds a model, Keras calls layers and swallows what they raise.
        self._checked = True

    def call(self, images, training=True):
        if not training:
            return keras.ops.cast(images, self.compute_dtype)
        self._check_once(images)
        batch = keras.ops.shape(images)[0] if len(images.shape) == 4 else 1
        return self._apply_in_keras(images, batch, self.seed_generator)

    def _apply_in_keras(self, images, batch, seed):
        # float32 whatever the default float: half precision has too few numbers to draw from.
        result = self._draw_and_transform(
            images, batch, lambda shape: keras.random.uniform(shape, dtype="float32", seed=seed)
        )
        return keras.ops.cast(keras.ops.convert_to_tensor(result), self.compute_dtype)

    def call_in_pipeline(self, images, training=True):
        import tensorflow as tf

        if not training:
            return tf.cast(images, self.compute_dtype)
        if self._pipeline_generator is None:
            with tf.init_scope():
                start = int(keras.ops.convert_to_numpy(self.seed_generator.state.value)[0])
                self._pipeline_generator = tf.random.Generator.from_seed(start)
        return self._apply_in_tensorflow(images, self._pipeline_generator.uniform)

    def _apply_in_tensorflow(self, images, uniform):
        import tensorflow as tf

        batch = tf.shape(images)[0] if len(images.shape) == 4 else 1
        return tf.cast(self._draw_and_transform(images, batch, uniform), self.compute_dtype)

    def apply_stateless(self, images, seed):
        """Apply the layer with the randomness of `seed` alone, as for training.

        A layer's own stream is a counter, and `num_parallel_calls` makes calls race for it. With the seed
        brought by the data set a pipeline repeats exactly:

        ```python
        seeds = tf.data.Dataset.random(seed=0, rerandomize_each_iteration=True).batch(2)
        dataset = tf.data.Dataset.zip(dataset, seeds).map(layer.apply_stateless, num_parallel_calls=8)
        ```

        The elements of `dataset` may be images or `(images, labels)`, whose labels come back as they are; the
        images may be a batch or, but for layers that mix a batch, one image. With tensors of the backend:

        ```python
        images = layer.apply_stateless(images, 7)
        images, labels = layer.apply_stateless((images, labels), 7)
        image = layer.apply_stateless(images[0], 7)
        ```

        Args:
            images: As for calling the layer, or one image without the batch axis; or a tuple of images and
                whatever belongs to them, such as labels and sample weights.
            seed: One Python integer, or two integers as a TensorFlow tensor of shape `(2,)` for TensorFlow's
                tensors and arrays.

        Returns:
            Images of the same shape, or a tuple of them and the rest of the tuple.

        Raises:
            TypeError: if the seed is something else.
            ValueError: if the images are none that the layer takes.
        """
        if isinstance(images, tuple):
            if not images:
                raise ValueError("`images` must be images or (images, labels). Received: images=()")
            return (self.apply_stateless(images[0], seed), *images[1:])
        two = is_tensorflow(seed)
        if not two and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer))):
            raise TypeError(
                f"`seed` must be an integer, or a TensorFlow tensor of two. Received: seed={show(seed)}"
            )
        if two or is_foreign_tensorflow(images):
            import tensorflow as tf

            pair = seed if two else [int(seed), 0]
            images = tf.convert_to_tensor(images)
            result = self._apply_in_tensorflow(
                images, lambda shape: tf.random.stateless_uniform(shape, seed=pair)
            )
            return mark_float_bytes(result) if hold_bytes(images) else result
        images = keras.ops.convert_to_tensor(images)
        self._check_once(images)
        batch = keras.ops.shape(images)[0] if len(images.shape) == 4 else 1
        result = self._apply_in_keras(images, batch, int(seed))
        return mark_float_bytes(result) if hold_bytes(images) else result

    def transform_arrays(self, images, generators):
        self._check_once(images)
        one, two = (self.draw_shape_of(images, batch) for batch in (1, 2))
        axis = next(axis for axis, sides in enumerate(zip(one, two, strict=True)) if sides[0] != sides[1])
        draws = np.concatenate(
            [generator.random(one, dtype="float32") for generator in generators], axis=axis
        )
        return self._as_floats(self._draw_and_transform(images, len(images), lambda shape: draws), images)

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}
