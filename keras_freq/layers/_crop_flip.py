from __future__ import annotations

from typing import Literal

import keras

from keras_freq._core.checks import check_choice, check_flag, check_number, check_whole
from keras_freq.layers._base import RandomFrequencyLayer
from keras_freq.spectral._backend import library_of, places_along, sides_of
from keras_freq.spectral._images import to_planes


@keras.saving.register_keras_serializable(package="keras_freq")
class CropFlip(RandomFrequencyLayer):
    """Pad, crop at random, flip at random: the augmentation that all recipes of this package start from.

    Pixels are bytes, 0 to 255, or floats of any range, as a rule (0, 1); Keras' own layers have (0, 255).

    Every image moves by whole pixels, `-padding` to `+padding` along each axis with equal chance, and is
    mirrored left to right with chance 1/2. That is what padding on all sides and cropping back amounts to.

    Args:
        padding: Largest shift in pixels, at least 0; 4 for CIFAR.
        flip: Whether to mirror.
        fill: Value that comes in from outside, in the range of floats, and for bytes on [0, 1]: 0 in most
            recipes, 128 / 255 in that of APR.
        mode: `"constant"` brings in `fill`; `"reflect"` the image itself, mirrored about its edge pixels.
        seed: Seed of the layer's stream, or `None` for a fresh one.
        data_format: `"channels_last"` or `"channels_first"`; by default that of the Keras configuration.
        **kwargs: `name`, `dtype` and so on of `keras.layers.Layer`.

    Call arguments:
        images: Images in any range.
        training: `False` makes the layer the identity. Inside a model Keras sets it; alone the layer
            augments.

    Input shape:
        `(batch, height, width, channels)`, or one image without the batch axis inside `tf.data`.

    Output shape:
        The same.

    Raises:
        ValueError: if an argument lies outside its range, or the padding is not smaller than the image where
            it reflects.

    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2.

    Example:
        >>> tuple(keras_freq.layers.CropFlip(4, seed=0)(np.ones((8, 32, 32, 3), "float32")).shape)
        (8, 32, 32, 3)
    """

    pixel_options = ("fill",)

    def __init__(
        self,
        padding: int = 4,
        *,
        flip: bool = True,
        fill: float = 0.0,
        mode: Literal["constant", "reflect"] = "constant",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.padding = check_whole(padding, "padding", least=0)
        self.flip = check_flag(flip, "flip")
        self.fill = check_number(fill, "fill")
        self.mode = check_choice(mode, "mode", ("constant", "reflect"))

    def draw_shape(self, batch, channels):
        return (3, batch)

    def transform(self, images, draws):
        planes, back = to_planes(images, self.data_format, open_size=True)
        xp = library_of(planes)
        batch = xp.shape(planes)[0]
        channels, (height, width) = planes.shape[1], sides_of(planes)
        known = isinstance(height, int)
        if self.mode == "reflect" and known and self.padding >= min(height, width):
            raise ValueError(
                f"`padding` must be smaller than the images, here {height}x{width}, to reflect them. "
                f"Received: padding={self.padding}"
            )
        down, right = (
            xp.cast(xp.floor(draws[k] * (2 * self.padding + 1)), "int32") - self.padding for k in (0, 1)
        )
        rows = xp.reshape(down, (-1, 1, 1)) + xp.reshape(places_along(height, planes), (1, -1, 1))
        columns = xp.reshape(places_along(width, planes), (1, 1, -1)) + 0 * xp.reshape(right, (-1, 1, 1))
        if self.flip:
            mirrored = xp.reshape(draws[2] < 0.5, (-1, 1, 1))
            columns = xp.where(mirrored, width - 1 - columns, columns)
        columns = columns + xp.reshape(right, (-1, 1, 1))
        inside = xp.logical_and(
            xp.logical_and(rows >= 0, rows < height), xp.logical_and(columns >= 0, columns < width)
        )
        rows, columns = self._bring_inside(rows, height), self._bring_inside(columns, width)
        first = height * width * xp.reshape(xp.cast(xp.arange(batch), "int32"), (-1, 1, 1))
        pixels = xp.reshape(xp.transpose(planes, (0, 2, 3, 1)), (-1, channels))
        moved = xp.take(pixels, first + width * rows + columns, axis=0)
        if self.mode == "constant":
            fill = self.fill * xp.ones_like(moved)
            moved = xp.where(xp.expand_dims(inside, -1), moved, fill)
        return back(xp.transpose(moved, (0, 3, 1, 2)))

    def _bring_inside(self, index, size):
        """Indices inside the image: mirrored about the edges, or anywhere where they will be filled."""
        xp = library_of(index)
        known = isinstance(size, int)
        if self.mode == "reflect" and not (known and size == 1):
            index = (size - 1) - xp.abs((size - 1) - xp.abs(index))
            if known:
                return index
        return xp.clip(index, 0, size - 1)

    def get_config(self):
        return {
            **super().get_config(),
            "padding": self.padding,
            "flip": self.flip,
            "fill": self.fill,
            "mode": self.mode,
        }
