"""Accuracy on low- and high-passed images while a model trains."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from keras_freq._core.checks import check_choice
from keras_freq._core.classifier import Classifier
from keras_freq.callbacks._measurement import Measurement
from keras_freq.evaluate._band_accuracy import (
    UNITS,
    BandAccuracyResult,
    Rescale,
    Units,
    band_accuracy,
    check_radii,
    check_rescale,
)


class BandAccuracy(Measurement):
    """Measures accuracy on low- and high-passed images at the end of every n-th epoch.

    Puts plain floats into the epoch's logs: `low_4`, `high_4`, ..., a pair for each radius, and `clean`, the
    accuracy on the same images unfiltered, in inference mode.
    On other epochs the keys are absent, as those of validation are under `validation_freq`. Callbacks that
    read the logs, such as `CSVLogger` or `EarlyStopping` (name its `mode`), must stand behind this one.
    Training is not changed: weights and random streams are the same with and without.

    Args:
        data: Arrays `(images, labels)`, a `tf.data.Dataset` or a `keras.utils.PyDataset`; read anew at every
            measurement, so a generator will not do.
        radii: Cut-off radii, at least 0, in `units`.
        units: `"index"` (bins from DC) or `"cycles_per_pixel"`, as in `keras_freq.evaluate.band_accuracy`.
        rescale: What is done to the filtered images: `"none"`, `"clip"`, `"max"`, `"minmax"` or
            `"uint8_wrap"`, as in `keras_freq.spectral.rescale`. The published curves of natural training were
            made with `"max"`, those of Lin, Gao and Sang with `"uint8_wrap"`.
        every: Measure at the end of every n-th epoch, or at the end of each epoch in a collection, counted
            from 1 as under Keras' `validation_freq`.
        prefix: Put in front of the keys: `"val_"` gives `val_low_4`.
        model: What is measured: by default the model in training; where more must be said of it, a
            `keras_freq.Classifier` of it.
        batch_size: Images per batch where `data` are arrays, default 128.

    Attributes:
        history: List of `(epoch, BandAccuracyResult)`, epochs counted from 0 as Keras does.
        keys: The names of its numbers in the logs.

    Raises:
        ValueError: If an argument is out of range or unknown, or `data` is a generator; when training begins,
            if the data do not fit the model or hold values that are not finite.
        TypeError: When training begins, if `data` are of another kind.

    Source: Wang et al., CVPR 2020, sections 4 and 5.

    Example:
        >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> bands = keras_freq.callbacks.BandAccuracy(data, radii=(4, 8), every=2)
        >>> history = model.fit(*data, epochs=4, verbose=0, callbacks=[bands])
        >>> sorted(history.history)
        ['clean', 'high_4', 'high_8', 'loss', 'low_4', 'low_8']
        >>> [epoch for epoch, result in bands.history], len(history.history["clean"])
        ([1, 3], 2)
    """

    history: list[tuple[int, BandAccuracyResult]]
    _evaluation = staticmethod(band_accuracy)

    def __init__(
        self,
        data: Any,
        *,
        radii: Sequence[float] = (4, 8, 12, 16),
        units: Units = "index",
        rescale: Rescale = "none",
        every: int | Collection[int] = 1,
        prefix: str = "",
        model: Classifier | None = None,
        batch_size: int | None = None,
    ):
        radii = check_radii(radii)
        super().__init__(
            data,
            {
                "radii": radii,
                "units": check_choice(units, "units", UNITS),
                "rescale": check_rescale(rescale),
                "batch_size": batch_size,
            },
            ["clean", *(f"low_{radius:g}" for radius in radii), *(f"high_{radius:g}" for radius in radii)],
            every=every,
            prefix=prefix,
            model=model,
        )

    def _values(self, result: BandAccuracyResult) -> Iterable[float]:
        return result.clean, *result.low, *result.high
