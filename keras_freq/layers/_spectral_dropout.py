from __future__ import annotations

import keras

from keras_freq._core.checks import check_interval, check_number
from keras_freq.layers._base import RandomFrequencyLayer
from keras_freq.spectral._backend import library_of, places_along, sides_of
from keras_freq.spectral._dft import irfft2, rfft2
from keras_freq.spectral._images import to_planes
from keras_freq.spectral._pairs import share_in_pairs


@keras.saving.register_keras_serializable(package="keras_freq")
class SpectralDropout(RandomFrequencyLayer):
    """Remove a random part of the frequencies of every image.

    `y = Re IDFT(m * DFT(x))`, where `m` is 0 at each conjugate pair of frequencies with chance `rate`, drawn
    anew for each image and the same for its channels, and 1 at all others and at DC. What is left is not
    made larger: the image keeps its mean, and a share `rate` of the pairs is missing.

    Pixels are bytes, 0 to 255, or floats of any range, as a rule (0, 1). Feature maps of a convolution will
    do, too.

    Args:
        rate: Chance of a pair to be removed, 0 to below 1.
        probability: Chance of an image to lose any, 0 to 1.
        clip: `None` leaves the result as it is, or two bounds, such as `(0, 1)`, in the range of
            floats, and for bytes on [0, 1].
        seed: Seed of the layer's stream, or `None` for a fresh one.
        data_format: `"channels_last"` or `"channels_first"`; by default that of the Keras configuration.
        **kwargs: `name`, `dtype` and so on of `keras.layers.Layer`.

    Call arguments:
        images: One image or a batch in any range.
        training: `False` makes the layer the identity. Inside a model Keras sets it; alone the layer
            augments.

    Input shape:
        `(batch, height, width, channels)` or `(height, width, channels)`.

    Output shape:
        The same.

    Raises:
        ValueError: if an argument lies outside its range.

    Source: after Khan, Hayat and Porikli, "Regularization of Deep Neural Networks with Spectral Dropout",
        Neural Networks 2019.
        Differs from the original: frequencies of the Fourier transform of images, at random; theirs are
        coefficients of feature maps, those of small size first.

    Example:
        >>> tuple(keras_freq.layers.SpectralDropout(0.3, seed=0)(np.ones((8, 32, 32, 3), "float32")).shape)
        (8, 32, 32, 3)
    """

    pixel_options = ("clip",)

    def __init__(
        self,
        rate: float = 0.1,
        *,
        probability: float = 1.0,
        clip: tuple[float, float] | None = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.rate = check_number(rate, "rate", least=0, below=1)
        self.probability = check_number(probability, "probability", least=0, most=1)
        self.clip = None if clip is None else check_interval(clip, "clip")

    def draw_shape_of(self, images, batch):
        height, width = sides_of(images, -3 if self.data_format == "channels_last" else -2)
        return (batch, height, width // 2 + 1)

    def transform(self, images, draws):
        planes, back = to_planes(images, self.data_format, open_size=True)
        xp = library_of(planes)
        size = sides_of(planes)
        height, columns = (places_along(side, draws) for side in sides_of(draws))
        dc = (height == 0)[:, None] & (columns == 0)
        kept = xp.cast((share_in_pairs(draws, size[1]) >= self.rate) | dc, planes.dtype)
        re, im = rfft2(planes)
        # DC is never removed: its draw is the coin of the image.
        coins = xp.reshape(draws[:, :1, :1], (-1, 1, 1, 1)) < self.probability
        result = back(xp.where(coins, irfft2(re * kept[:, None], im * kept[:, None], *size), planes))
        return result if self.clip is None else xp.clip(result, *self.clip)

    def get_config(self):
        return {
            **super().get_config(),
            "rate": self.rate,
            "probability": self.probability,
            "clip": None if self.clip is None else list(self.clip),
        }
