"""The linear filters: one gain for each frequency, the same in training and inference."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from keras_freq._core.checks import check_choice, check_number, check_radius
from keras_freq.layers._base import FrequencyLayer
from keras_freq.spectral._backend import Array
from keras_freq.spectral._dft import METHODS, Method
from keras_freq.spectral._filters import apply_mask, band_pass, high_pass, low_pass
from keras_freq.spectral._grid import UNITS, Units
from keras_freq.spectral._masks import KINDS, Kind, Symmetrize, band_mask, check_mask


class RadialFilter(FrequencyLayer):
    """What `LowPass`, `HighPass` and `BandPass` have in common: everything but the radii."""

    def __init__(
        self,
        *,
        kind: Kind,
        order: float,
        units: Units,
        method: Method,
        data_format: str | None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.kind = check_choice(kind, "kind", KINDS)
        self.order = check_number(order, "order", above=0)
        self.units = check_choice(units, "units", UNITS)
        self.method = check_choice(method, "method", METHODS)

    def _filter(self, function: Callable[..., Array], images: Array, *radii: float) -> Array:
        """What a function of `spectral` makes of images with this configuration."""
        return function(
            images,
            *radii,
            kind=self.kind,
            order=self.order,
            units=self.units,
            data_format=self.data_format,
            method=self.method,
        )

    def get_config(self):
        names = ("kind", "order", "units", "method")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="keras_freq")
class LowPass(RadialFilter):
    """Keep the frequencies of images nearer to DC than a radius, in training and inference alike.

    `y = Re IDFT(1[d < radius] * DFT(x))` for `kind="ideal"`.

    Args:
        radius: Cut-off, at least 0, in `units`.
        kind: `"ideal"`, `"gaussian"` (gain 0.607 at the radius), `"butterworth"` (1/2) or `"square"`.
        order: Steepness of the Butterworth filter.
        units: `"index"` (bins) or `"cycles_per_pixel"`.
        method: How the DFT is computed: `"fft"`, `"matmul"` or `"auto"`. A model with `"matmul"` exports to
            LiteRT with its built-in operations alone.
        data_format: `"channels_last"` or `"channels_first"`; by default that of the Keras configuration.
        **kwargs: `name`, `dtype` and so on of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`, or one image without the batch axis inside `tf.data`.

    Output shape:
        The same. Values are not clipped.

    Raises:
        ValueError: if the radius is negative or not a number, or an option is unknown.

    Source: Wang et al., "High-frequency Component Helps Explain the Generalization of Convolutional Neural
        Networks", CVPR 2020, section 3.

    Example:
        >>> tuple(keras_freq.layers.LowPass(8)(np.ones((1, 32, 32, 3))).shape)
        (1, 32, 32, 3)
    """

    def __init__(
        self,
        radius: float,
        *,
        kind: Kind = "ideal",
        order: float = 2,
        units: Units = "index",
        method: Method = "auto",
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(
            kind=kind, order=order, units=units, method=method, data_format=data_format, **kwargs
        )
        self.radius = check_radius(radius)

    def transform(self, images):
        return self._filter(low_pass, images, self.radius)

    def get_config(self):
        return {**super().get_config(), "radius": self.radius}


@keras.saving.register_keras_serializable(package="keras_freq")
class HighPass(RadialFilter):
    """Remove what `LowPass` keeps: `LowPass(r)(x) + HighPass(r)(x) = x`.

    `y = Re IDFT(1[d >= radius] * DFT(x))` for `kind="ideal"`.

    Args:
        radius: Cut-off, at least 0, in `units`.
        kind: `"ideal"`, `"gaussian"`, `"butterworth"` or `"square"`.
        order: Steepness of the Butterworth filter.
        units: `"index"` (bins) or `"cycles_per_pixel"`.
        method: How the DFT is computed: `"fft"`, `"matmul"` or `"auto"`. A model with `"matmul"` exports to
            LiteRT with its built-in operations alone.
        data_format: `"channels_last"` or `"channels_first"`; by default that of the Keras configuration.
        **kwargs: `name`, `dtype` and so on of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`, or one image without the batch axis inside `tf.data`.

    Output shape:
        The same. The mean of each channel is gone (unless `radius` is 0): about half of the values are
        negative.

    Raises:
        ValueError: if the radius is negative or not a number, or an option is unknown.

    Source: Wang et al., "High-frequency Component Helps Explain the Generalization of Convolutional Neural
        Networks", CVPR 2020, section 3.

    Example:
        >>> float(keras.ops.max(keras_freq.layers.HighPass(1)(np.ones((1, 32, 32, 3))))) < 1e-6
        True
    """

    def __init__(
        self,
        radius: float,
        *,
        kind: Kind = "ideal",
        order: float = 2,
        units: Units = "index",
        method: Method = "auto",
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(
            kind=kind, order=order, units=units, method=method, data_format=data_format, **kwargs
        )
        self.radius = check_radius(radius)

    def transform(self, images):
        return self._filter(high_pass, images, self.radius)

    def get_config(self):
        return {**super().get_config(), "radius": self.radius}


@keras.saving.register_keras_serializable(package="keras_freq")
class BandPass(RadialFilter):
    """Keep the frequencies with `low <= d < high`.

    Args:
        low: Inner radius, at least 0, in `units`.
        high: Outer radius, at least `low`; infinity gives `HighPass(low)`.
        kind: `"ideal"`, `"gaussian"`, `"butterworth"` or `"square"`: the difference of two low-pass filters.
        order: Steepness of the Butterworth filters.
        units: `"index"` (bins) or `"cycles_per_pixel"`.
        method: How the DFT is computed: `"fft"`, `"matmul"` or `"auto"`. A model with `"matmul"` exports to
            LiteRT with its built-in operations alone.
        data_format: `"channels_last"` or `"channels_first"`; by default that of the Keras configuration.
        **kwargs: `name`, `dtype` and so on of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`, or one image without the batch axis inside `tf.data`.

    Output shape:
        The same.

    Raises:
        ValueError: if a radius is negative or not a number, `high` is below `low`, or an option is unknown.

    Example:
        >>> tuple(keras_freq.layers.BandPass(4, 8)(np.ones((1, 32, 32, 3))).shape)
        (1, 32, 32, 3)
    """

    def __init__(
        self,
        low: float,
        high: float,
        *,
        kind: Kind = "ideal",
        order: float = 2,
        units: Units = "index",
        method: Method = "auto",
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(
            kind=kind, order=order, units=units, method=method, data_format=data_format, **kwargs
        )
        band_mask(1, 1, low, high)  # refuses bad radii now, not at the first call
        self.low, self.high = float(low), float(high)

    def transform(self, images):
        return self._filter(band_pass, images, self.low, self.high)

    def get_config(self):
        return {**super().get_config(), "low": self.low, "high": self.high}


@keras.saving.register_keras_serializable(package="keras_freq")
class FrequencyMask(FrequencyLayer):
    """Multiply the spectrum of every channel by a gain of one's own.

    `y = Re IDFT(mask * DFT(x))`

    Args:
        mask: `(height, width)` of the images, centered, DC at `(height // 2, width // 2)`; saved with the
            layer.
        symmetrize: `None` refuses a mask that is not Hermitian; `"mean"`, `"min"` or `"max"` makes it so
            first.
        method: How the DFT is computed: `"fft"`, `"matmul"` or `"auto"`. A model with `"matmul"` exports to
            LiteRT with its built-in operations alone.
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
        symmetrize: Symmetrize | None = None,
        method: Method = "auto",
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        mask = np.asarray(mask)
        if mask.ndim != 2:
            raise ValueError(f"`mask` must have shape (height, width). Received: mask.shape={mask.shape}")
        self.mask = check_mask(mask, *mask.shape, how=symmetrize)
        self.method = check_choice(method, "method", METHODS)

    def transform(self, images):
        return apply_mask(images, self.mask, data_format=self.data_format, method=self.method)

    def get_config(self):
        return {**super().get_config(), "mask": self.mask.tolist(), "method": self.method}
