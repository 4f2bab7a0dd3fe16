"""Accuracy on the low- and the high-frequency part of the images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import keras
import numpy as np

from keras_freq._core.checks import check_choice
from keras_freq._core.compiled import compile_logits, to_tensor
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq.evaluate._counting import Tally, count_correct, labelled_batches
from keras_freq.spectral import apply_mask
from keras_freq.spectral._images import DATA_FORMATS
from keras_freq.spectral._masks import KINDS, low_pass_mask
from keras_freq.spectral._rescale import MODES, Rescale
from keras_freq.spectral._rescale import rescale as rescale_images


@dataclass(frozen=True, kw_only=True)
class BandAccuracyResult(Result):
    """Accuracy on filtered images, by radius.

    Attributes:
        radii: Cut-off radii, in index units, in the order given.
        low: Accuracy on the low-passed images, one value a radius.
        high: Accuracy on the high-passed images, one value a radius.
        clean: Accuracy on the images as they are.
        low_correct_per_class: Correctly classified low-passed images, `(radii, classes)`.
        high_correct_per_class: Correctly classified high-passed images, `(radii, classes)`.
        clean_correct_per_class: Correctly classified images, `(classes,)`.
        count_per_class: Images of each class.
    """

    radii: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    clean: float
    low_correct_per_class: tuple[tuple[int, ...], ...]
    high_correct_per_class: tuple[tuple[int, ...], ...]
    clean_correct_per_class: tuple[int, ...]
    count_per_class: tuple[int, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One row a band and radius, after one for the clean images."""
        rows = [{"model": self.model, "band": "clean", "radius": "", "accuracy": self.clean, "n": self.n}]
        for band, values in (("low", self.low), ("high", self.high)):
            for radius, value in zip(self.radii, values, strict=True):
                rows.append(
                    {"model": self.model, "band": band, "radius": radius, "accuracy": value, "n": self.n}
                )
        return rows


def band_accuracy(
    model: keras.Model,
    data: Any,
    *,
    radii: Sequence[float] = (4, 8, 12, 16),
    kind: str = "ideal",
    rescale: Rescale = "none",
    batch_size: int | None = None,
    data_format: str = "channels_last",
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
        radii: Cut-off radii in index units (bins from DC), at least 0.
        kind: `"ideal"`, `"gaussian"`, `"butterworth"` (order 2) or `"square"`.
        rescale: What `keras_freq.spectral.rescale` does to the filtered images, never to the clean ones:
            `"none"`, `"clip"`, `"max"`, `"minmax"` or `"uint8_wrap"`. The published curves of natural
            training (Wang et al.) were made with `"max"`, a gain of about 2.5 (radius 4) to 20 (radius 16) on
            the high-frequency part of CIFAR-10; those of Lin, Gao and Sang, IJCAI 2022, with `"uint8_wrap"`,
            a cast to 8 bits in which negative values wrap around.
        batch_size: Images a batch where `data` are arrays, default 128.
        data_format: `"channels_last"` or `"channels_first"`.
        progress: Show a progress bar; `None`: on a terminal where tqdm is installed.

    Returns:
        A `BandAccuracyResult`. Images whose outputs are NaN or infinite count as wrong.

    Raises:
        ValueError: If a radius is negative or not finite, there is none, the data are empty, images are not
            finite, or labels are not among the model's outputs.

    Source: Wang et al., CVPR 2020, section 5. Differs from the original: filtered images are not divided by
    their maximum unless `rescale="max"`, and the centre of the disk is DC for odd sizes too.

    Example:

    >>> result = keras_freq.evaluate.band_accuracy(model, data.test, radii=(4, 8))
    >>> dict(zip(result.radii, result.low))
    {4.0: 0.31, 8.0: 0.58}
    """
    radii = check_radii(radii)
    check_choice(kind, "kind", KINDS)
    check_rescale(rescale)
    check_choice(data_format, "data_format", DATA_FORMATS)
    clean = compile_logits(model, None, count_correct)
    bands = compile_logits(model, _TRANSFORMS[data_format, rescale], count_correct)
    tally = Tally()
    masks = None
    with progress_bar(progress, "band accuracy", "image pass") as advance:
        for images, labels, valid in labelled_batches(model, data, batch_size):
            if masks is None:
                size = images.shape[1:3] if data_format == "channels_last" else images.shape[2:4]
                low = [low_pass_mask(*size, radius, kind=kind) for radius in radii]
                masks = [(to_tensor(mask), to_tensor(1 - mask)) for mask in low]
            # Once to the device for all radii; the mask is an argument, so that one compiled step serves them
            # all. One band a step: a step of both has twice the batch, for which CPUs are slower.
            images, classes, count = to_tensor(images), to_tensor(labels), to_tensor(np.int32(valid))
            tally.add("clean", clean(images, reduce_args=(classes, count)))
            advance(valid)
            for index, pair in enumerate(masks):
                for band, mask in zip(("low", "high"), pair, strict=True):
                    tally.add((band, index), bands(images, mask, reduce_args=(classes, count)))
                advance(2 * valid)
            tally.seen(labels, valid)
    whole = tally.correct("clean")
    low, high = (
        np.stack([tally.correct((band, index)) for index in range(len(radii))]) for band in ("low", "high")
    )
    return BandAccuracyResult(
        model=model.name,
        n=tally.n,
        settings={
            "kind": kind,
            "rescale": rescale,
            "batch_size": batch_size,
            "data_format": data_format,
        },
        versions=versions(),
        radii=radii,
        low=tuple((low.sum(axis=1) / tally.n).tolist()),
        high=tuple((high.sum(axis=1) / tally.n).tolist()),
        clean=float(whole.sum() / tally.n),
        low_correct_per_class=tuple(map(tuple, low.tolist())),
        high_correct_per_class=tuple(map(tuple, high.tolist())),
        clean_correct_per_class=tuple(whole.tolist()),
        count_per_class=tally.per_class(len(whole)),
    )


def check_radii(radii: Sequence[float]) -> tuple[float, ...]:
    """Radii as finite numbers of at least 0."""
    values = (radii,) if np.ndim(radii) == 0 else tuple(radii)
    if not values:
        raise ValueError("`radii` must hold at least one radius. Received: radii=()")
    for value in values:
        if not isinstance(value, Real) or isinstance(value, bool) or not 0 <= value < float("inf"):
            raise ValueError(
                f"`radii` must be finite numbers of at least 0 (index units). Received: radii={values!r}"
            )
    return tuple(map(float, values))


def check_rescale(rescale: Rescale) -> Rescale:
    """One of the modes of `keras_freq.spectral.rescale`."""
    return check_choice(rescale, "rescale", MODES)


def _filter(data_format: str, mode: Rescale) -> Callable:
    def filtered(images, mask):
        images = apply_mask(images, mask, data_format=data_format)
        return rescale_images(images, mode, data_format=data_format)

    return filtered


# One function object each, made once: what is compiled is kept by them.
_TRANSFORMS = {(layout, mode): _filter(layout, mode) for layout in DATA_FORMATS for mode in MODES}
