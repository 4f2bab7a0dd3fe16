from __future__ import annotations

import keras

from keras_freq._core.checks import check_radius
from keras_freq.layers._band_filters import BandFilter
from keras_freq.spectral._filters import low_pass
from keras_freq.spectral._masks import Kind


@keras.saving.register_keras_serializable(package="keras_freq")
class LowPass(BandFilter):
    """Keep the frequencies of images nearer to DC than a radius, in training and inference alike.

    `y = Re IDFT(1[d < radius] * DFT(x))` for `kind="ideal"`.

    Args:
        radius: Cut-off, at least 0, in `units`.
        kind: `"ideal"`, `"gaussian"` (gain 0.607 at the radius), `"butterworth"` (1/2) or `"square"`.
        order: Steepness of the Butterworth filter.
        units: `"index"` (bins) or `"cycles_per_pixel"`.
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
        units: str = "index",
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(kind=kind, order=order, units=units, data_format=data_format, **kwargs)
        self.radius = check_radius(radius)

    def transform(self, images):
        return low_pass(images, self.radius, **self.options())

    def get_config(self):
        return {**super().get_config(), "radius": self.radius}
