"""Spectrum of the input gradients while a model trains: in which order frequencies are learned."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Literal

import numpy as np

from keras_freq._core.classifier import Classifier
from keras_freq.callbacks._measurement import RINGS, Measurement
from keras_freq.evaluate import (
    GradientSpectrumMap,
    GradientSpectrumResult,
    gradient_spectrum_map,
)
from keras_freq.evaluate._input_gradient_spectrum import Units, check_options, input_gradient_spectrum


class GradientSpectrum(Measurement):
    """Measures the spectrum of the input gradients at the end of every n-th epoch.

    Puts plain floats into the epoch's logs: means of the spectrum over three rings, `gradient_low`
    (`radius < 1/8`), `gradient_mid` (`1/8 <= radius < 1/4`) and `gradient_high` (`radius >= 1/4`), in cycles
    per pixel; every band counts once, a ring without a band is absent.
    On other epochs the keys are absent, as those of validation are under `validation_freq`. Callbacks that
    read the logs, such as `CSVLogger` or `EarlyStopping` (name its `mode`), must stand behind this one.
    Training is not changed: weights and random streams are the same with and without.

    Args:
        data: Arrays `(images, labels)`, a `tf.data.Dataset` or a `keras.utils.PyDataset`; read anew at every
            measurement, so a generator will not do.
        every: Measure at the end of every n-th epoch, or at the end of each epoch in a collection, counted
            from 1 as under Keras' `validation_freq`.
        prefix: Put in front of the keys: `"val_"` gives `val_gradient_low`.
        model: What is measured: by default the model in training; where more must be said of it, a
            `keras_freq.Classifier` of it.
        center: `"dc"` or `"pixel"`, as in `keras_freq.evaluate.input_gradient_spectrum`.
        bins: `"all"` or `"inner"`; `center="pixel", bins="inner"` gives the 20 published bands of 32-pixel
            images.
        units: `"index"` or `"cycles_per_pixel"`, as there; for these rings images that are not square need
            `"cycles_per_pixel"`, which is their default.
        normalize: Whether to scale each image's profile to [0, 1].
        n: Measure the first `n` images; default all.
        batch_size: Images per batch where `data` are arrays, default 128.
        data_format: `"channels_last"` or `"channels_first"`; default that of the model.

    Attributes:
        history: List of `(epoch, GradientSpectrumResult)`, epochs counted from 0 as Keras does.
        keys: The names of its numbers in the logs.

    Raises:
        ValueError: If an argument is out of range or unknown, or `data` is a generator; when training begins,
            if the data do not fit the model or hold values that are not finite, or the model ends in softmax
            or sigmoid.
        TypeError: When training begins, if `data` are of another kind.

    Source: Lin, Gao and Sang, IJCAI 2022, learning priority.

    Example:
        >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> gradients = keras_freq.callbacks.GradientSpectrum(data, n=4)
        >>> history = model.fit(*data, epochs=2, verbose=0, callbacks=[gradients])
        >>> gradients.spectra.shape, gradients.result().epochs
        ((2, 23), (1, 2))
    """

    history: list[tuple[int, GradientSpectrumResult]]
    _evaluation = staticmethod(input_gradient_spectrum)
    _needs_gradients = True

    def __init__(
        self,
        data: Any,
        *,
        every: int | Collection[int] = 1,
        prefix: str = "",
        model: Classifier | None = None,
        center: Literal["dc", "pixel"] = "dc",
        bins: Literal["all", "inner"] = "all",
        units: Units | None = None,
        normalize: bool = True,
        n: int | None = None,
        batch_size: int | None = None,
        data_format: str | None = None,
    ):
        super().__init__(
            data,
            {
                **check_options(center, bins, units, normalize),
                "n": n,
                "batch_size": batch_size,
                "data_format": data_format,
            },
            [f"gradient_{ring}" for ring in RINGS],
            every=every,
            prefix=prefix,
            model=model,
        )

    @property
    def epochs(self) -> tuple[int, ...]:
        """How many epochs the model was trained for at each measurement; 1 is after the first."""
        return tuple(epoch + 1 for epoch, _ in self.history)

    @property
    def spectra(self) -> np.ndarray:
        """Mean spectra as measured, `(epochs, bands)`; `(0, 0)` before the first."""
        return self._collect("mean")

    def result(self) -> GradientSpectrumMap:
        """What is measured so far as one map, which `keras_freq.plots.gradient_spectrum` draws.

        Raises:
            ValueError: If nothing is measured yet.
        """
        if not self.history:
            raise ValueError("There is no spectrum before the first measurement. Received: no measurement")
        return gradient_spectrum_map([result for _, result in self.history], epochs=self.epochs)

    def _values(self, result: GradientSpectrumResult) -> Iterable[float]:
        rings = result.ring_means()
        return [rings[ring] for ring in RINGS]
