from __future__ import annotations

import math
from typing import Literal

import keras
import numpy as np

from keras_freq._core.checks import check_number
from keras_freq.layers._pair_layer import PairLayer
from keras_freq.spectral._backend import Array, library_of, sides_of
from keras_freq.spectral._dft import Method
from keras_freq.spectral._recombine import swap_low_amplitude


@keras.saving.register_keras_serializable(package="keras_freq")
class FDAPair(PairLayer):
    """FDA within a batch: give every image the low-frequency amplitude of another one.

    Pixels are bytes, 0 to 255, or floats of any range, as a rule (0, 1); Keras' own layers have (0, 255).

    `y[k]` has the phase of `x[k]`, the amplitude of `x[perm[k]]` at the frequencies with `|u| <= floor(height
    * beta)` and `|v| <= floor(width * beta)`, and its own amplitude at the others, channel by channel. The
    label stays that of `x[k]`. With probability `1 - probability` images stay as they are.

    With `b = floor(side * beta)` the window has `2 * b + 1` rows or columns with DC in the middle, for even
    and odd sizes, so it is Hermitian. With `beta=0.01` it is DC alone, the mean of each channel, up to 99
    pixels; on 32 pixels `beta=0.1` gives `b = 3`.

    Args:
        beta: Half-width of the window as a share of each side, 0 to 1; from 0.5 on all amplitudes.
            0.01 to 0.09 as published, on images of about 1000 pixels.
        probability: Chance to mix, 0 to 1.
        scope: `"batch"` tosses one coin for the whole batch; `"sample"` one for each image.
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

    Source: Yang and Soatto, "FDA: Fourier Domain Adaptation for Semantic Segmentation", CVPR 2020, section 3.
        Differs from the original: the amplitudes come from the batch, not from a target domain. Of the
        authors' two windows this is that of their NumPy code, `-b..b`; that of their PyTorch code is
        `-b..b-1`, one row and one column less, not Hermitian, and empty for `b = 0`.

    Example:
        >>> tuple(keras_freq.layers.FDAPair(beta=0.1, seed=0)(np.ones((8, 32, 32, 3), "float32")).shape)
        (8, 32, 32, 3)
    """

    def __init__(
        self,
        *,
        beta: float = 0.01,
        probability: float = 1.0,
        scope: Literal["batch", "sample"] = "batch",
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
        self.beta = check_number(beta, "beta", least=0, most=1)

    def mix(self, images, draws):
        xp = library_of(images)
        height, width = sides_of(images, 1 if self.data_format == "channels_last" else 2)
        if isinstance(height, int):
            window = _window(height, width, self.beta)
        else:
            window = _traced_window(images, height, width, self.beta)
        return swap_low_amplitude(
            images,
            xp.take(images, xp.argsort(draws[0]), axis=0),
            window,
            data_format=self.data_format,
            method=self.method,
        )

    def get_config(self):
        return {**super().get_config(), "beta": self.beta}


def _window(height: int, width: int, beta: float) -> np.ndarray:
    """1 on the frequencies nearest to DC, a share of each side, `(height, width)`."""
    rows, columns = (
        np.abs(np.arange(side) - side // 2) <= math.floor(side * beta) for side in (height, width)
    )
    return np.outer(rows, columns).astype("float64")


def _traced_window(images: Array, height: Array, width: Array, beta: float) -> Array:
    """The same where compiled code that runs is first to know the sides."""
    xp = library_of(images)
    halves = (xp.floor(xp.cast(side, "float64") * beta) for side in (height, width))
    rows, columns = (
        xp.cast(xp.abs(xp.cast(xp.arange(side) - side // 2, "float64")) <= half, "float32")
        for side, half in zip((height, width), halves, strict=True)
    )
    return xp.expand_dims(rows, 1) * columns
