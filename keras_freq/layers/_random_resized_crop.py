from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from keras_freq._core.checks import check_flag, check_number, check_whole, show
from keras_freq.layers._base import RandomFrequencyLayer
from keras_freq.spectral._backend import Array, dtype_of, library_of
from keras_freq.spectral._images import check_images_shape, to_planes


@keras.saving.register_keras_serializable(package="keras_freq")
class RandomResizedCrop(RandomFrequencyLayer):
    """Cut out a random box of each image and resize it: the crop that networks for ImageNet train with.

    Pixels are bytes, 0 to 255, or floats of any range, as a rule (0, 1); Keras' own layers have (0, 255).

    A box covers a random share of the area, with a random ratio of width to height (uniform in its
    logarithm), at a random place; it is resized bilinearly with antialiasing: `out = R x C^T`, where the rows
    of `R` and `C` hold triangles as wide as the reduction, one pair of matrices per image. Sides and places
    are whole pixels. With chance 1/2 the result is mirrored left to right.

    In inference the crop is the same for all images: the largest box in the middle with the shape of the
    output, shrunk to the share `center`. With 256 px, an output of 224 and the default those are the 224
    pixels in the middle, untouched.

    Args:
        height: Height of the output in pixels, at least 1.
        width: Width of the output; by default the height.
        area: Bounds of the share of the area, above 0 and up to 1.
        aspect: Bounds of the ratio of width to height, above 0.
        flip: Whether to mirror.
        center: Share of the shorter side that is kept in inference, above 0 and up to 1.
        seed: Seed of the layer's stream, or `None` for a fresh one.
        data_format: `"channels_last"` or `"channels_first"`; by default that of the Keras configuration.
        **kwargs: `name`, `dtype` and so on of `keras.layers.Layer`.

    Call arguments:
        images: Images in any range; height and width must be known.
        training: `False` takes the crop in the middle. Inside a model Keras sets it; alone the layer
            augments.

    Input shape:
        `(batch, height, width, channels)`, or one image without the batch axis inside `tf.data`.

    Output shape:
        The same but for height and width.

    Raises:
        ValueError: if an argument lies outside its range.

    Source: Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, section 6.
        Differs from the original: a box that is wider or higher than the image is cut to it; the common
        implementations draw again, up to ten times.

    Example:
        >>> layer = keras_freq.layers.RandomResizedCrop(24, seed=0)
        >>> tuple(layer(np.ones((8, 32, 32, 3), "float32")).shape)
        (8, 24, 24, 3)
    """

    def __init__(
        self,
        height: int,
        width: int | None = None,
        *,
        area: tuple[float, float] = (0.08, 1.0),
        aspect: tuple[float, float] = (3 / 4, 4 / 3),
        flip: bool = True,
        center: float = 224 / 256,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.height = check_whole(height, "height")
        self.width = self.height if width is None else check_whole(width, "width")
        self.area = _check_bounds(area, "area", 1)
        self.aspect = _check_bounds(aspect, "aspect", math.inf)
        self.flip = check_flag(flip, "flip")
        self.center = check_number(center, "center", above=0, most=1)

    def draw_shape(self, batch, channels):
        return (5, batch)

    def boxes(self, draws: Array, height: int, width: int) -> tuple[Array, Array, Array, Array]:
        """The boxes cut out of images of a size.

        Args:
            draws: Uniform numbers `(5, batch)`: area, ratio, place along each axis, flip.
            height: Height of the images.
            width: Width of the images.

        Returns:
            Top, left, height and width in whole pixels, as floats `(batch,)`.
        """
        xp = library_of(draws)
        low, high = self.area
        area = height * width * (low + (high - low) * draws[0])
        low, high = (math.log(bound) for bound in self.aspect)
        # exp(t / 2), the square root of the ratio.
        stretch = xp.exp((low + (high - low) * draws[1]) / 2)
        side = xp.sqrt(area)
        tall = xp.clip(xp.round(side / stretch), 1, height)
        wide = xp.clip(xp.round(side * stretch), 1, width)
        # A draw next to 1 times the number of places may round up to it.
        top = xp.minimum(xp.floor(draws[2] * (height - tall + 1)), height - tall)
        left = xp.minimum(xp.floor(draws[3] * (width - wide + 1)), width - wide)
        return top, left, tall, wide

    def transform(self, images, draws):
        planes, back = to_planes(images, self.data_format)
        xp = library_of(planes)
        size = tuple(planes.shape[2:])
        top, left, tall, wide = self.boxes(draws, *size)
        rows = _interpolate(top, tall, _make_steps(self.height, draws), size[0])
        steps = _make_steps(self.width, draws)
        if self.flip:
            mirrored = xp.reshape(draws[4] < 0.5, (-1, 1, 1))
            steps = xp.where(mirrored, self.width - 1 - steps, steps)
        columns = _interpolate(left, wide, steps, size[1])
        return back(_resize(planes, rows, columns))

    def middle(self, images: Array) -> Array:
        """The crop in the middle, which the layer takes in inference."""
        check_images_shape(images.shape, self.data_format)
        last = self.data_format == "channels_last"
        size = tuple(images.shape[-3:-1] if last else images.shape[-2:])
        scale = self.center * min(size[0] / self.height, size[1] / self.width)
        if abs(scale - 1) < 1e-9:
            top, left = (size[0] - self.height) // 2, (size[1] - self.width) // 2
            box = (slice(top, top + self.height), slice(left, left + self.width))
            return images[(..., *box, slice(None))] if last else images[(..., *box)]
        planes, back = to_planes(images, self.data_format)
        matrices = []
        for length, out in zip(size, (self.height, self.width), strict=True):
            start, side = np.array([(length - scale * out) / 2]), np.array([scale * out])
            # Of the whole image, as where it is resized first and cut then.
            matrix = _interpolate(start, side, _make_steps(out, start), length, inside=False)
            matrices.append(library_of(planes).constant(matrix, planes))
        return back(_resize(planes, *matrices))

    def call(self, images, training=True):
        if training:
            return super().call(images, training=True)
        return keras.ops.cast(self.middle(images), self.compute_dtype)

    def call_in_pipeline(self, images, training=True):
        if training:
            return super().call_in_pipeline(images, training=True)
        import tensorflow as tf

        return tf.cast(self.middle(images), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        size = (self.height, self.width)
        if self.data_format == "channels_last":
            return (*input_shape[:-3], *size, input_shape[-1])
        return (*input_shape[:-2], *size)

    def get_config(self):
        return {
            **super().get_config(),
            "height": self.height,
            "width": self.width,
            "area": list(self.area),
            "aspect": list(self.aspect),
            "flip": self.flip,
            "center": self.center,
        }


def _check_bounds(value: Any, name: str, most: float) -> tuple[float, float]:
    try:
        low, high = (float(bound) for bound in value)
    except (TypeError, ValueError, OverflowError):
        low = high = math.nan
    if not (0 < low <= high <= most and math.isfinite(high)):
        allowed = "above 0" if most == math.inf else f"above 0 and up to {most:g}"
        raise ValueError(
            f"`{name}` must be two numbers {allowed}, the lower first. Received: {name}={show(value)}"
        )
    return low, high


def _make_steps(out: int, like: Array) -> Array:
    """Places along the output, `(1, out, 1)`."""
    return library_of(like).constant(np.arange(out)[None, :, None], like)


def _interpolate(start: Array, side: Array, steps: Array, length: int, *, inside: bool = True) -> Array:
    """Matrices `(batch, 1, out, length)` that resize `[start, start + side)` of an axis to `out` pixels.

    Args:
        start: Where the boxes begin, `(batch,)`.
        side: How long they are, `(batch,)`.
        steps: Which pixel of the output each row makes, `(1 or batch, out, 1)`.
        length: Pixels of the axis.
        inside: Whether pixels outside the box have no weight.
    """
    xp = library_of(steps)
    start, side = (xp.reshape(x, (-1, 1, 1)) for x in (start, side))
    pixels = xp.constant(np.arange(length)[None, None, :] + 0.5, steps)
    scale = side / steps.shape[1]
    distance = xp.abs(pixels - (start + (steps + 0.5) * scale)) / xp.maximum(scale, 1.0)
    weights = xp.maximum(1.0 - distance, 0.0)
    if inside:
        within = xp.logical_and(pixels > start, pixels < start + side)
        weights = xp.where(within, weights, xp.zeros_like(weights))
    return xp.expand_dims(weights / xp.sum(weights, axis=-1, keepdims=True), 1)


def _resize(planes: Array, rows: Array, columns: Array) -> Array:
    xp = library_of(planes)
    rows, columns = (xp.cast(matrix, dtype_of(planes)) for matrix in (rows, columns))
    return xp.matmul(xp.matmul(rows, planes), xp.transpose(columns, (0, 1, 3, 2)))
