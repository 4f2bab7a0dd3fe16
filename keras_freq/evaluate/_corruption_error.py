"""Error under the common corruptions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_freq._core.checks import check_pixels
from keras_freq._core.compiled import compile_logits
from keras_freq._core.pixels import to_bytes
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq.data import iterate_batches
from keras_freq.data._corruptions.apply import check_corruptions, corrupt
from keras_freq.data._corruptions.catalog import CORRUPTIONS, SEVERITIES
from keras_freq.data._corruptions.read import open_stored
from keras_freq.evaluate._counting import Tally, count_correct, labelled_batches


@dataclass(frozen=True, kw_only=True)
class CorruptionResult(Result):
    """Error rates under corruptions; `float(result)` is their un-normalised mean.

    Attributes:
        corruptions: Names of the corruptions.
        severities: Severities, ascending.
        errors: Share of the `n` images classified wrongly, one row a corruption, one column a severity.
        clean_error: Share classified wrongly without corruption; NaN where the data hold corrupted images
            only.
        mean: Mean of `errors` over severities and corruptions: the corruption error of CIFAR-10-C.
    """

    corruptions: tuple[str, ...]
    severities: tuple[int, ...]
    errors: tuple[tuple[float, ...], ...]
    clean_error: float
    mean: float

    def __float__(self) -> float:
        return self.mean

    @property
    def by_corruption(self) -> dict[str, float]:
        """Mean over the severities, by name."""
        rows = zip(self.corruptions, self.errors, strict=True)
        return {name: float(np.mean(row)) for name, row in rows}

    def rows(self) -> list[dict[str, Any]]:
        """One row a corruption and severity, after one for the clean images."""
        start = {"model": self.model}
        rows = [{**start, "corruption": "none", "severity": 0, "error": self.clean_error, "n": self.n}]
        for name, errors in zip(self.corruptions, self.errors, strict=True):
            for severity, error in zip(self.severities, errors, strict=True):
                rows.append({**start, "corruption": name, "severity": severity, "error": error, "n": self.n})
        return rows


def corruption_error(
    model: keras.Model,
    data: Any,
    *,
    corruptions: Sequence[str] = CORRUPTIONS,
    severities: Sequence[int] = SEVERITIES,
    seed: int = 0,
    table: str = "auto",
    data_dir: str | os.PathLike | None = None,
    batch_size: int | None = None,
    progress: bool | None = None,
) -> CorruptionResult:
    """Share of corrupted images that the model classifies wrongly, by corruption and severity.

    `mean = mean over c, s of E[c, s]`, the figure that is published for CIFAR-10-C and CIFAR-100-C. For
    ImageNet-C see `mean_corruption_error`.

    Args:
        model: Keras classifier `(batch, ...) -> (batch, classes)`, logits or probabilities, pixels in [0, 1].
            It runs in inference mode.
        data: Clean images, which are corrupted here, batch by batch, after rounding to bytes: arrays
            `(images, labels)`, a `tf.data.Dataset`, a `keras.utils.PyDataset` or an iterable of batches that
            can be read again. Or corrupted ones: a folder in the layout of CIFAR-10-C, or
            `"cifar10_corrupted"` or `"imagenet2012_corrupted"` of TFDS, see `keras_freq.data.read_corrupted`.
        corruptions: Names, by default the 15 of the benchmark.
        severities: Some of 1 to 5.
        seed: Seed of the corruptions, see `keras_freq.data.corrupt`. Without effect on corrupted data.
        table: "small", "large" or "auto", see `keras_freq.data.corrupt`. Without effect on corrupted data.
        data_dir: Folder of TFDS.
        batch_size: Images a batch where `data` are arrays or a folder, default 128.
        progress: Show a progress bar; `None`: on a terminal where tqdm is installed.

    Returns:
        A `CorruptionResult`. Images whose outputs are NaN or infinite count as wrong.

    Raises:
        FileNotFoundError: If a file or set of corrupted images is missing; nothing has been measured then.
        ValueError: If a name, severity or table is unknown, the data are empty or leave [0, 1], labels are
            not among the model's outputs, or the sets of two corruptions differ in size.

    Source: Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
    Perturbations", ICLR 2019, section 4.

    Example:

    >>> result = keras_freq.evaluate.corruption_error(model, data.test, corruptions=("fog", "snow"))
    >>> result.clean_error, result.mean, result.by_corruption["fog"]
    (0.29, 0.41, 0.36)
    """
    stored = isinstance(data, (str, os.PathLike))
    names, severities = check_corruptions(corruptions, severities, table=table)
    cells = [(name, severity) for name in names for severity in severities]
    if stored:
        # All files are looked at before the first image is classified.
        options = {"data_dir": data_dir, "batch_size": batch_size}
        opened = {cell: open_stored(data, *cell, **options) for cell in cells}
        read = {cell: _plain(open_set, batch_size) for cell, open_set in opened.items()}
    else:
        if isinstance(data, Iterator):
            raise ValueError(
                "`data` are read once for every corruption: pass arrays, a data set or a list. "
                f"Received: {type(data).__name__}, which can be read once"
            )
        clean = _plain(lambda: data, batch_size)
        read = {None: clean} | {cell: _corrupted(clean, *cell, seed=seed, table=table) for cell in cells}

    count = compile_logits(model, None, count_correct)
    errors, sizes = {}, {}
    with progress_bar(progress, "corruptions") as advance:
        for cell, batches in read.items():
            tally = Tally()
            for images, labels, valid in labelled_batches(model, batches):
                tally.add(cell, count(images, reduce_args=(labels, np.int32(valid))))
                tally.seen(labels, valid)
                advance(valid)
            errors[cell] = 1 - float(tally.correct(cell).sum() / tally.n)
            sizes[cell] = tally.n
    if len(set(sizes.values())) > 1:
        raise ValueError(
            f"all corruptions must have as many images. Received: {min(sizes.values())} to "
            f"{max(sizes.values())}"
        )
    table_of_errors = tuple(tuple(errors[name, severity] for severity in severities) for name in names)
    return CorruptionResult(
        model=model.name,
        n=next(iter(sizes.values())),
        settings={
            "data": os.fspath(data) if stored else None,
            "seed": None if stored else seed,
            "table": None if stored else table,
            "batch_size": batch_size,
        },
        versions=versions(),
        corruptions=names,
        severities=severities,
        errors=table_of_errors,
        clean_error=errors.get(None, float("nan")),
        mean=float(np.mean(table_of_errors)),
    )


class _Batches:
    """Batches that are made when they are read."""

    def __init__(self, make: Callable[[], Iterator]):
        self._make = make

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return self._make()


def _plain(open_data: Callable[[], Any], batch_size: int | None) -> _Batches:
    def make():
        for images, labels, valid in iterate_batches(open_data(), batch_size):
            yield images[:valid], labels[:valid]

    return _Batches(make)


def _corrupted(clean: _Batches, name: str, severity: int, *, seed: int, table: str) -> _Batches:
    def make():
        start = 0
        for images, labels in clean:
            levels = to_bytes(check_pixels(images, unit=True))
            yield corrupt(levels, name, severity, seed=seed, start=start, table=table), labels
            start += len(images)

    return _Batches(make)
