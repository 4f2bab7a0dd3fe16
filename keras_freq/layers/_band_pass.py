from __future__ import annotations

import keras

from keras_freq.layers._band_filters import BandFilter
from keras_freq.spectral._filters import band_pass
from keras_freq.spectral._masks import Kind, band_mask


@keras.saving.register_keras_serializable(package="keras_freq")
class BandPass(BandFilter):
    """Keep the frequencies with `low <= d < high`.

    Args:
        low: Inner radius, at least 0, in `units`.
        high: Outer radius, at least `low`; infinity gives `HighPass(low)`.
        kind: `"ideal"`, `"gaussian"`, `"butterworth"` or `"square"`: the difference of two low-pass filters.
        order: Steepness of the Butterworth filters.
        units: `"index"` (bins) or `"cycles_per_pixel"`.
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
        units: str = "index",
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(kind=kind, order=order, units=units, data_format=data_format, **kwargs)
        band_mask(1, 1, low, high)  # refuses bad radii now, not at the first call
        self.low, self.high = float(low), float(high)

    def transform(self, images):
        return band_pass(images, self.low, self.high, **self.options())

    def get_config(self):
        return {**super().get_config(), "low": self.low, "high": self.high}
