"""Accuracy on low- and high-passed images while a model trains."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

import keras

from keras_freq.evaluate._band_accuracy import (
    BandAccuracyResult,
    band_accuracy,
    check_radii,
    check_rescale,
)


class BandAccuracy(keras.callbacks.Callback):
    """Measures accuracy on low- and high-passed images after every n-th epoch.

    Puts plain floats `low_4`, `high_4`, ... into the epoch's logs, one pair a radius, and `clean`, the
    accuracy on the same images unfiltered, in inference mode. They reach `History` always, and callbacks such
    as `CSVLogger` or `EarlyStopping` (name its `mode`) if those stand behind this one in the list. On epochs
    that are not measured the values are NaN, so that all columns keep one length.
    Training is not changed: weights and random streams are the same with and without.

    Args:
        data: Arrays `(images, labels)`, a `tf.data.Dataset` or a `keras.utils.PyDataset`; read anew at every
            measurement, so a generator will not do.
        radii: Cut-off radii in index units.
        rescale: What is done to the filtered images: `"none"`, `"clip"`, `"max"`, `"minmax"` or
            `"uint8_wrap"`, as in `keras_freq.spectral.rescale`. The published curves of natural training were
            made with `"max"`, those of Lin, Gao and Sang with `"uint8_wrap"`.
        every: Measure after every n-th epoch.
        prefix: Put in front of the keys: `"val_"` gives `val_low_4`.
        batch_size: Images a batch where `data` are arrays, default 128.

    Attributes:
        history: List of `(epoch, BandAccuracyResult)`, epochs counted from 0 as Keras does.

    Raises:
        ValueError: If a radius is negative or not finite, `rescale` is unknown, `every` is below 1, or `data`
            is a generator.

    Source: Wang et al., CVPR 2020, sections 4 and 5.

    Example:

    >>> bands = keras_freq.callbacks.BandAccuracy(data.test, radii=(4, 8))
    >>> history = model.fit(data.train, epochs=2, callbacks=[bands, keras.callbacks.CSVLogger("log.csv")])
    >>> sorted(history.history)
    ['accuracy', 'clean', 'high_4', 'high_8', 'loss', 'low_4', 'low_8']
    """

    def __init__(
        self,
        data: Any,
        *,
        radii: Sequence[float] = (4, 8, 12, 16),
        rescale: str = "none",
        every: int = 1,
        prefix: str = "",
        batch_size: int | None = None,
    ):
        super().__init__()
        if isinstance(data, Iterator):
            raise ValueError(
                "`data` must be readable again at every epoch: arrays, a tf.data.Dataset or a PyDataset. "
                f"Received: data of type {type(data).__name__}, which can be read only once"
            )
        self.data = data
        self.radii = check_radii(radii)
        self.rescale = check_rescale(rescale)
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"`every` must be a whole number of at least 1. Received: every={every!r}")
        self.every = every
        self.prefix = prefix
        self.batch_size = batch_size
        self.history: list[tuple[int, BandAccuracyResult]] = []

    def on_epoch_end(self, epoch: int, logs: MutableMapping[str, float] | None = None) -> None:
        clean, low, high = float("nan"), *((float("nan"),) * len(self.radii),) * 2
        if (epoch + 1) % self.every == 0:
            # `self.model` on JAX first brings the weights back from the training loop.
            result = band_accuracy(
                self.model,
                self.data,
                radii=self.radii,
                rescale=self.rescale,
                batch_size=self.batch_size,
            )
            self.history.append((epoch, result))
            clean, low, high = result.clean, result.low, result.high
        if logs is not None:
            logs[f"{self.prefix}clean"] = clean
            for band, values in (("low", low), ("high", high)):
                for radius, value in zip(self.radii, values, strict=True):
                    logs[f"{self.prefix}{band}_{radius:g}"] = value
