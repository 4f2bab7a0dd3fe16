"""Robustness to single frequencies while a model trains."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_freq.evaluate._fourier_heat_map import check_perturbation, fourier_heat_map
from keras_freq.evaluate._heat_map_result import FourierHeatMapResult


class FourierHeatMap(keras.callbacks.Callback):
    """Measures a Fourier heat map after every n-th epoch.

    Puts plain floats into the epoch's logs: `fourier_error`, the mean error over the map, and its means over
    three rings, `fourier_error_low` (`d < 1/8` cycles per pixel from DC), `fourier_error_mid`
    (`1/8 <= d < 1/4`) and `fourier_error_high` (`d >= 1/4`); every bin of the map counts once, a ring outside
    the window is NaN. They reach `History` always, and callbacks such as `CSVLogger` or `EarlyStopping` (name
    its `mode`) if those stand behind this one in the list. On epochs that are not measured the values are
    NaN, so that all columns keep one length.
    Training is not changed: weights and random streams are the same with and without.

    A map of 32-pixel images takes 515 passes over its images, so `n` is small by default.

    Args:
        data: Arrays `(images, labels)`, a `tf.data.Dataset` or a `keras.utils.PyDataset`; read anew at every
            measurement, so a generator will not do.
        every: Measure after every n-th epoch.
        epsilon: L2 norm of what is added to each channel, in pixel units.
        n: Measure the first `n` images; `None` takes all.
        phase: Phase of the basis images in radians, or `"random"`.
        window: Measure only frequencies of at most so many index units from DC; `None` takes all.
        seed: Seed of the signs; the same at every measurement.
        bounds: Lowest and highest pixel value, or `None`.
        prefix: Put in front of the keys: `"val_"` gives `val_fourier_error`.
        batch_size: Images a batch where `data` are arrays, default 128.

    Attributes:
        history: List of `(epoch, FourierHeatMapResult)`, epochs counted from 0 as Keras does.

    Raises:
        ValueError: If `epsilon` is negative or not finite, `every` or `n` is below 1, or `data` is a
            generator.

    Source: Yin et al., NeurIPS 2019, section 3.

    Example:

    >>> heat = keras_freq.callbacks.FourierHeatMap(data.test, every=5, n=200, window=8)
    >>> history = model.fit(data.train, epochs=10, callbacks=[heat])
    >>> [epoch for epoch, result in heat.history]
    [4, 9]
    """

    def __init__(
        self,
        data: Any,
        *,
        every: int = 1,
        epsilon: float = 4.0,
        n: int | None = 256,
        phase: float | str = 0.0,
        window: int | Sequence[int] | None = None,
        seed: int = 0,
        bounds: Sequence[float] | None = (0.0, 1.0),
        prefix: str = "",
        batch_size: int | None = None,
    ):
        super().__init__()
        if isinstance(data, Iterator):
            raise ValueError(
                "`data` must be readable again at every epoch: arrays, a tf.data.Dataset or a PyDataset. "
                f"Received: data of type {type(data).__name__}, which can be read only once"
            )
        for name, value in (("every", every), ("n", n)):
            whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            if not (name == "n" and value is None) and not (whole and value >= 1):
                raise ValueError(f"`{name}` must be a whole number of at least 1. Received: {name}={value!r}")
        perturbation = check_perturbation(epsilon, phase, seed, bounds)
        self.data = data
        self.every = every
        self.prefix = prefix
        self.options = {
            **dict(zip(("epsilon", "phase", "seed", "bounds"), perturbation, strict=True)),
            "n": n,
            "window": window,
            "batch_size": batch_size,
        }
        self.history: list[tuple[int, FourierHeatMapResult]] = []

    def on_epoch_end(self, epoch: int, logs: MutableMapping[str, float] | None = None) -> None:
        mean, rings = float("nan"), dict.fromkeys(("low", "mid", "high"), float("nan"))
        if (epoch + 1) % self.every == 0:
            # `self.model` on JAX first brings the weights back from the training loop.
            result = fourier_heat_map(self.model, self.data, progress=False, **self.options)
            self.history.append((epoch, result))
            mean, rings = float(np.nanmean(result.error)), result.ring_means()
        if logs is not None:
            logs[f"{self.prefix}fourier_error"] = mean
            for name, value in rings.items():
                logs[f"{self.prefix}fourier_error_{name}"] = value
