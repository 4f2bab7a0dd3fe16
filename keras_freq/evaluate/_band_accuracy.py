"""Accuracy on the low- and the high-frequency part of the images."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import keras
import numpy as np

from keras_freq._core.checks import check_choice, check_flag, check_numbers
from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import compile_logits, to_tensor
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq._core.sweep import load_batches, run_steps
from keras_freq.evaluate._predictions import KeptPredictions, count_and_choose, count_correct
from keras_freq.spectral import apply_mask
from keras_freq.spectral._grid import UNITS, Units
from keras_freq.spectral._masks import KINDS, Kind, low_pass_mask
from keras_freq.spectral._rescale import MODES, Rescale
from keras_freq.spectral._rescale import rescale as rescale_images


@dataclass(frozen=True, kw_only=True)
class BandAccuracyResult(Result):
    """Accuracy on filtered images, by radius.

    Attributes:
        radii: Cut-off radii, in `units`, in the order given.
        low: Accuracy on the low-passed images, one value for each radius.
        high: Accuracy on the high-passed images, one value for each radius.
        clean: Accuracy on the images as they are.
        low_correct_per_class: Correctly classified low-passed images, `(radii, classes)`.
        high_correct_per_class: Correctly classified high-passed images, `(radii, classes)`.
        clean_correct_per_class: Correctly classified images, `(classes,)`.
        count_per_class: Images of each class.
        undefined: Images, filtered or not, whose outputs are NaN or have no finite largest one; they count
            as wrong.
        predictions: If asked for, the classes predicted, -1 where undefined: `"clean"`, `(n,)`, `"low"` and
            `"high"`, `(radii, n)`. In `to_json` alone.

    Example:
        >>> result = keras_freq.evaluate.band_accuracy(model, data, radii=(0, 100))
        >>> result.low[1] == result.high[0] == result.clean
        True
    """

    radii: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    clean: float
    low_correct_per_class: tuple[tuple[int, ...], ...]
    high_correct_per_class: tuple[tuple[int, ...], ...]
    clean_correct_per_class: tuple[int, ...]
    count_per_class: tuple[int, ...]
    undefined: int = 0
    predictions: dict[str, np.ndarray] | None = field(
        default=None, repr=False, compare=False, metadata={"export": False}
    )

    @property
    def units(self) -> Units:
        """`"index"` or `"cycles_per_pixel"`, of the radii."""
        return self.settings.get("units", "index")

    def rows(self) -> list[dict[str, Any]]:
        """One row for each band and radius, after one for the clean images."""
        rows = [{"model": self.model, "band": "clean", "radius": "", "accuracy": self.clean, "n": self.n}]
        for band, values in (("low", self.low), ("high", self.high)):
            for radius, value in zip(self.radii, values, strict=True):
                rows.append(
                    {"model": self.model, "band": band, "radius": radius, "accuracy": value, "n": self.n}
                )
        return rows

    def _headline(self) -> dict[str, Any]:
        low, high = (dict(zip(self.radii, values, strict=True)) for values in (self.low, self.high))
        return {"clean": self.clean, "low-passed by radius": low, "high-passed by radius": high}


def band_accuracy(
    model: keras.Model | Classifier,
    data: Any,
    *,
    radii: Sequence[float] = (4, 8, 12, 16),
    units: Units = "index",
    kind: Kind = "ideal",
    rescale: Rescale = "none",
    mean: float | Sequence[float] | None = 0.0,
    batch_size: int | None = None,
    data_format: str | None = None,
    keep_predictions: bool = False,
    progress: bool | None = False,
) -> BandAccuracyResult:
    """Accuracy on low-passed and on high-passed images, for several radii, in one pass over the data.

    `low_r = IDFT(m_r * DFT(x))`, `high_r = IDFT((1 - m_r) * DFT(x))`, with `m_r = 1[d < r]` for
    `kind="ideal"`. Nothing is clipped or rescaled unless `rescale` says so.

    Args:
        model: Keras classifier `(batch, ...) -> (batch, classes)`, logits or probabilities. It runs in
            inference mode.
        data: Arrays `(images, labels)`, a `tf.data.Dataset`, a `keras.utils.PyDataset`, or an iterable of
            batches.
        radii: Cut-off radii, at least 0, in `units`.
        units: `"index"` counts bins from DC, as published; `"cycles_per_pixel"` divides each axis by its side
            first (0 to .71): the same disk for images of every size, round where they are not square.
        kind: `"ideal"`, `"gaussian"`, `"butterworth"` (order 2) or `"square"`.
        rescale: What `keras_freq.spectral.rescale` does to the filtered images, never to the clean ones:
            `"none"`, `"clip"`, `"max"`, `"minmax"` or `"uint8_wrap"`. The published curves of natural
            training (Wang et al.) were made with `"max"`, a gain of about 2.5 (radius 4) to 20 (radius 16) on
            the high-frequency part of CIFAR-10; those of Lin, Gao and Sang, IJCAI 2022, with `"uint8_wrap"`,
            a cast to 8 bits in which negative values wrap around.
        mean: What a removed DC leaves behind, on [0, 1], one number or one for each channel: it is
            subtracted before every mask and added after it. `None`: the mean of the model's first
            `Normalization`, else 0, as when normalized images are filtered. 0 filters pixels: images without
            DC are black.
        batch_size: Images per batch where `data` are arrays, default 128.
        data_format: `"channels_last"` or `"channels_first"`; default that of the model.
        keep_predictions: Keep the predicted class of every image in the result.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        A `BandAccuracyResult`. Images whose outputs are NaN or infinite count as wrong.

    Raises:
        ValueError: If a radius is negative or not finite, there is none, the data are empty, images are not
            finite, or labels are not among the model's outputs.

    Source: Wang et al., CVPR 2020, section 5.
        Differs from the original: filtered images are not divided by their maximum unless `rescale="max"`,
        and the center of the disk is DC for odd sizes too.

    Example:
        >>> result = keras_freq.evaluate.band_accuracy(model, data, radii=(4, 8))
        >>> list(dict(zip(result.radii, result.low)))
        [4.0, 8.0]
    """
    radii = check_radii(radii)
    check_choice(units, "units", UNITS)
    check_choice(kind, "kind", KINDS)
    check_rescale(rescale)
    check_flag(keep_predictions, "keep_predictions")
    feed = ModelFeed(model, data, batch_size=batch_size, data_format=data_format)
    fill = feed.model.fill_of_dc(mean, feed.channels)
    reduce = count_and_choose if keep_predictions else count_correct
    measure_clean = compile_logits(feed.model, None, reduce)
    measure_band = compile_logits(feed.model, filter_images(rescale, feed.data_format), reduce)
    center = to_tensor(feed.broadcast_channels(fill))
    bands: list[tuple[Hashable, Any]] = [("clean", None)]
    for index, radius in enumerate(radii):
        mask = low_pass_mask(*feed.size, radius, kind=kind, units=units)
        bands += [(("low", index), to_tensor(mask)), (("high", index), to_tensor(1 - mask))]
    counts = {band: np.zeros(feed.classes + 1, "int64") for band, _ in bands}
    kept = KeptPredictions(feed.classes)

    # The mask is an argument, so that one compiled step serves all radii. One band a step: a step of both has
    # twice the batch, for which CPUs are slower.
    def measure(load: Callable, mask: Any) -> Any:
        images, *behind = load()
        if mask is None:
            return measure_clean(images, reduce_args=behind)
        return measure_band(images, mask, center, reduce_args=behind)

    with progress_bar(progress, "band accuracy", "image pass") as advance:
        for (band, valid), found in run_steps(
            ((band, valid), partial(measure, load, mask))
            for load, _, valid in load_batches(feed)
            for band, mask in bands
        ):
            if keep_predictions:
                found, chosen = found
                kept.add(band, chosen, valid)
            counts[band] += found
            advance(valid)
    clean = counts["clean"]
    low, high = (np.stack([counts[band, index] for index in range(len(radii))]) for band in ("low", "high"))
    predictions = None
    if keep_predictions:
        predictions = {"clean": kept.fetch("clean")} | {
            band: np.stack([kept.fetch((band, index)) for index in range(len(radii))])
            for band in ("low", "high")
        }
    undefined = clean[-1] + low[:, -1].sum() + high[:, -1].sum()
    clean, low, high = clean[:-1], low[:, :-1], high[:, :-1]
    return BandAccuracyResult(
        model=feed.model.name,
        n=feed.n,
        settings={
            "units": units,
            "kind": kind,
            "rescale": rescale,
            "mean": tuple(fill.tolist()),
            "batch_size": batch_size,
            **feed.settings,
        },
        versions=versions(),
        radii=radii,
        low=tuple((low.sum(axis=1) / feed.n).tolist()),
        high=tuple((high.sum(axis=1) / feed.n).tolist()),
        clean=float(clean.sum() / feed.n),
        low_correct_per_class=tuple(map(tuple, low.tolist())),
        high_correct_per_class=tuple(map(tuple, high.tolist())),
        clean_correct_per_class=tuple(clean.tolist()),
        count_per_class=tuple(feed.count_per_class.tolist()),
        undefined=int(undefined),
        predictions=predictions,
    )


def check_radii(radii: float | Sequence[float]) -> tuple[float, ...]:
    """Cut-off radii, at least 0."""
    return check_numbers(radii, "radii", least=0)


def check_rescale(rescale: Rescale) -> Rescale:
    """One of the modes of `keras_freq.spectral.rescale`."""
    return check_choice(rescale, "rescale", MODES)


@cache
def filter_images(rescale: Rescale, data_format: str) -> Callable:
    """One function object for equal settings: what is compiled is kept by it."""

    def apply(images, mask, center):
        filtered = apply_mask(images - center, mask, data_format=data_format) + center
        return rescale_images(filtered, rescale, data_format=data_format)

    return apply
