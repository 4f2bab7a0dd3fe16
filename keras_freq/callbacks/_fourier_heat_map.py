"""Robustness to single frequencies while a model trains."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from keras_freq._core.classifier import Classifier
from keras_freq._core.feeds import ModelFeed
from keras_freq.callbacks._measurement import RINGS, Measurement
from keras_freq.evaluate._fourier_heat_map import check_perturbation, fourier_heat_map
from keras_freq.evaluate._heat_map_result import FourierHeatMapResult
from keras_freq.evaluate._heat_map_step import check_window


class FourierHeatMap(Measurement):
    """Measures a Fourier heat map at the end of every n-th epoch.

    Puts plain floats into the epoch's logs: `fourier_error`, the mean error over the map, and its means over
    three rings, `fourier_error_low` (`d < 1/8` cycles per pixel from DC), `fourier_error_mid`
    (`1/8 <= d < 1/4`) and `fourier_error_high` (`d >= 1/4`); every bin of the map counts once, a ring outside
    the window is absent. A map of 32-pixel images takes 515 passes over its images, so `n` is small by
    default.
    On other epochs the keys are absent, as those of validation are under `validation_freq`. Callbacks that
    read the logs, such as `CSVLogger` or `EarlyStopping` (name its `mode`), must stand behind this one.
    Training is not changed: weights and random streams are the same with and without.

    Args:
        data: Arrays `(images, labels)`, a `tf.data.Dataset` or a `keras.utils.PyDataset`; read anew at every
            measurement, so a generator will not do.
        every: Measure at the end of every n-th epoch, or at the end of each epoch in a collection, counted
            from 1 as under Keras' `validation_freq`.
        epsilon: L2 norm of what is added to each channel, in pixel units.
        n: Measure the first `n` images; `None` takes all.
        phase: Phase of the basis images in radians, or `"random"`.
        window: Measure only frequencies of at most so many index units from DC, one number or (vertical,
            horizontal); `None` takes all.
        seed: Seed of the signs; the same at every measurement.
        bounds: Lowest and highest pixel value that the model takes; default what its `Classifier` says.
        prefix: Put in front of the keys: `"val_"` gives `val_fourier_error`.
        model: What is measured: by default the model in training; where more must be said of it, a
            `keras_freq.Classifier` of it.
        batch_size: Images per batch where `data` are arrays, default 128.

    Attributes:
        history: List of `(epoch, FourierHeatMapResult)`, epochs counted from 0 as Keras does.
        keys: The names of its numbers in the logs.

    Raises:
        ValueError: If an argument is out of range or unknown, or `data` is a generator; when training begins,
            if the data do not fit the model or hold values that are not finite, images leave the bounds, or
            the window goes beyond their spectrum.
        TypeError: When training begins, if `data` are of another kind.

    Source: Yin et al., NeurIPS 2019, section 3.

    Example:
        >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> heat = keras_freq.callbacks.FourierHeatMap(data, every=[1, 3], n=8, window=4)
        >>> history = model.fit(*data, epochs=3, verbose=0, callbacks=[heat])
        >>> sorted(history.history)
        ['fourier_error', 'fourier_error_low', 'fourier_error_mid', 'loss']
        >>> [(epoch + 1, result.error.shape) for epoch, result in heat.history]
        [(1, (32, 32)), (3, (32, 32))]
    """

    history: list[tuple[int, FourierHeatMapResult]]
    _evaluation = staticmethod(fourier_heat_map)

    def __init__(
        self,
        data: Any,
        *,
        every: int | Collection[int] = 1,
        epsilon: float = 4.0,
        n: int | None = 256,
        phase: float | str = 0.0,
        window: int | Sequence[int] | None = None,
        seed: int = 0,
        bounds: Sequence[float] | None = None,
        prefix: str = "",
        model: Classifier | None = None,
        batch_size: int | None = None,
    ):
        perturbation = check_perturbation(epsilon, phase, seed)
        super().__init__(
            data,
            {
                **dict(zip(("epsilon", "phase", "seed"), perturbation, strict=True)),
                "bounds": bounds,
                "n": n,
                "window": window,
                "batch_size": batch_size,
                "progress": False,
            },
            ["fourier_error", *(f"fourier_error_{ring}" for ring in RINGS)],
            every=every,
            prefix=prefix,
            model=model,
        )

    def _check(self, feed: ModelFeed) -> None:
        check_window(self.options["window"], *feed.size)

    def _values(self, result: FourierHeatMapResult) -> Iterable[float]:
        rings = result.ring_means()
        return float(np.nanmean(result.error)), *(rings[ring] for ring in RINGS)
