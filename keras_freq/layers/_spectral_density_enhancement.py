from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from keras_freq._core.checks import check_choice, check_radius, check_whole
from keras_freq.layers._base import FrequencyLayer, hold_bytes
from keras_freq.spectral._backend import is_foreign_tensorflow, library_of
from keras_freq.spectral._enhance import MASKS, RESCALES, Enhanced, Masks, check_kernels, enhance_density

NAMES = ("kernel_1", "bias_1", "kernel_2", "bias_2")


@keras.saving.register_keras_serializable(package="keras_freq")
class SpectralDensityEnhancement(FrequencyLayer):
    """Replace the high frequencies of images by those that two trained convolutions make of them.

    `y = Re IDFT(L * DFT(x) + (1 - L) * DFT(f(x)))` with `f(x) = k2 * (k1 * x + b1) + b2` and
    `L = 1[d <= radius]`, then `(y - min y) / (max y - min y)` in every channel of every image.

    `keras_freq.cdes.CDES` trains the kernels; its `layer()` makes this layer with them. The layer adds no
    noise and is the same in training and inference. What it makes of bytes is 0 to 255, as floats. The
    kernels are weights: `model.save` keeps them, and they train where `trainable=True`.

    Args:
        kernels: `(k1, b1, k2, b2)` of shapes `(size, size, channels, filters)`, `(filters,)`,
            `(size, size, filters, channels)`, `(channels,)`. By default kernels that change nothing, of the
            shapes that the next three arguments give.
        channels: Channels of the images, where no kernels are given.
        filters: Channels between the convolutions, at least `channels`, where no kernels are given.
        kernel_size: Odd side of the kernels in pixels, where no kernels are given.
        radius: Cut-off, at least 0, in index units.
        masks: `"complementary"`, or `"reference"` for the published pair of masks.
        rescale: `"minmax"` in every channel of every image, `"clip"` to [0, 1], or `"none"`.
        trainable: Whether training changes the kernels.
        data_format: `"channels_last"` or `"channels_first"`; by default that of the Keras configuration.
        **kwargs: `name`, `dtype` and so on of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`, or one image without the batch axis inside `tf.data`.

    Output shape:
        The same.

    Raises:
        ValueError: if the kernels do not fit each other, or images have another number of channels.

    Source: Lin, Gao and Sang, "Investigating and Explaining the Frequency Bias in Image Classification",
        IJCAI 2022 (CDES).
        Differs from the original: complementary masks centered on DC, unless asked otherwise.

    Example:
        >>> layer = keras_freq.layers.SpectralDensityEnhancement(channels=3, rescale="none")
        >>> tuple(layer(np.ones((1, 32, 32, 3), "float32")).shape)
        (1, 32, 32, 3)
    """

    works_on_arrays = False  # it has weights

    def __init__(
        self,
        kernels: Sequence | None = None,
        *,
        channels: int = 3,
        filters: int = 16,
        kernel_size: int = 7,
        radius: float = 10,
        masks: Masks = "complementary",
        rescale: Enhanced = "minmax",
        trainable: bool = False,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, trainable=trainable, **kwargs)
        if kernels is None:
            kernels = _make_identity(channels, filters, kernel_size)
        kernels = [np.asarray(keras.ops.convert_to_numpy(part), "float32") for part in kernels]
        check_kernels([part.shape for part in kernels])
        self.kernel_size, _, self.channels, self.filters = kernels[0].shape
        self.radius = check_radius(radius)
        self.masks = check_choice(masks, "masks", MASKS)
        self.rescale = check_choice(rescale, "rescale", RESCALES)
        # Made here and not in `build`: inside `tf.data` of another backend no Keras variable can be made.
        self.kernels = [
            self.add_weight(
                shape=part.shape,
                initializer=lambda shape, dtype=None, part=part: keras.ops.convert_to_tensor(part, dtype),
                dtype="float32",
                autocast=False,
                name=name,
            )
            for name, part in zip(NAMES, kernels, strict=True)
        ]

    def transform(self, images):
        # The kernels are those of floats; bytes stay 0 to 255, as floats, also for the next layer.
        scale = 255.0 if hold_bytes(images) else 1.0
        if scale != 1:
            images = library_of(images).cast(images, "float32") / scale
        kernels = [variable.value for variable in self.kernels]
        if is_foreign_tensorflow(images):
            kernels = [keras.ops.convert_to_numpy(part) for part in kernels]
        enhanced = enhance_density(
            images,
            kernels,
            radius=self.radius,
            masks=self.masks,
            rescale=self.rescale,
            data_format=self.data_format,
        )
        return enhanced * scale

    def get_config(self):
        names = ("channels", "filters", "kernel_size", "radius", "masks", "rescale", "trainable")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _make_identity(channels: int, filters: int, kernel_size: int) -> list[np.ndarray]:
    """Kernels that pass every channel on as it is."""
    for name, value in (("channels", channels), ("filters", filters), ("kernel_size", kernel_size)):
        check_whole(value, name)
    if filters < channels:
        raise ValueError(
            f"`filters` must be at least `channels`, {channels}, to pass every channel on. "
            f"Received: filters={filters}"
        )
    first = np.zeros((kernel_size, kernel_size, channels, filters), "float32")
    first[kernel_size // 2, kernel_size // 2] = np.eye(channels, filters)
    return [
        first,
        np.zeros(filters, "float32"),
        first.transpose(0, 1, 3, 2).copy(),
        np.zeros(channels, "float32"),
    ]
