"""Spectrum of the input gradients while a model trains: in which order frequencies are learnt."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any, Literal

import keras
import numpy as np

from keras_freq.evaluate._gradient_spectrum_result import (
    GradientSpectrumMap,
    GradientSpectrumResult,
    gradient_spectrum_map,
)
from keras_freq.evaluate._input_gradient_spectrum import check_options, input_gradient_spectrum


class GradientSpectrum(keras.callbacks.Callback):
    """Measures the spectrum of the input gradients after every n-th epoch.

    Puts plain floats into the epoch's logs: means of the spectrum over three rings, `gradient_low`
    (`radius < s / 8`), `gradient_mid` (`s / 8 <= radius < s / 4`) and `gradient_high` (`radius >= s / 4`),
    with `s` the smaller side of the images; every band counts once, a ring without a band is NaN. They reach
    `History` always, and callbacks such as `CSVLogger` or `EarlyStopping` (name its `mode`) if those stand
    behind this one in the list. On epochs that are not measured the values are NaN, so that all columns keep
    one length.
    Training is not changed: weights and random streams are the same with and without.

    Args:
        data: Arrays `(images, labels)`, a `tf.data.Dataset` or a `keras.utils.PyDataset`; read anew at every
            measurement, so a generator will not do.
        every: Measure after every n-th epoch.
        prefix: Put in front of the keys: `"val_"` gives `val_gradient_low`.
        center: `"dc"` or `"pixel"`, as in `keras_freq.evaluate.input_gradient_spectrum`.
        bins: `"all"` or `"inner"`; `center="pixel", bins="inner"` gives the 20 published bands of 32-pixel
            images.
        normalize: Whether to scale each image's profile to [0, 1].
        n: Measure the first `n` images; default all.
        batch_size: Images a batch where `data` are arrays, default 128.
        data_format: `"channels_last"` or `"channels_first"`.

    Attributes:
        history: List of `(epoch, GradientSpectrumResult)`, epochs counted from 0 as Keras does.

    Raises:
        ValueError: If an option is unknown, `every` or `n` is below 1, or `data` is a generator.

    Source: Lin, Gao and Sang, IJCAI 2022, learning priority.

    Example:

    >>> gradients = keras_freq.callbacks.GradientSpectrum(data.test, n=1000)
    >>> history = model.fit(data.train, epochs=10, callbacks=[gradients])
    >>> gradients.spectra.shape
    (10, 23)
    >>> figure = keras_freq.plots.gradient_spectrum(gradients.result())
    """

    def __init__(
        self,
        data: Any,
        *,
        every: int = 1,
        prefix: str = "",
        center: Literal["dc", "pixel"] = "dc",
        bins: Literal["all", "inner"] = "all",
        normalize: bool = True,
        n: int | None = None,
        batch_size: int | None = None,
        data_format: str = "channels_last",
    ):
        super().__init__()
        if isinstance(data, Iterator):
            raise ValueError(
                "`data` must be readable again at every epoch: arrays, a tf.data.Dataset or a PyDataset. "
                f"Received: data of type {type(data).__name__}, which can be read only once"
            )
        for name, value in (("every", every), ("n", n), ("batch_size", batch_size)):
            whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            if not (name != "every" and value is None) and not (whole and value >= 1):
                raise ValueError(f"`{name}` must be a whole number of at least 1. Received: {name}={value!r}")
        self.data = data
        self.every = every
        self.prefix = prefix
        self.options = {
            **check_options(center, bins, normalize, data_format),
            "n": n,
            "batch_size": batch_size,
        }
        self.history: list[tuple[int, GradientSpectrumResult]] = []

    @property
    def epochs(self) -> tuple[int, ...]:
        """How many epochs the model was trained for at each measurement: 1 is after the first."""
        return tuple(epoch + 1 for epoch, _ in self.history)

    @property
    def spectra(self) -> np.ndarray:
        """Mean spectra as measured, `(epochs, bands)`; `(0, 0)` before the first."""
        return np.array([result.mean for _, result in self.history] or np.zeros((0, 0)), "float64")

    def result(self) -> GradientSpectrumMap:
        """What is measured so far as one map, which `keras_freq.plots.gradient_spectrum` draws.

        Raises:
            ValueError: If nothing is measured yet.
        """
        if not self.history:
            raise ValueError(
                f"There is no spectrum before the end of epoch {self.every}. Received: no measurement"
            )
        return gradient_spectrum_map([result for _, result in self.history], epochs=self.epochs)

    def on_epoch_end(self, epoch: int, logs: MutableMapping[str, float] | None = None) -> None:
        rings = dict.fromkeys(("low", "mid", "high"), float("nan"))
        if (epoch + 1) % self.every == 0:
            # `self.model` on JAX first brings the weights back from the training loop.
            result = input_gradient_spectrum(self.model, self.data, **self.options)
            self.history.append((epoch, result))
            rings = result.ring_means()
        if logs is not None:
            for name, value in rings.items():
                logs[f"{self.prefix}gradient_{name}"] = value
