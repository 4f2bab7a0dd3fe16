"""Error under the common corruptions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_freq._core.checks import check_readable_again, check_whole
from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import compile_logits
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.pixels import to_bytes
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq.data._corruptions.apply import check_corruptions, corrupt
from keras_freq.data._corruptions.catalog import CORRUPTIONS, SEVERITIES, choose_jpeg, choose_table
from keras_freq.data._corruptions.read import open_stored
from keras_freq.evaluate._predictions import DeviceCounts, count_correct


@dataclass(frozen=True, kw_only=True)
class CorruptionResult(Result):
    """Error rates under corruptions; `float(result)` is their unnormalized mean.

    Attributes:
        corruptions: Names of the corruptions.
        severities: Severities, ascending.
        errors: Share of the `n` images classified wrongly, `(corruptions, severities)`.
        clean_error: Share classified wrongly without corruption; NaN where the data hold corrupted images
            only.
        mean: Mean of `errors` over severities and corruptions: the corruption error of CIFAR-10-C.
        undefined: Corrupted images whose outputs are NaN or have no finite largest one; they count as wrong.

    Example:
        >>> result = keras_freq.evaluate.corruption_error(model, data, corruptions=("contrast", "fog"))
        >>> sorted(result.by_corruption), 0 <= float(result) <= 1
        (['contrast', 'fog'], True)
    """

    corruptions: tuple[str, ...]
    severities: tuple[int, ...]
    errors: tuple[tuple[float, ...], ...]
    clean_error: float
    mean: float
    undefined: int = 0

    def __float__(self) -> float:
        return self.mean

    @property
    def by_corruption(self) -> dict[str, float]:
        """Mean over the severities, by name."""
        rows = zip(self.corruptions, self.errors, strict=True)
        return {name: float(np.mean(row)) for name, row in rows}

    def rows(self) -> list[dict[str, Any]]:
        """One row for each corruption and severity, after one for the clean images."""
        start = {"model": self.model}
        rows = [{**start, "corruption": "none", "severity": 0, "error": self.clean_error, "n": self.n}]
        for name, errors in zip(self.corruptions, self.errors, strict=True):
            for severity, error in zip(self.severities, errors, strict=True):
                rows.append({**start, "corruption": name, "severity": severity, "error": error, "n": self.n})
        return rows

    def _headline(self) -> dict[str, Any]:
        return {**super()._headline(), "error by corruption": self.by_corruption}


def corruption_error(
    model: keras.Model | Classifier,
    data: Any,
    *,
    corruptions: Sequence[str] = CORRUPTIONS,
    severities: Sequence[int] = SEVERITIES,
    seed: int = 0,
    table: str = "auto",
    top: int = 1,
    jpeg: int | None = None,
    data_dir: str | os.PathLike | None = None,
    batch_size: int | None = None,
    progress: bool | None = None,
) -> CorruptionResult:
    """Share of corrupted images that the model classifies wrongly, by corruption and severity.

    `mean = mean over c, s of E[c, s]`, the figure that is published for CIFAR-10-C and CIFAR-100-C. For
    ImageNet-C see `mean_corruption_error`.

    Args:
        model: Keras classifier `(batch, ...) -> (batch, classes)`, logits or probabilities.
            It runs in inference mode.
        data: Clean images, which are corrupted here, batch by batch, after rounding to bytes: arrays
            `(images, labels)`, a `tf.data.Dataset`, a `keras.utils.PyDataset` or an iterable of batches that
            can be read again. Or corrupted ones: a folder in the layout of CIFAR-10-C or of ImageNet-C, or
            `"cifar10_corrupted"` or `"imagenet2012_corrupted"` of TFDS, see `keras_freq.data.read_corrupted`.
        corruptions: Names, by default the 15 of the benchmark.
        severities: Some of 1 to 5.
        seed: Seed of the corruptions, see `keras_freq.data.corrupt`. Without effect on corrupted data.
        table: "small", "medium", "large" or "auto", see `keras_freq.data.corrupt`. Without effect on
            corrupted data.
        jpeg: Quality of the JPEG files that corrupted images go through, 0 for none; `None`: 85 for "medium"
            and "large", as published, see `keras_freq.data.corrupt`. Without effect on corrupted data.
        top: An image counts as right where its class is among so many with the largest logits; 5 measures the
            top-5 error.
        data_dir: Folder of TFDS.
        batch_size: Images per batch where `data` are arrays or a folder, default 128.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        A `CorruptionResult`. Images whose outputs are NaN or infinite count as wrong.

    Raises:
        FileNotFoundError: If a file or set of corrupted images is missing; nothing has been measured then.
        ValueError: If a name, severity, table or quality is unknown, the data are empty or leave [0, 1],
            labels are not among the model's outputs, or the sets of two corruptions differ in size.

    Source: Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
        Perturbations", ICLR 2019, section 4.

    Example:
        >>> result = keras_freq.evaluate.corruption_error(model, data, corruptions=("contrast", "fog"))
        >>> np.shape(result.errors), result.severities
        ((2, 5), (1, 2, 3, 4, 5))
    """
    names, severities = check_corruptions(corruptions, severities, table=table)
    top = check_whole(top, "top")
    cells = [(name, severity) for name in names for severity in severities]
    stored = isinstance(data, (str, os.PathLike))
    choose_jpeg(jpeg, table, 1)
    options: dict[str, Any] = {"seed": None, "table": None, "jpeg": None}
    clean_error, measured = float("nan"), []
    feeds: Iterator[ModelFeed]
    with progress_bar(progress, "corruptions") as advance:
        if stored:
            # All files are looked at before the first image is classified.
            opened = [open_stored(data, *cell, data_dir=data_dir, batch_size=batch_size) for cell in cells]
            feeds = (ModelFeed(model, open_set(), batch_size=batch_size) for open_set in opened)
        else:
            check_readable_again(data, when="for every corruption")
            clean = ModelFeed(model, data, batch_size=batch_size)
            side = min(clean.size)
            options = {
                "seed": seed,
                "table": choose_table(table, side),
                "jpeg": choose_jpeg(jpeg, table, side),
            }
            clean_error, *_ = _measure_error(clean, advance, top)
            feeds = (ModelFeed(clean.model, _corrupt_batches(clean, *cell, options)) for cell in cells)
        for feed in feeds:
            measured.append(_measure_error(feed, advance, top))
    sizes = {size for _, size, _ in measured}
    if len(sizes) > 1:
        raise ValueError(f"all corruptions must have as many images. Received: {min(sizes)} to {max(sizes)}")
    errors = np.reshape([error for error, _, _ in measured], (len(names), len(severities)))
    return CorruptionResult(
        model=feed.model.name,
        n=sizes.pop(),
        settings={
            "data": os.fspath(data) if stored else None,
            **options,
            "top": top,
            "batch_size": batch_size,
            **feed.settings,
        },
        versions=versions(),
        corruptions=names,
        severities=severities,
        errors=tuple(map(tuple, errors.tolist())),
        clean_error=clean_error,
        mean=float(np.mean(errors)),
        undefined=sum(undefined for _, _, undefined in measured),
    )


def _measure_error(feed: ModelFeed, advance: Callable[[int], None], top: int) -> tuple[float, int, int]:
    """Share of the images that are classified wrongly, how many there are, and how many are undefined."""
    count, counts = compile_logits(feed.model, None, count_correct), DeviceCounts()
    for images, labels, valid in feed:
        among = () if top == 1 else (np.int32(top),)
        counts.add("all", count(images, reduce_args=(labels, np.int32(valid), *among)))
        advance(valid)
    *correct, undefined = counts.fetch("all").tolist()
    return 1 - sum(correct) / feed.n, feed.n, undefined


def _corrupt_batches(
    clean: ModelFeed, name: str, severity: int, options: dict[str, Any]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    start = 0
    for images, labels, valid in clean:
        pixels = to_bytes(images[:valid])
        if clean.data_format == "channels_first":
            pixels = np.moveaxis(pixels, 1, -1)
        pixels = corrupt(pixels, name, severity, start=start, **options)
        if clean.data_format == "channels_first":
            pixels = np.moveaxis(pixels, -1, 1)
        yield pixels, labels[:valid]
        start += valid
