from __future__ import annotations

from typing import Literal

import keras

from keras_freq._core.checks import check_flag
from keras_freq.layers._pair_layer import PairLayer
from keras_freq.spectral._backend import library_of, sides_of
from keras_freq.spectral._dft import Method
from keras_freq.spectral._filters import apply_mask
from keras_freq.spectral._masks import blur_mask
from keras_freq.spectral._recombine import recombine
from keras_freq.spectral._traced_masks import traced_blur_mask


@keras.saving.register_keras_serializable(package="keras_freq")
class HybridPair(PairLayer):
    """HybridAugment: the low frequencies of every image with the high ones of another image of the batch.

    Pixels are bytes, 0 to 255, or floats of any range, as a rule (0, 1); Keras' own layers have (0, 255).

    `y[k] = L(x[k]) + x[perm[k]] - L(x[perm[k]])`, with the Gaussian blur `L`. The label stays that of `x[k]`,
    whose low part the result has. With probability `1 - probability` images stay as they are.

    With `recombine_amplitude`, HybridAugment++, the low part may get the amplitude of a third image's low
    part first: `recombine(L(x[perm2[k]]), L(x[k]))` in place of `L(x[k])`. A second coin of the same
    `probability` decides on it.

    Args:
        sigma: Standard deviation of the blur in pixels, above 0. A larger one takes more of the frequencies
            from the other image.
        kernel_size: Taps of the blur along each axis, odd.
        probability: Chance to mix, 0 to 1, and chance of a mixed image to get another amplitude.
        scope: `"batch"` tosses coins for the whole batch, as published; `"sample"` for each image.
        recombine_amplitude: Whether low parts may get another amplitude (over channels and space).
        clip: `None` leaves the result as it is, or two bounds, such as `(0, 1)`, in the range of
            floats, and for bytes on [0, 1].
        method: How the DFT is computed: `"fft"`, `"matmul"` or `"auto"`.
        seed: Seed of the layer's stream, or `None` for a fresh one.
        data_format: `"channels_last"` or `"channels_first"`; by default that of the Keras configuration.
        **kwargs: `name`, `dtype` and so on of `keras.layers.Layer`.

    Call arguments:
        images: A batch of images in any range.
        training: `False` makes the layer the identity. Inside a model Keras sets it; alone the layer
            augments.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        The same.

    Raises:
        ValueError: if an argument lies outside its range, or one image arrives without a batch axis.

    Source: Yucel et al., "HybridAugment++: Unified Frequency Spectra Perturbations for Model Robustness",
        ICCV 2023, section 3: the variants for pairs.
        Differs from the original: the blur is a product in the frequency domain, so that borders are
        periodic; the original reflects them.

    Example:
        >>> tuple(keras_freq.layers.HybridPair(seed=0)(np.ones((8, 32, 32, 3), "float32")).shape)
        (8, 32, 32, 3)
    """

    DRAWS = 3

    def __init__(
        self,
        *,
        sigma: float = 0.5,
        kernel_size: int = 3,
        probability: float = 0.6,
        scope: Literal["batch", "sample"] = "batch",
        recombine_amplitude: bool = False,
        clip: tuple[float, float] | None = None,
        method: Method = "auto",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(
            probability=probability,
            scope=scope,
            clip=clip,
            method=method,
            seed=seed,
            data_format=data_format,
            **kwargs,
        )
        blur_mask(1, 1, sigma, kernel_size=kernel_size)  # checks both
        self.sigma, self.kernel_size = float(sigma), int(kernel_size)
        self.recombine_amplitude = check_flag(recombine_amplitude, "recombine_amplitude")

    def mix(self, images, draws):
        xp = library_of(images)
        options = {"data_format": self.data_format, "method": self.method}
        height, width = sides_of(images, 1 if self.data_format == "channels_last" else 2)
        if isinstance(height, int):
            mask = blur_mask(height, width, self.sigma, kernel_size=self.kernel_size)
        else:
            mask = traced_blur_mask(xp, height, width, self.sigma, self.kernel_size)
        low = apply_mask(images, mask, **options)
        high = xp.take(xp.cast(images, low.dtype) - low, xp.argsort(draws[0]), axis=0)
        if self.recombine_amplitude:
            mixed = recombine(xp.take(low, xp.argsort(draws[1]), axis=0), low, **options)
            low = xp.where(self.toss(draws[2]), mixed, low)
        return low + high

    def get_config(self):
        return {
            **super().get_config(),
            "sigma": self.sigma,
            "kernel_size": self.kernel_size,
            "recombine_amplitude": self.recombine_amplitude,
        }
