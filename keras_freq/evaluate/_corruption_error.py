"""Error under the common corruptions."""

from __future__ import annotations

import collections
import contextlib
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_freq._core.checks import check_choice, check_flag, check_readable_again, check_whole
from keras_freq._core.classifier import Classifier, as_classifier
from keras_freq._core.compiled import compile_logits
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.pixels import to_bytes
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq._core.sweep import run_steps
from keras_freq._core.workers import Workers
from keras_freq.data._corruptions.apply import check_corruptions, corrupt_to_bytes
from keras_freq.data._corruptions.catalog import CORRUPTIONS, SEVERITIES, choose_jpeg, choose_table
from keras_freq.data._corruptions.photographs import Photographs
from keras_freq.data._corruptions.read import open_stored
from keras_freq.evaluate._calibration_error import KINDS, calibration_error
from keras_freq.evaluate._predictions import DeviceCounts, KeptPredictions, count_and_choose, count_correct


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
        calibration: Calibration error as asked for, `(corruptions, severities)`, NaN where an output is
            undefined; None where it was not asked for.
        clean_calibration: The same of the clean images.
        adapted_errors: As `errors`, with batch normalization by the statistics of each batch; None where it
            was not asked for.
        adapted_clean_error: The same of the clean images.
        adapted_mean: Mean of `adapted_errors`.
        predictions: If asked for, the classes predicted, -1 where undefined: `"corrupted"`, `(corruptions,
            severities, n)`, and `"clean"`, `(n,)`, where there are clean images; with `adapt` also
            `"adapted"` and `"adapted clean"`. In `to_json` alone.

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
    calibration: tuple[tuple[float, ...], ...] | None = None
    clean_calibration: float | None = None
    adapted_errors: tuple[tuple[float, ...], ...] | None = None
    adapted_clean_error: float | None = None
    adapted_mean: float | None = None
    predictions: dict[str, np.ndarray] | None = field(
        default=None, repr=False, compare=False, metadata={"export": False}
    )

    def __float__(self) -> float:
        return self.mean

    @property
    def by_corruption(self) -> dict[str, float]:
        """Mean over the severities, by name."""
        rows = zip(self.corruptions, self.errors, strict=True)
        return {name: float(np.mean(row)) for name, row in rows}

    def rows(self) -> list[dict[str, Any]]:
        """One row for each corruption and severity, after one for the clean images."""
        cells = [("none", 0), *((name, s) for name in self.corruptions for s in self.severities)]
        errors = [self.clean_error, *itertools.chain(*self.errors)]
        rows: list[dict[str, Any]] = [
            {"model": self.model, "corruption": name, "severity": severity, "error": error, "n": self.n}
            for (name, severity), error in zip(cells, errors, strict=True)
        ]
        if self.calibration is not None:
            gaps = (self.clean_calibration, *itertools.chain(*self.calibration))
            rows = [{**row, "calibration error": gap} for row, gap in zip(rows, gaps, strict=True)]
        if self.adapted_errors is not None:
            adapted = (self.adapted_clean_error, *itertools.chain(*self.adapted_errors))
            rows = [{**row, "adapted error": error} for row, error in zip(rows, adapted, strict=True)]
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
    calibration: str | None = None,
    adapt: bool = False,
    jpeg: int | None = None,
    frost: str | os.PathLike | None = None,
    data_dir: str | os.PathLike | None = None,
    batch_size: int | None = None,
    keep_predictions: bool = False,
    workers: int = 0,
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
        corruptions: Names, by default the 15 of the benchmark; `keras_freq.data.CIFAR10_BAR_CORRUPTIONS` are
            those of CIFAR-10-C-bar, whose published figure is this mean too.
        severities: Some of 1 to 5.
        seed: Seed of the corruptions, see `keras_freq.data.corrupt`. Without effect on corrupted data.
        table: "small", "medium", "large" or "auto", see `keras_freq.data.corrupt`. Without effect on
            corrupted data.
        jpeg: Quality of the JPEG files that corrupted images go through, 0 for none; `None`: 85 for "medium"
            and "large", as published, see `keras_freq.data.corrupt`. Without effect on corrupted data.
        frost: Folder of photographs of ice for "frost", `None`: ice is generated, see
            `keras_freq.data.corrupt`; the settings of the result have the CRC-32 of its files. Without effect
            on corrupted data.
        top: An image counts as right where its class is among so many with the largest logits; 5 measures the
            top-5 error.
        calibration: Measure also how far confidence and accuracy lie apart, by corruption and severity:
            `"ece"`, `"rms"` or `"mce"`, see `calibration_error`, whose 15 bins are taken.
        adapt: Measure also, beside `errors` and not in their place, with the statistics of the batch at hand
            in every layer of batch normalization, in place of the moving ones: what a network that may look
            at many corrupted images at once would do. The numbers depend on the size of the batches, which
            should be 200 or more and stands in the settings, and on their mixed classes: shuffle data that
            are sorted. A last, shorter batch is filled up with
            images of the one before, which count once. Undefined outputs are wrong, and not in `undefined`.
        data_dir: Folder of TFDS.
        batch_size: Images per batch where `data` are arrays or a folder, default 128, with `adapt` 200.
        keep_predictions: Keep the class that is predicted for every image in the result.
        workers: Number of processes that corrupt the next batches while the device classifies one, which
            start within seconds; 0: this one does, in between. Without effect on the numbers, and on
            corrupted data.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        A `CorruptionResult`. Images whose outputs are NaN or infinite count as wrong.

    Raises:
        FileNotFoundError: If a file or set of corrupted images or the folder `frost` is missing; nothing has
            been measured then.
        ValueError: If a name, severity, table or quality is unknown, the data are empty or leave [0, 1],
            labels are not among the model's outputs, the sets of two corruptions differ in size, or
            the folder `frost` holds no image, or one that is broken or too small.
        RuntimeError: If a worker is gone.

    Source: Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
        Perturbations", ICLR 2019, section 4; for `adapt` Schneider et al., "Improving robustness against
        common corruptions by covariate shift adaptation", NeurIPS 2020.

    Example:
        >>> result = keras_freq.evaluate.corruption_error(model, data, corruptions=("contrast", "fog"))
        >>> np.shape(result.errors), result.severities
        ((2, 5), (1, 2, 3, 4, 5))
    """
    names, severities = check_corruptions(corruptions, severities, table=table)
    top = check_whole(top, "top")
    if calibration is not None:
        check_choice(calibration, "calibration", KINDS)
    check_flag(keep_predictions, "keep_predictions")
    check_flag(adapt, "adapt")
    pool = Workers(check_whole(workers, "workers", least=0))
    batch_size = 200 if adapt and batch_size is None else batch_size
    confident = calibration is not None
    measure = partial(
        _measure_error, top=top, calibration=calibration, predictions=keep_predictions, adapt=adapt
    )
    cells = [(name, severity) for name in names for severity in severities]
    stored = isinstance(data, (str, os.PathLike))
    choose_jpeg(jpeg, table, 1)
    photographs = Photographs.of(frost)
    options: dict[str, Any] = {"seed": None, "table": None, "jpeg": None, "frost": None}
    feeds = list[Callable[[], ModelFeed]]()
    with contextlib.closing(pool), progress_bar(progress, "corruptions") as advance:
        if stored:
            # All files are looked at before the first image is classified.
            opened = [open_stored(data, *cell, data_dir=data_dir, batch_size=batch_size) for cell in cells]
            feeds += [
                partial(ModelFeed, model, open_set(), batch_size=batch_size, needs_logits=confident)
                for open_set in opened
            ]
        else:
            check_readable_again(data, when="for every corruption")
            clean = ModelFeed(model, data, batch_size=batch_size, needs_logits=confident)
            side = min(clean.size)
            options = {
                "seed": seed,
                "table": choose_table(table, side),
                "jpeg": choose_jpeg(jpeg, table, side),
                "frost": None if photographs is None or "frost" not in names else photographs.checksum(),
            }
            feeds += [lambda: clean]
            feeds += [
                partial(_corrupt_feed, clean, name, severity, options | {"frost": frost}, pool)
                for name, severity in cells
            ]
        # A corruption at one severity is a step: of several processes each makes and measures its own.
        steps = ((None, lambda make=make: measure(make(), advance)) for make in feeds)
        measured = [cell for _, cell in run_steps(steps, ahead=1)]
    unseen = None if stored else measured.pop(0)
    sizes = {cell.n for cell in measured}
    if len(sizes) > 1:
        raise ValueError(f"all corruptions must have as many images. Received: {min(sizes)} to {max(sizes)}")
    shape = (len(names), len(severities))
    errors = np.reshape([cell.error for cell in measured], shape)
    gaps = np.reshape([cell.calibration for cell in measured], shape) if calibration else None
    adapted = np.reshape([cell.adapted for cell in measured], shape) if adapt else None
    predictions: dict[str, Any] | None = None
    if keep_predictions:
        predictions = {"corrupted": np.reshape([cell.predictions for cell in measured], (*shape, -1))}
        if adapt:
            kept = [cell.adapted_predictions for cell in measured]
            predictions["adapted"] = np.reshape(kept, (*shape, -1))
        if unseen is not None:
            predictions["clean"] = unseen.predictions
            if adapt:
                predictions["adapted clean"] = unseen.adapted_predictions
    return CorruptionResult(
        model=as_classifier(model).name,
        n=sizes.pop(),
        settings={
            "data": os.fspath(data) if stored else None,
            **options,
            "top": top,
            "calibration": calibration,
            "adapt": measured[-1].batch_size if adapt else None,
            "batch_size": batch_size,
            **dict(measured[-1].settings),
        },
        versions=versions(),
        corruptions=names,
        severities=severities,
        errors=tuple(map(tuple, errors.tolist())),
        clean_error=float("nan") if unseen is None else unseen.error,
        mean=float(np.mean(errors)),
        undefined=sum(cell.undefined for cell in measured),
        calibration=None if gaps is None else tuple(map(tuple, gaps.tolist())),
        clean_calibration=None if unseen is None else unseen.calibration,
        adapted_errors=None if adapted is None else tuple(map(tuple, adapted.tolist())),
        adapted_clean_error=None if unseen is None else unseen.adapted,
        adapted_mean=None if adapted is None else float(np.mean(adapted)),
        predictions=predictions,
    )


class _Cell(NamedTuple):
    """What is measured of one set of images."""

    error: float
    n: int
    undefined: int
    calibration: float | None
    predictions: np.ndarray | None
    adapted: float | None
    adapted_predictions: np.ndarray | None
    batch_size: int
    settings: tuple[tuple[str, Any], ...]


def _count_and_keep(logits: Any, labels: Any, valid: Any, top: Any = None) -> Any:
    return (*count_and_choose(logits, labels, valid, top), logits)


def _measure_error(
    feed: ModelFeed,
    advance: Callable[[int], None],
    *,
    top: int,
    calibration: str | None,
    predictions: bool,
    adapt: bool,
) -> _Cell:
    reduce = _count_and_keep if calibration else count_and_choose if predictions else count_correct
    run, counts, kept = (
        compile_logits(feed.model, None, reduce),
        DeviceCounts(),
        KeptPredictions(feed.classes),
    )
    among = () if top == 1 else (np.int32(top),)
    choose = count_and_choose if predictions else count_correct
    run_adapted = compile_logits(feed.model.normalized_by_batch, None, choose) if adapt else None
    logits: list[np.ndarray] = []
    before = None
    for images, labels, valid in feed:
        found = run(images, reduce_args=(labels, np.int32(valid), *among))
        if calibration or predictions:
            found, chosen, *rest = found
            kept.add("chosen", chosen, valid)
            logits.extend(keras.ops.convert_to_numpy(part)[:valid] for part in rest)
        counts.add("all", found)
        if run_adapted is not None:
            if valid < len(images) and before is not None:
                images = np.concatenate([images[:valid], before[valid:]])
            found = run_adapted(images, reduce_args=(labels, np.int32(valid), *among))
            if predictions:
                found, chosen = found
                kept.add("adapted", chosen, valid)
            counts.add("adapted", found)
            before = images
        advance(valid)
    *correct, undefined = counts.fetch("all").tolist()
    gap = None
    if calibration:
        outputs = np.concatenate(logits)
        whole = np.isfinite(outputs).all()
        gap = float(calibration_error(outputs, feed.labels, kind=calibration)) if whole else float("nan")
    adapted = 1 - sum(counts.fetch("adapted").tolist()[:-1]) / feed.n if adapt else None
    return _Cell(
        error=1 - sum(correct) / feed.n,
        n=feed.n,
        undefined=undefined,
        calibration=gap,
        predictions=kept.fetch("chosen") if predictions else None,
        adapted=adapted,
        adapted_predictions=kept.fetch("adapted") if predictions and adapt else None,
        batch_size=feed.batch_size,
        settings=tuple(feed.settings.items()),
    )


def _corrupt_feed(
    clean: ModelFeed, name: str, severity: int, options: dict[str, Any], pool: Workers
) -> ModelFeed:
    return ModelFeed(clean.model, _corrupt_batches(clean, name, severity, options, pool))


def _corrupt_batches(
    clean: ModelFeed, name: str, severity: int, options: dict[str, Any], pool: Workers
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    first, coming = clean.data_format == "channels_first", collections.deque[np.ndarray]()

    def jobs():
        start = 0
        for images, labels, valid in clean:
            pixels = to_bytes(images[:valid])
            coming.append(labels[:valid])
            yield np.moveaxis(pixels, 1, -1) if first else pixels, name, severity, start, options
            start += valid

    for pixels in pool.map(corrupt_to_bytes, jobs()):
        yield np.moveaxis(pixels, -1, 1) if first else pixels, coming.popleft()
