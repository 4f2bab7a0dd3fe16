"""Critical-band masking: which octaves of noise a classifier is most sensitive to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_freq._core.checks import check_flag, check_number, check_numbers, check_whole
from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import compile_logits, to_tensor
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq._core.sweep import run_steps
from keras_freq.data._octave_noise import filter_noise, octave_masks
from keras_freq.evaluate._channel import FITTED, find_thresholds, fit_channel
from keras_freq.evaluate._predictions import KeptPredictions, choose_classes, count_undefined

# As published: 1.75 cycles per image, and doublings.
_LOWEST = 1.75
# Luma of red, green and blue (ITU-R BT.601).
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, kw_only=True)
class CriticalBandResult(Result):
    """Accuracy under noise of one octave, and the channel that follows from it.

    Attributes:
        centers: Centers of the octaves, cycles per image.
        deviations: Root mean squares of the noise, ascending, of pixels in [0, 1].
        accuracy: Accuracy under noise, `(centers, deviations)`.
        unmasked: Accuracy on the same images of low contrast without noise.
        clean: Accuracy on the images as they are.
        thresholds: For each center the noise at which accuracy falls to the criterion; NaN where it does at
            none of the deviations.
        center: Frequency of the highest sensitivity, cycles per image.
        bandwidth: Full width of the channel at half of its height, octaves. People: about 1.
        peak: Sensitivity at the center, one over the threshold.
        intervals: 95 % intervals of `center`, `bandwidth` and `peak`: bootstrap over the images.
        undefined: Outputs that are NaN or infinite; they count as wrong.
        drawn: `center`, `bandwidth` and `peak` of each draw of the images, `(draws,)`. The draws follow from
            `seed` and the number of images: those of two models on the same images belong together, and their
            differences are a paired bootstrap. In `to_json` alone.

    Example:
        >>> result = keras_freq.evaluate.critical_band(model, data, centers=(1.75, 3.5, 7), draws=20)
        >>> len(result.thresholds), len(result.accuracy[0])
        (3, 4)
    """

    centers: tuple[float, ...]
    deviations: tuple[float, ...]
    accuracy: tuple[tuple[float, ...], ...]
    unmasked: float
    clean: float
    thresholds: tuple[float, ...]
    center: float
    bandwidth: float
    peak: float
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    undefined: int = 0
    drawn: dict[str, np.ndarray] | None = field(
        default=None, repr=False, compare=False, metadata={"export": False}
    )

    @property
    def sensitivities(self) -> tuple[float, ...]:
        """For each center how many octaves of noise below the largest deviation its threshold lies."""
        most = self.deviations[-1]
        return tuple(0.0 if math.isnan(one) else math.log2(most / one) for one in self.thresholds)

    def rows(self) -> list[dict[str, Any]]:
        """One row for each center and deviation."""
        return [
            {
                "model": self.model,
                "center": center,
                "deviation": deviation,
                "accuracy": value,
                "threshold": threshold,
                "n": self.n,
            }
            for center, threshold, values in zip(self.centers, self.thresholds, self.accuracy, strict=True)
            for deviation, value in zip(self.deviations, values, strict=True)
        ]

    def _headline(self) -> dict[str, Any]:
        thresholds = dict(zip(self.centers, self.thresholds, strict=True))
        return {
            "unmasked": self.unmasked,
            "center": self.center,
            "bandwidth": self.bandwidth,
            "peak": self.peak,
            "threshold by center": thresholds,
        }


def critical_band(
    model: keras.Model | Classifier,
    data: Any,
    *,
    centers: Sequence[float] | None = None,
    deviations: Sequence[float] = (0.02, 0.04, 0.08, 0.16),
    contrast: float = 0.2,
    level: float = 0.449,
    gray: bool = True,
    criterion: float = 0.5,
    draws: int = 1000,
    seed: int = 0,
    batch_size: int | None = None,
    data_format: str | None = None,
    progress: bool | None = False,
) -> CriticalBandResult:
    """The band of frequencies in which noise hurts most: the channel by which the model sees.

    `x = clip(level + contrast * (g - mean(g)) + s * n_c, 0, 1)`, with `g` the gray image and `n_c` noise of
    the octave around `c` with root mean square 1 (`keras_freq.data.octave_noise`). For each octave the
    threshold is the `s` at which accuracy falls to the criterion, on lines between the measured points over
    `log2 s`. A Gaussian over `log2 c` is fitted to `log2(max s / threshold)`: its center, its full width at
    half height, and `2**height / max s`, the sensitivity at its center.

    Where noise of the smallest deviation already takes accuracy below the criterion, the threshold lies
    between half of it and it; where the largest does not, it is NaN and counts as no sensitivity. With
    accuracy at or below the criterion without noise there is no threshold, and everything fitted is NaN: take
    a higher `contrast`, colors (`gray=False`) or a lower `criterion`, and say so.

    Args:
        model: Keras classifier `(batch, ...) -> (batch, classes)`, logits or probabilities. It runs in
            inference mode.
        data: Arrays `(images, labels)`, a `tf.data.Dataset`, a `keras.utils.PyDataset`, or an iterable of
            batches.
        centers: Centers of the octaves, cycles per image (along the shorter side), three or more, ascending.
            `None`: 1.75, 3.5, 7, ... as far as the images go: seven for 224 pixels, four for 32.
        deviations: Root mean squares of the noise, ascending, of pixels in [0, 1].
        contrast: The images' contrast is multiplied by it, above 0 and at most 1.
        level: Mean of every image, from 0 to 1.
        gray: Whether images become gray; of three channels those are red, green and blue.
        criterion: Accuracy at the threshold.
        draws: How often the images are drawn anew for the intervals; 0 for none.
        seed: Of noise and draws. Each image has its own noise, whatever the batches.
        batch_size: Images per batch where `data` are arrays, default 128.
        data_format: `"channels_last"` or `"channels_first"`; default that of the model.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        A `CriticalBandResult`.

    Raises:
        ValueError: If an argument is out of range, an octave holds no frequency, the data are empty, images
            are not finite, or labels are not among the model's outputs.

    Source: Subramanian, Sizikova, Majaj and Pelli, "Spatial-frequency channels, shape bias, and adversarial
        robustness", NeurIPS 2023.
        Differs from the original: thresholds between the measured deviations, where the published ones are
        the number of deviations that take accuracy below one half; every image under every noise, in place of
        one draw; octaves with sharp edges and equal power; the model's own classes in place of sixteen groups
        of ImageNet's; what leaves [0, 1] is clipped. The published sensitivity at the peak is .01 of `peak`.

    Example:
        >>> result = kf.evaluate.critical_band(model, data, centers=(2, 4, 8), criterion=0.3, draws=20)
        >>> result.centers, result.n
        ((2.0, 4.0, 8.0), 8)
    """
    deviations = _check_ascending(deviations, "deviations", 1)
    contrast = check_number(contrast, "contrast", above=0, most=1)
    level = check_number(level, "level", least=0, most=1)
    check_flag(gray, "gray")
    criterion = check_number(criterion, "criterion", above=0, below=1)
    draws = check_whole(draws, "draws", least=0)
    seed = check_whole(seed, "seed", least=0)
    given = None if centers is None else _check_ascending(centers, "centers", 3)
    feed = ModelFeed(model, data, batch_size=batch_size, data_format=data_format)
    if gray and feed.channels not in (1, 3):
        raise ValueError(
            f"`gray=True` takes images of 1 or 3 channels. Received: gray=True, {feed.channels} channels"
        )
    found = given or _published_centers(min(feed.size))
    masks = octave_masks(*feed.size, found)
    weights = np.full(1, 1.0) if feed.channels == 1 else np.array(_LUMA)
    predict = compile_logits(feed.model, None, choose_classes)
    predict_masked = compile_logits(feed.model, _mask(gray, feed.data_format), choose_classes)
    fixed = tuple(to_tensor(np.float32(value)) for value in (contrast, level))
    mixing = to_tensor(feed.broadcast_channels(weights).astype("float32") if gray else np.float32(1))
    kept = KeptPredictions(feed.classes)
    keys = [(place, step) for place in range(len(found)) for step in range(len(deviations))]
    axis, still = -1 if feed.data_format == "channels_last" else 1, to_tensor(np.float32(0))

    def measure(batch: np.ndarray, first: int) -> list:
        """Classes for the images of a batch as they are, without noise, and with each noise."""
        noise, images = _draw_noise(masks, len(batch), first, seed), to_tensor(batch)
        parts = [to_tensor(np.expand_dims(noise[:, place], axis)) for place in range(len(found))]
        seen = [predict(images), predict_masked(images, parts[0], still, *fixed, mixing)]
        for place, step in keys:
            strength = to_tensor(np.float32(deviations[step]))
            seen.append(predict_masked(images, parts[place], strength, *fixed, mixing))
        return seen

    def queue() -> Iterator[tuple[int, Callable]]:
        first = 0
        for images, _, valid in feed:
            yield valid, partial(measure, images, first)
            first += valid

    with progress_bar(progress, "critical band", "image pass") as advance:
        for valid, seen in run_steps(queue(), ahead=1):
            for key, chosen in zip(("clean", "unmasked", *keys), seen, strict=True):
                kept.add(key, chosen, valid)
                advance(valid)
    truth = feed.labels
    clean, unmasked = kept.fetch("clean"), kept.fetch("unmasked")
    masked = np.stack([kept.fetch(key) for key in keys])
    right = np.concatenate([(unmasked == truth)[None], masked == truth])  # (1 + conditions, n)
    return CriticalBandResult(
        model=feed.model.name,
        n=feed.n,
        settings={
            "contrast": contrast,
            "level": level,
            "gray": gray,
            "criterion": criterion,
            "draws": draws,
            "seed": seed,
            "batch_size": batch_size,
            **feed.settings,
        },
        versions=versions(),
        centers=found,
        deviations=deviations,
        clean=float(np.mean(clean == truth)),
        undefined=sum(map(count_undefined, (clean, unmasked, masked))),
        **_summarize(right, found, deviations, criterion, draws, seed),
    )


def _summarize(
    right: np.ndarray,
    centers: tuple[float, ...],
    deviations: tuple[float, ...],
    criterion: float,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """Accuracies, thresholds and channel, with intervals."""

    def measure(means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        accuracy = means[..., 1:].reshape(*means.shape[:-1], len(centers), len(deviations))
        return accuracy, find_thresholds(accuracy, means[..., 0], deviations, criterion)

    accuracy, thresholds = measure(right.mean(axis=1))
    channel = fit_channel(thresholds[None], centers, deviations)
    intervals, several = {}, None
    if draws:
        generator, n = np.random.default_rng([seed, 1]), right.shape[1]
        counts = generator.multinomial(n, np.full(n, 1 / n), size=draws)
        several = fit_channel(measure(counts @ right.T / n)[1], centers, deviations)
        for name in FITTED:
            values = several[name][np.isfinite(several[name])]
            low, high = np.quantile(values, (0.025, 0.975)) if len(values) else (math.nan, math.nan)
            intervals[name] = (float(low), float(high))
    return {
        "accuracy": tuple(map(tuple, accuracy.tolist())),
        "unmasked": float(right[0].mean()),
        "thresholds": tuple(thresholds.tolist()),
        "intervals": intervals,
        "drawn": several,
        **{name: float(channel[name][0]) for name in FITTED},
    }


def _check_ascending(values: Sequence[float], name: str, least: int) -> tuple[float, ...]:
    numbers = check_numbers(values, name, above=0)
    if len(numbers) < least or list(numbers) != sorted(set(numbers)):
        raise ValueError(
            f"`{name}` must be at least {least} different numbers, ascending. Received: {name}={numbers}"
        )
    return numbers


def _published_centers(side: int) -> tuple[float, ...]:
    """1.75 cycles per image and doublings, as long as an octave lies inside the axes for the most part."""
    count = 1 + math.floor(math.log2(side / 2 / _LOWEST)) if side >= 2 * _LOWEST else 0
    if count < 3:
        raise ValueError(
            f"`centers` must be given for images of so few pixels. Received: centers=None, {side} pixels"
        )
    return tuple(_LOWEST * 2**k for k in range(count))


def _draw_noise(masks: np.ndarray, count: int, first: int, seed: int) -> np.ndarray:
    """Noise of each octave for the images of a batch, each from the seed and its place in the data."""
    size = masks.shape[1:]
    white = [
        np.random.default_rng([seed, 0, first + k]).standard_normal(size, dtype="float32")
        for k in range(count)
    ]
    return filter_noise(np.stack(white), masks)


@cache
def _mask(gray: bool, data_format: str) -> Callable:
    """One function object for equal settings: what is compiled is kept by it."""
    channel = -1 if data_format == "channels_last" else 1

    def apply(images, noise, strength, contrast, level, weights):
        if gray:
            mixed = ops.sum(images * weights, axis=channel, keepdims=True)
            mixed = mixed + ops.zeros_like(images)  # as many channels as the model takes
        else:
            mixed = images
        center = ops.mean(mixed, axis=(1, 2, 3), keepdims=True)
        return ops.clip(level + contrast * (mixed - center) + strength * noise, 0.0, 1.0)

    return apply
