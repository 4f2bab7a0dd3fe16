from __future__ import annotations

import functools
from typing import Literal

import keras
import numpy as np

from keras_freq._core.checks import check_choice, check_interval, check_radius, show
from keras_freq.layers._base import RandomFrequencyLayer
from keras_freq.spectral._backend import library_of
from keras_freq.spectral._grid import one_of_each_pair, own_mirror, radial_distance
from keras_freq.spectral._images import to_planes


@functools.lru_cache(maxsize=64)
def _list_pairs(height: int, width: int, low: float, high: float) -> np.ndarray:
    """One `(u, v, own mirror)` for every pair of conjugate frequencies with `low <= d < high`."""
    distance = radial_distance(height, width)
    inside = (distance >= low) & (distance < high)
    rows, columns = np.nonzero(one_of_each_pair(height, width, "upper") & inside)
    own = own_mirror(height, width)[rows, columns]
    return np.stack([rows - height // 2, columns - width // 2, own], axis=1).astype("float32")


@keras.saving.register_keras_serializable(package="keras_freq")
class FourierNoise(RandomFrequencyLayer):
    """Add one planar wave of a random frequency to every channel of every image.

    Pixels are bytes, 0 to 255, or floats in `value_range`, (0, 1); Keras' own layers have (0, 255).

    `y = x + e * U` with `U = c * cos(2 * pi * (u * h / height + v * w / width) + phase)` of Frobenius norm 1,
    `(u, v)` uniform over the pairs of conjugate frequencies of the band, the phase uniform, and `e` the
    strength.

    Args:
        strength: L2 norm of the noise in each channel, at least 0, for pixels on [0, 1]. 4 on 32x32
            images is an RMS of 0.125 per pixel. With `distribution="exponential"` it is the mean.
        distribution: `"constant"`, or `"exponential"` to draw a strength for each image and channel.
        band: `(low, high)` in bins: frequencies with `low <= d < high` are drawn. By default all but DC.
        clip: `None`, or two bounds, such as `(0, 1)`, for pixels on [0, 1].
        value_range: Lowest and highest value of float images. Bytes are 0 to 255 and stay so, as floats.
        seed: Seed of the layer's stream, or `None` for a fresh one.
        data_format: `"channels_last"` or `"channels_first"`; by default that of the Keras configuration.
        **kwargs: `name`, `dtype` and so on of `keras.layers.Layer`.

    Call arguments:
        images: Float images in `value_range`, or bytes; height and width must be known.
        training: `False` makes the layer the identity. Inside a model Keras sets it; alone the layer
            augments.

    Input shape:
        `(batch, height, width, channels)`, or one image without the batch axis inside `tf.data`.

    Output shape:
        The same.

    Raises:
        ValueError: if an argument lies outside its range, the band holds no frequency of the images, or
            floats lie beyond `value_range`.

    Source: Yin et al., "A Fourier Perspective on Model Robustness in Computer Vision", NeurIPS 2019 (the
        basis); Vaish et al., "Fourier-basis Functions to Bridge Augmentation Gap", CVPR 2024 (waves with
        exponential strength as augmentation).
        Differs from the latter: it is the augmentation alone, without the auxiliary loss and second batch
        normalization.

    Example:
        >>> tuple(keras_freq.layers.FourierNoise(strength=4, seed=0)(np.zeros((8, 32, 32, 3))).shape)
        (8, 32, 32, 3)
    """

    def __init__(
        self,
        *,
        strength: float = 4.0,
        distribution: Literal["constant", "exponential"] = "constant",
        band: tuple[float, float] = (1, float("inf")),
        clip: tuple[float, float] | None = None,
        value_range: tuple[float, float] = (0, 1),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.strength = check_radius(strength, name="strength")
        self.distribution = check_choice(distribution, "distribution", ("constant", "exponential"))
        try:
            low, high = band
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"`band` must be two radii, (low, high). Received: band={show(band)}") from None
        low, high = check_radius(low, name="band[0]"), check_radius(high, name="band[1]")
        if high <= low:
            raise ValueError(f"`band` must be (low, high) with low < high. Received: band={show(band)}")
        self.band = (low, high)
        self.clip = None if clip is None else check_interval(clip, "clip")
        self.value_range = check_interval(value_range, "value_range")

    checks_range = True

    def draw_shape(self, batch, channels):
        return (3, batch, channels)

    def transform(self, images, draws):
        planes, back = to_planes(images, self.data_format)
        xp = library_of(planes)
        height, width = planes.shape[-2:]
        pairs = _list_pairs(height, width, *self.band)
        if not len(pairs):
            raise ValueError(
                f"`band` holds no frequency of images of {height}x{width}. Received: band={self.band}"
            )
        draws = xp.cast(draws, planes.dtype)
        # A draw just below 1 times a large count can round up to the count itself.
        which = xp.clip(xp.cast(xp.floor(draws[0] * len(pairs)), "int32"), 0, len(pairs) - 1)
        wave = xp.take(xp.constant(pairs, planes), which, axis=0)
        u, v, alone = (xp.expand_dims(xp.expand_dims(wave[..., k], -1), -1) for k in range(3))
        drawn_phase = xp.expand_dims(xp.expand_dims(2 * np.pi * draws[1], -1), -1)
        phase = xp.where(alone > 0.5, xp.zeros_like(drawn_phase), drawn_phase)
        # cos(a + b) from sines and cosines of each axis: no transcendental function per pixel.
        vertical = (2 * np.pi / height) * u * xp.constant(np.arange(height)[:, None], planes) + phase
        horizontal = (2 * np.pi / width) * v * xp.constant(np.arange(width), planes)
        waves = xp.cos(vertical) * xp.cos(horizontal) - xp.sin(vertical) * xp.sin(horizontal)
        low, high = self.value_range
        strength = self.strength * (high - low)
        if self.distribution == "exponential":
            strength = -strength * xp.log(1 - xp.expand_dims(xp.expand_dims(draws[2], -1), -1))
        norm = xp.where(alone > 0.5, xp.ones_like(alone), 2.0**0.5 * xp.ones_like(alone))
        planes = planes + strength * norm / (height * width) ** 0.5 * waves
        if self.clip is not None:
            planes = xp.clip(planes, *(low + limit * (high - low) for limit in self.clip))
        return back(planes)

    def get_config(self):
        return {
            **super().get_config(),
            "strength": self.strength,
            "distribution": self.distribution,
            "band": list(self.band),
            "clip": None if self.clip is None else list(self.clip),
            "value_range": list(self.value_range),
        }
