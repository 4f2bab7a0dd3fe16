from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import keras

from keras_freq._core.checks import check_choice, check_interval, check_number
from keras_freq.layers._apply_where import apply_where
from keras_freq.layers._base import RandomFrequencyLayer
from keras_freq.layers._operations import (
    OPERATIONS,
    apply_random_operation,
    check_level,
    check_operations,
    from_levels,
    to_levels,
)
from keras_freq.spectral._backend import library_of
from keras_freq.spectral._dft import Method
from keras_freq.spectral._images import to_planes
from keras_freq.spectral._recombine import Axes, recombine


@keras.saving.register_keras_serializable(package="keras_freq")
class APRSingle(RandomFrequencyLayer):
    """APR-S: recombine amplitude and phase of two augmented versions of the same image.

    Pixels are bytes, 0 to 255, or floats in `value_range`, (0, 1); Keras' own layers have (0, 255).

    `x1 = a(x)` for a random operation `a`, always. With `probability`, `x2 = b(x1)` for another one, and the
    result has the amplitude of the one and the phase of the other, each way with chance 1/2; else it is `x1`.
    Operations and strengths are drawn for each image on its own, and everything happens on the device, inside
    the compiled step. On processors only the operations that were drawn are computed, compiled (but by
    TensorFlow with `jit_compile=True`) or not; so they are in `keras_freq.data.Augmented`.

    The operations are defined on 256 levels, so the result is on 256 levels too. An image that the layer is
    not `applied` to stays as it is.

    Args:
        probability: Chance of an image to be recombined, 0 to 1.
        applied: Chance of an image to be augmented at all, 0 to 1; the others come out as they went in.
        level: Largest strength, 0.1 to 10; each operation draws its own, uniform from 0.1 up to it.
        operations: Names of the operations to draw from, uniformly; by default all nine.
        axes: `"chw"` recombines over channels and space, as published; `"hw"` channel by channel.
        overflow: `"clip"` rounds and keeps 0 to 255. `"wrap"` cuts fractions off and wraps modulo 256, as the
            published code does by its cast; on natural images that touches most recombined images.
        value_range: Lowest and highest value of float images. Bytes are 0 to 255 and stay so, as floats.
        method: How the DFT is computed: `"fft"`, `"matmul"` or `"auto"`.
        seed: Seed of the layer's stream, or `None` for a fresh one.
        data_format: `"channels_last"` or `"channels_first"`; by default that of the Keras configuration.
        **kwargs: `name`, `dtype` and so on of `keras.layers.Layer`.

    Call arguments:
        images: Float images in `value_range`, or bytes.
        training: `False` makes the layer the identity. Inside a model Keras sets it; alone the layer
            augments.

    Input shape:
        `(batch, height, width, channels)`, or one image without the batch axis inside `tf.data`.

    Output shape:
        The same.

    Raises:
        ValueError: if an argument lies outside its range.

    Source: Chen et al., "Amplitude-Phase Recombination", ICCV 2021, section 3.3.
        Differs from the original: rounds and clips, unless `overflow="wrap"`; shears and shifts by the
        image's own size.

    Example:
        >>> tuple(keras_freq.layers.APRSingle(seed=0)(np.ones((8, 32, 32, 3), "float32")).shape)
        (8, 32, 32, 3)
    """

    def __init__(
        self,
        *,
        probability: float = 0.5,
        applied: float = 1.0,
        level: float = 3.0,
        operations: Sequence[str] = OPERATIONS,
        axes: Axes = "chw",
        overflow: Literal["clip", "wrap"] = "clip",
        value_range: tuple[float, float] = (0, 1),
        method: Method = "auto",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.probability = check_number(probability, "probability", least=0, most=1)
        self.applied = check_number(applied, "applied", least=0, most=1)
        self.level = check_level(level)
        self.operations = check_operations(operations)
        self.axes = check_choice(axes, "axes", ("chw", "hw"))
        self.overflow = check_choice(overflow, "overflow", ("clip", "wrap"))
        self.value_range = check_interval(value_range, "value_range")
        self.method = check_choice(method, "method", ("auto", "fft", "matmul"))

    checks_range = True
    skips_what_is_not_drawn = True

    def draw_shape(self, batch, channels):
        return (batch, 8 if self.applied == 1 else 9)

    def transform(self, images, draws):
        if images.shape[0] == 0:  # what the tone operations look for is in none
            return images
        planes, back = to_planes(images, self.data_format, open_size=True)
        xp = library_of(planes)
        levels = to_levels(planes, self.value_range)
        draws = xp.cast(draws, planes.dtype)
        levels = self._operate(levels, draws[:, :3])
        levels = apply_where(draws[:, 6] < self.probability, self._recombine, levels, draws)
        augmented = from_levels(levels, self.value_range)
        if self.applied == 1:
            return back(augmented)
        return back(xp.where(xp.reshape(draws[:, 8], (-1, 1, 1, 1)) < self.applied, augmented, planes))

    def _operate(self, levels, draws):
        return apply_random_operation(levels, draws, operations=self.operations, level=self.level)

    def _recombine(self, first, draws):
        """Levels recombined with those of another operation."""
        xp = library_of(first)
        second = self._operate(first, draws[:, 3:6])
        swap = xp.reshape(draws[:, 7], (-1, 1, 1, 1)) < 0.5
        amplitude_of, phase_of = xp.where(swap, second, first), xp.where(swap, first, second)
        mixed = recombine(amplitude_of, phase_of, axes=self.axes, method=self.method)
        if self.overflow == "clip":
            return xp.clip(xp.round(mixed), 0.0, 255.0)
        whole = xp.where(mixed < 0, -xp.floor(-mixed), xp.floor(mixed))
        return whole - 256 * xp.floor(whole / 256)

    def get_config(self):
        return {
            **super().get_config(),
            "probability": self.probability,
            "applied": self.applied,
            "level": self.level,
            "operations": list(self.operations),
            "axes": self.axes,
            "overflow": self.overflow,
            "value_range": list(self.value_range),
            "method": self.method,
        }
