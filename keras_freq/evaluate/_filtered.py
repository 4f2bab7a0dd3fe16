"""Any metric of any model on parts of the images' spectra."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_freq._core.any_model import as_any_model
from keras_freq._core.checks import check_choice, check_radius, show
from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import compile_function, to_tensor
from keras_freq._core.devices import split_batch
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq._core.sweep import run_steps
from keras_freq._core.target_feed import TargetFeed
from keras_freq.evaluate._band_accuracy import check_radii, check_rescale, filter_images
from keras_freq.evaluate._predictions import DeviceCounts
from keras_freq.evaluate._running_metric import RunningMetric, check_metrics
from keras_freq.spectral._grid import UNITS, Units
from keras_freq.spectral._masks import KINDS, Kind, band_mask, check_mask, low_pass_mask
from keras_freq.spectral._rescale import Rescale

# Filter and its place: `("low", 0)`.
Condition = tuple[str, int]
CLEAN: Condition = ("clean", 0)


@dataclass(frozen=True, kw_only=True)
class FilteredResult(Result):
    """What metrics say of filtered images, by filter.

    Attributes:
        radii: Cut-off radii of `low` and `high`, in `units`.
        bands: Inner and outer radius of each band.
        masks: Names of the masks.
        clean: Each metric's number on the images as they are.
        low: By metric, its numbers on the low-passed images, one for each radius.
        high: The same on the high-passed images.
        band: The same on the images of which a band is left, one for each band.
        masked: The same on the images under a mask, one for each mask.
        undefined: Images, filtered or not, for which the model returns a NaN.

    Example:
        >>> result = keras_freq.evaluate.filtered(
        ...     model, data, metric=keras.metrics.SparseCategoricalAccuracy, radii=(4, 100)
        ... )
        >>> name = "sparse_categorical_accuracy"
        >>> result.low[name][1] == result.clean[name]
        True
    """

    radii: tuple[float, ...]
    bands: tuple[tuple[float, float], ...]
    masks: tuple[str, ...]
    clean: dict[str, float]
    low: dict[str, tuple[float, ...]]
    high: dict[str, tuple[float, ...]]
    band: dict[str, tuple[float, ...]]
    masked: dict[str, tuple[float, ...]]
    undefined: int = 0

    @property
    def units(self) -> Units:
        """`"index"` or `"cycles_per_pixel"`, of the radii and bands."""
        return self.settings.get("units", "index")

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the numbers."""
        return tuple(self.clean)

    def rows(self) -> list[dict[str, Any]]:
        """One row for each metric and filter, the images as they are first."""
        rows = []
        for name, value in self.clean.items():
            named: list[tuple[str, Any, float]] = [("clean", "", value)]
            for kind, places, found in (
                ("low", self.radii, self.low),
                ("high", self.radii, self.high),
                ("band", [f"{low:g} to {high:g}" for low, high in self.bands], self.band),
                ("mask", self.masks, self.masked),
            ):
                named += [(kind, place, one) for place, one in zip(places, found[name], strict=True)]
            rows += [
                {"model": self.model, "metric": name, "filter": kind, "at": at, "value": one, "n": self.n}
                for kind, at, one in named
            ]
        return rows

    def _headline(self) -> dict[str, Any]:
        lines: dict[str, Any] = {f"clean {name}": value for name, value in self.clean.items()}
        edges = [f"{low:g} to {high:g}" for low, high in self.bands]
        for name in self.clean:
            for kind, places, found in (
                ("low-passed by radius", self.radii, self.low),
                ("high-passed by radius", self.radii, self.high),
                ("by band", edges, self.band),
                ("by mask", self.masks, self.masked),
            ):
                if places:
                    lines[f"{name}, {kind}"] = dict(zip(places, found[name], strict=True))
        return lines


def filtered(
    model: keras.Model | Classifier,
    data: Any,
    *,
    metric: Any,
    radii: Sequence[float] | None = (4, 8, 12, 16),
    bands: Sequence[tuple[float, float]] | None = None,
    masks: Any = None,
    units: Units = "index",
    kind: Kind = "ideal",
    rescale: Rescale = "none",
    mean: float | Sequence[float] | None = 0.0,
    postprocess: Callable | None = None,
    value_range: Sequence[float] | None = None,
    preprocess: Callable | None = None,
    batch_size: int | None = None,
    data_format: str | None = None,
    progress: bool | None = False,
) -> FilteredResult:
    """Any Keras metric of any Keras model on low-passed, high-passed, band-passed and masked images.

    `metric(targets, model(IDFT(m * DFT(x))))` for every mask `m`, and for the images as they are. For models
    that are no classifiers: regression, segmentation, detection, several labels per image. The targets are
    those of the whole images, whatever is filtered out of them.

    Args:
        model: Keras model with images `(batch, ...)` as its one input; what it returns may have any
            structure of arrays whose first axis is the batch. It runs in inference mode. Of a `Classifier`
            what was declared of the images counts, and which output is meant; outputs reach the metric as
            the model returns them, not as logits.
        data: Arrays `(images, targets)` or `(images, targets, weights)`, a `tf.data.Dataset`, a
            `keras.utils.PyDataset`, or an iterable of such batches. Targets are arrays, or dictionaries and
            tuples of arrays. Weights go to the metric as its `sample_weight`, as those of Keras'
            `weighted_metrics`.
        metric: One of these, or a list or dictionary of them by name:
            a Keras metric, which is reset before every filter, so that the data are read once for each;
            its class, or a function without arguments that makes one, for which the data are read once;
            a function of targets and outputs, tensors of a batch, that returns `(batch, ...)`, of which the
            mean is taken; a pair `(key, metric)`, which sees that part of targets and outputs alone.
        radii: Cut-off radii, at least 0, in `units`; `None` for none.
        bands: Pairs of an inner radius, included, and an outer one, excluded, which may be infinite.
        masks: A dictionary of gains `(height, width)` by name, or an array `(masks, height, width)`; each
            Hermitian, DC at `(height // 2, width // 2)`.
        units: `"index"` counts bins from DC; `"cycles_per_pixel"` divides each axis by its side first.
        kind: `"ideal"`, `"gaussian"`, `"butterworth"` (order 2) or `"square"`, of radii and bands.
        rescale: What `keras_freq.spectral.rescale` does to the filtered images: `"none"`, `"clip"`, `"max"`,
            `"minmax"` or `"uint8_wrap"`.
        mean: What a removed DC leaves behind, on [0, 1], one number or one for each channel: it is
            subtracted before every mask and added after it. `None`: the mean of the model's first
            `Normalization`, else 0.
        postprocess: Function of what the model returns for the real images of a batch, tensors, that makes
            what the metric takes: decoded boxes, say.
        value_range: Lowest and highest pixel value that the model takes, as of `keras_freq.Classifier`.
        preprocess: Function or Keras layer from pixels on [0, 1] to the model's input, as there.
        batch_size: Images per batch where `data` are arrays, default 128.
        data_format: `"channels_last"` or `"channels_first"`; default that of the model.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        A `FilteredResult`. A metric that returns several numbers has one entry for each: `name.key` of a
        dictionary, `name[0]` of an array.

    Raises:
        ValueError: If a radius is negative, a mask does not fit, the data are empty, images are not finite
            or out of range, or a function does not return one value for each image.
        TypeError: If `metric` is none of those above.

    Source: Wang et al., "High-Frequency Component Helps Explain the Generalization of Convolutional Neural
        Networks", CVPR 2020, section 7, which asks the question of object detection.
        Differs from the original: any model and metric; filtered images are not rescaled unless asked.

    Example:
        >>> def error(targets, outputs):
        ...     return keras.ops.abs(keras.ops.cast(targets, "float32") - outputs[:, 0])
        >>> result = keras_freq.evaluate.filtered(model, data, metric=error, radii=(4, 8), bands=[(4, 8)])
        >>> list(result.clean), len(result.low["error"]), len(result.band["error"])
        (['error'], 2, 1)
    """
    metrics = check_metrics(metric)
    radii = () if radii is None or (np.iterable(radii) and not len(radii)) else check_radii(radii)
    bands = check_bands(bands)
    check_choice(units, "units", UNITS)
    check_choice(kind, "kind", KINDS)
    check_rescale(rescale)
    if postprocess is not None and not callable(postprocess):
        raise TypeError(f"`postprocess` must be a function. Received: postprocess={show(postprocess)}")
    declared = as_any_model(model, value_range=value_range, preprocess=preprocess)
    feed = TargetFeed(declared, data, batch_size=batch_size, data_format=data_format)
    fill = feed.model.fill_of_dc(mean, feed.channels)
    names, own_masks = _name_masks(masks, feed.size)
    conditions: dict[Condition, Any] = {CLEAN: None}
    for place, radius in enumerate(radii):
        mask = low_pass_mask(*feed.size, radius, kind=kind, units=units)
        conditions |= {("low", place): to_tensor(mask), ("high", place): to_tensor(1 - mask)}
    for place, edges in enumerate(bands):
        conditions["band", place] = to_tensor(band_mask(*feed.size, *edges, kind=kind, units=units))
    for place, mask in enumerate(own_masks):
        conditions["masked", place] = to_tensor(mask)
    found, n, undefined = _run(feed, metrics, conditions, fill, rescale, postprocess, progress)

    def by_metric(part: str, count: int) -> dict[str, tuple[float, ...]]:
        return {name: tuple(found[part, place][name] for place in range(count)) for name in found[CLEAN]}

    return FilteredResult(
        model=feed.model.name,
        n=n,
        settings={
            "units": units,
            "kind": kind,
            "rescale": rescale,
            "mean": tuple(fill.tolist()),
            "postprocess": None if postprocess is None else getattr(postprocess, "__name__", "given"),
            "batch_size": batch_size,
            **feed.settings,
        },
        versions=versions(),
        radii=radii,
        bands=bands,
        masks=names,
        clean=found[CLEAN],
        low=by_metric("low", len(radii)),
        high=by_metric("high", len(radii)),
        band=by_metric("band", len(bands)),
        masked=by_metric("masked", len(names)),
        undefined=undefined,
    )


def _run(
    feed: TargetFeed,
    metrics: list[RunningMetric],
    conditions: dict[Condition, Any],
    fill: np.ndarray,
    rescale: Rescale,
    postprocess: Callable | None,
    progress: bool | None,
) -> tuple[dict[Condition, dict[str, float]], int, int]:
    """The numbers of each condition, how many images there are, and how many outputs are undefined."""
    predict = {True: _compile(feed, None), False: _compile(feed, filter_images(rescale, feed.data_format))}
    center = to_tensor(feed.broadcast_channels(fill))
    found: dict[Condition, dict[str, float]] = {}
    undefined, counts = DeviceCounts(), set[int]()
    # Of an instance there is one alone: a pass over the data for each condition.
    alone = any(one.own for one in metrics)
    passes = [[condition] for condition in conditions] if alone else [list(conditions)]

    def see(load: Callable, condition: Condition, valid: int) -> tuple:
        """What the model returns for the real images of a batch, and how many of them are undefined."""
        images, mask = load(), conditions[condition]
        outputs, broken = predict[mask is None](images, () if mask is None else (mask, center))
        return _keep_real(outputs, len(images), valid), ops.sum(ops.cast(broken[:valid], "int32"))

    def queue(part: list[Condition]) -> Iterator[tuple[tuple, Callable]]:
        for batch, targets, weights, valid in feed:
            load = cache(partial(_load, batch))
            targets, weights = _to_tensors(targets), _to_tensors(weights)
            for condition in part:
                yield (condition, targets, weights, valid), partial(see, load, condition, valid)

    with progress_bar(progress, "filtered images", "image pass") as advance:
        for part in passes:
            running = {condition: [one.begin() for one in metrics] for condition in part}
            count = 0
            # A metric need not be a sum: every process updates its own with all outputs, in their order.
            for (condition, targets, weights, valid), found_here in run_steps(
                queue(part), ahead=1, fetch=False
            ):
                outputs, broken = found_here
                outputs = keras.tree.map_structure(to_tensor, outputs)
                outputs = outputs if postprocess is None else postprocess(outputs)
                for one, state in zip(metrics, running[condition], strict=True):
                    one.update(state, targets, outputs, weights)
                undefined.add("all", broken)
                count += valid if condition == part[0] else 0
                advance(valid)
            counts.add(count)
            for condition, states in running.items():
                pairs = zip(metrics, states, strict=True)
                found[condition] = {
                    name: value for one, state in pairs for name, value in one.read(state).items()
                }
                for state in states:
                    state.reset_state()
    if len(counts) > 1:
        raise ValueError(
            "`data` must hold the same images at every pass over them. "
            f"Received: passes of {' and '.join(map(str, sorted(counts)))} images"
        )
    return found, counts.pop(), int(undefined.fetch("all"))


def _load(batch: np.ndarray) -> Any:
    return split_batch(to_tensor(batch))


def _compile(feed: TargetFeed, transform: Callable | None) -> Callable:
    """Function `(images, (mask, center))`: what the model returns, and which images have a NaN in it."""

    def build(forward, images, args):
        outputs, size = forward(images if transform is None else transform(images, *args)), images.shape[0]
        broken = ops.zeros(size, "bool")
        for part in keras.tree.flatten(outputs):
            if keras.backend.is_float_dtype(part.dtype) and tuple(part.shape[:1]) == (size,):
                rows = ops.reshape(ops.not_equal(part, part), (size, -1))
                broken = ops.logical_or(broken, ops.any(rows, axis=1))
        return outputs, broken

    return compile_function(feed.model, ("any outputs", transform), build)


def _keep_real(outputs: Any, size: int, valid: int) -> Any:
    def keep(part):
        if tuple(part.shape[:1]) != (size,):
            raise ValueError(
                "Everything that the model returns must have the batch as its first axis. "
                f"Received: an output of shape {tuple(part.shape)} for {size} images"
            )
        return part if valid == size else part[:valid]

    return keras.tree.map_structure(keep, outputs)


def _to_tensors(parts: Any) -> Any:
    """Numbers as tensors; texts and objects as they are."""

    def convert(part):
        return to_tensor(part) if getattr(part, "dtype", np.dtype(object)).kind in "biuf" else part

    return keras.tree.map_structure(convert, parts)


def check_bands(bands: Any) -> tuple[tuple[float, float], ...]:
    """Pairs of radii, the inner one first."""
    if bands is None:
        return ()
    try:
        pairs = [(low, high) for low, high in bands]
    except (TypeError, ValueError):
        raise ValueError(
            f"`bands` must be pairs of an inner and an outer radius. Received: bands={show(bands)}"
        ) from None
    edges = tuple((check_radius(low, "bands"), check_radius(high, "bands")) for low, high in pairs)
    for low, high in edges:
        if not low < high:
            raise ValueError(
                "`bands` must be pairs of an inner radius and a larger outer one. "
                f"Received: bands={show(bands)}"
            )
    return edges


def _name_masks(masks: Any, size: tuple[int, int]) -> tuple[tuple[str, ...], list[np.ndarray]]:
    if masks is None:
        return (), []
    if not isinstance(masks, Mapping):
        try:
            array = np.asarray(masks, "float32")
        except (TypeError, ValueError, OverflowError):
            array = np.zeros(())
        if array.ndim != 3:
            raise ValueError(
                "`masks` must be a dictionary of arrays (height, width), or an array (masks, height, width). "
                f"Received: masks={show(masks)}"
            )
        masks = dict(enumerate(array))
    return tuple(map(str, masks)), [check_mask(np.asarray(mask), *size) for mask in masks.values()]
