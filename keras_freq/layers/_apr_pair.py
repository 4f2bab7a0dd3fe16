from __future__ import annotations

from typing import Literal

import keras

from keras_freq._core.checks import check_choice, check_flag
from keras_freq.layers._pair_layer import PairLayer
from keras_freq.spectral._backend import library_of
from keras_freq.spectral._dft import Method
from keras_freq.spectral._recombine import Axes, recombine


@keras.saving.register_keras_serializable(package="keras_freq")
class APRPair(PairLayer):
    """APR-P: give every image of a batch the amplitude of another one.

    Pixels are bytes, 0 to 255, or floats of any range, as a rule (0, 1); Keras' own layers have (0, 255).

    `y[k] = Re IDFT(|F(x[perm[k]])| * exp(i * angle F(x[k])))` for a random permutation. The label stays that
    of `x[k]`, whose phase the result has. With probability `1 - probability` images stay as they are.

    Args:
        probability: Chance to recombine, 0 to 1: 0.6 for CIFAR, 0.5 for ImageNet, 0.16 in adversarial
            training.
        scope: `"batch"` tosses one coin for the whole batch, as published; `"sample"` one for each image.
        axes: `"chw"` recombines over channels and space, as published; `"hw"` channel by channel.
        clip: `None` leaves the result as it is (about 5 % of the values leave [0, 1]), or two bounds, such as
            `(0, 1)`, in the range of floats, and for bytes on [0, 1].
        derangement: Whether no image may meet itself (a random cycle in place of a random permutation).
        method: How the DFT is computed: `"fft"`, `"matmul"` or `"auto"`.
        seed: Seed of the layer's stream, or `None` for a fresh one.
        data_format: `"channels_last"` or `"channels_first"`; by default that of the Keras configuration.
        **kwargs: `name`, `dtype` and so on of `keras.layers.Layer`.

    Call arguments:
        images: A batch of images in any range; the published recipes recombine CIFAR in [0, 1], ImageNet
            after normalization.
        training: `False` makes the layer the identity. Inside a model Keras sets it; alone the layer
            augments.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        The same.

    Raises:
        ValueError: if an argument lies outside its range, or one image arrives without a batch axis.

    Source: Chen et al., "Amplitude-Phase Recombination", ICCV 2021, section 3.3.

    Example:
        >>> tuple(keras_freq.layers.APRPair(seed=0)(np.ones((8, 32, 32, 3), "float32")).shape)
        (8, 32, 32, 3)
    """

    def __init__(
        self,
        *,
        probability: float = 0.6,
        scope: Literal["batch", "sample"] = "batch",
        axes: Axes = "chw",
        clip: tuple[float, float] | None = None,
        derangement: bool = False,
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
        self.axes = check_choice(axes, "axes", ("chw", "hw"))
        self.derangement = check_flag(derangement, "derangement")

    def mix(self, images, draws):
        xp = library_of(images)
        partner = xp.argsort(draws[0])
        if self.derangement:
            # Along the random cycle: each image takes the next one's amplitude.
            partner = xp.take(xp.roll(partner, -1, 0), xp.argsort(partner), axis=0)
        return recombine(
            xp.take(images, partner, axis=0),
            images,
            axes=self.axes,
            data_format=self.data_format,
            method=self.method,
        )

    def get_config(self):
        return {**super().get_config(), "axes": self.axes, "derangement": self.derangement}
