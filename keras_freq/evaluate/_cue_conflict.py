"""Whether a model decides by the low or by the high frequencies of images whose two parts disagree."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_freq._core.checks import check_choice, check_interval, check_whole
from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import compile_logits, to_tensor
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Record, Result, versions
from keras_freq.evaluate._band_accuracy import check_radii
from keras_freq.evaluate._image_pairs import Chosen, pair_across_classes, predict_all
from keras_freq.evaluate._predictions import count_undefined
from keras_freq.spectral import apply_mask
from keras_freq.spectral._grid import UNITS, Units
from keras_freq.spectral._masks import KINDS, Kind, low_pass_mask

SHARES = ("low", "high", "neither", "low_bias")


@dataclass(frozen=True, kw_only=True)
class ConflictPairs(Record):
    """The pairs of a cue conflict, one after the other.

    Attributes:
        low_labels: Labels of the images whose low frequencies are seen, `(n,)`.
        high_labels: Labels of those whose high frequencies are seen, `(n,)`.
        partners: For each image the place, among the images, of the one that gives the high frequencies.
        predictions: Classes that the model sees, `(radii, n)`; -1 where an output is not finite.
        whole_predictions: Classes that it sees in the images as they are, `(n,)`.

    Example:
        >>> pairs = keras_freq.evaluate.cue_conflict(model, data, radii=(4, 8)).pairs
        >>> pairs.predictions.shape, bool((pairs.low_labels != pairs.high_labels).all())
        ((2, 8), True)
    """

    low_labels: np.ndarray
    high_labels: np.ndarray
    partners: np.ndarray
    predictions: np.ndarray
    whole_predictions: np.ndarray

    def _headline(self) -> dict[str, Any]:
        return {"pairs": len(self.low_labels), "radii": len(self.predictions)}


@dataclass(frozen=True, kw_only=True)
class CueConflictResult(Result):
    """For which of two classes a model decides, by the radius at which the images are put together.

    `low`, `high` and `neither` are shares of all pairs and add up to 1.

    Attributes:
        radii: Radii at which low and high frequencies meet, in `units`.
        low: Share of the decisions for the class of the low frequencies, one for each radius.
        high: Share for the class of the high frequencies.
        neither: Share for any other class.
        low_bias: `low / (low + high)`: of the decisions for one of the two classes, those for the low one;
            NaN where there is none.
        balance: Radius at which `low_bias` first reaches one half, on the line between the radii about it;
            NaN where it does at none, or is there at the smallest already.
        intervals: 95 % intervals of `low`, `high`, `neither` and `low_bias`, one for each radius, and one of
            `balance`: bootstrap over the pairs.
        clean: Accuracy on the images as they are.
        undefined: Undefined outputs, of whole images and of those put together, which are for neither.
        pairs: What the model sees in each pair. In `to_json` alone.

    Example:
        >>> result = keras_freq.evaluate.cue_conflict(model, data, radii=(0, 100), draws=20)
        >>> result.low[0] + result.high[0] + result.neither[0], result.high[0] == result.clean
        (1.0, True)
    """

    radii: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    neither: tuple[float, ...]
    low_bias: tuple[float, ...]
    balance: float
    intervals: dict[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    clean: float
    undefined: int = 0
    pairs: ConflictPairs | None = field(default=None, repr=False, compare=False, metadata={"export": False})

    @property
    def units(self) -> Units:
        """`"index"` or `"cycles_per_pixel"`, of the radii."""
        return self.settings.get("units", "index")

    def rows(self) -> list[dict[str, Any]]:
        """One row for each radius."""
        rows = []
        for place, radius in enumerate(self.radii):
            row: dict[str, Any] = {"model": self.model, "radius": radius}
            for name in SHARES:
                row[name] = getattr(self, name)[place]
                if self.intervals:
                    row[f"{name}_from"], row[f"{name}_to"] = self.intervals[name][place]
            rows.append({**row, "n": self.n})
        return rows

    def _headline(self) -> dict[str, Any]:
        head: dict[str, Any] = {"clean": self.clean, "balance": self.balance}
        for name in SHARES:
            head[f"{name} by radius"] = dict(zip(self.radii, getattr(self, name), strict=True))
        return head


def cue_conflict(
    model: keras.Model | Classifier,
    data: Any,
    *,
    radii: Sequence[float] = (4, 8, 12, 16),
    units: Units = "index",
    kind: Kind = "ideal",
    clip: tuple[float, float] | None = None,
    n: int | None = None,
    seed: int = 0,
    draws: int = 1000,
    batch_size: int | None = None,
    data_format: str | None = None,
    progress: bool | None = False,
) -> CueConflictResult:
    """Gives every image the high frequencies of one of another class, asks for which a model decides.

    `y = IDFT(m_r * DFT(low)) + IDFT((1 - m_r) * DFT(high))`, with `m_r = 1[d < r]` for `kind="ideal"`. A
    radius of 0 shows the second image alone, one beyond the corners the first one.

    Args:
        model: Keras classifier `(batch, ...) -> (batch, classes)`, logits or probabilities. It runs in
            inference mode.
        data: Arrays `(images, labels)`, a `tf.data.Dataset`, a `keras.utils.PyDataset`, or an iterable of
            batches, of two classes or more. They are held in memory. Each image gives its low frequencies
            once, and its high ones once, unless more than half of the data are of one class.
        radii: Radii at which the two parts meet, at least 0, in `units`. All have the same pairs.
        units: `"index"` counts bins from DC; `"cycles_per_pixel"` divides each axis by its side first.
        kind: `"ideal"`, `"gaussian"`, `"butterworth"` (order 2) or `"square"`.
        clip: `None` leaves the sums as they are, which may leave [0, 1] a little, or two bounds.
        n: Take the first `n` images of the data; `None` takes all.
        seed: Of the pairs and of the intervals' draws.
        draws: How often the pairs are drawn anew for the intervals; 0 for none.
        batch_size: Images per batch where `data` are arrays, default 128.
        data_format: `"channels_last"` or `"channels_first"`; default that of the model.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        A `CueConflictResult`.

    Raises:
        ValueError: If a radius is negative or there is none, the data are empty or of one class, images are
            not finite, or labels are not among the model's outputs.

    Source: Gavrikov, Lukasik, Jung, Geirhos, Mirza, Keuper and Keuper, "Can We Talk Models Into Seeing the
        World Differently?", ICLR 2025, where low and high frequencies of different classes are put together.
        Differs from the original: all radii that are asked for, pairs of the data at hand, the model's own
        classes, and the share of decisions for neither.

    Example:
        >>> result = keras_freq.evaluate.cue_conflict(model, data, radii=(4, 8), draws=20)
        >>> len(result.low), result.n, result.pairs.predictions.shape
        (2, 8, (2, 8))
    """
    radii = check_radii(radii)
    check_choice(units, "units", UNITS)
    check_choice(kind, "kind", KINDS)
    clip = None if clip is None else check_interval(clip, "clip")
    seed = check_whole(seed, "seed", least=0)
    draws = check_whole(draws, "draws", least=0)
    feed = ModelFeed(model, data, batch_size=batch_size, n=n, data_format=data_format)
    images, labels = feed.arrays()
    partners = pair_across_classes(labels, np.random.default_rng(seed))
    whole_logits = compile_logits(feed.model)
    logits = compile_logits(feed.model, _put_together(clip, feed.data_format))
    seen = []
    with progress_bar(progress, "cue conflict", "image pass") as advance:
        predict = functools.partial(predict_all, batch_size=feed.batch_size, advance=advance)
        whole = predict(whole_logits, images)
        for radius in radii:
            mask = to_tensor(low_pass_mask(*feed.size, radius, kind=kind, units=units))
            # The mask is an argument, so that one compiled step serves all radii.
            others = Chosen(images, partners)
            seen.append(predict(lambda x, y, mask=mask: logits(x, y, mask), images, others))
    pairs = ConflictPairs(
        low_labels=labels,
        high_labels=labels[partners],
        partners=partners,
        predictions=np.stack(seen),
        whole_predictions=whole,
    )
    return CueConflictResult(
        model=feed.model.name,
        n=len(images),
        settings={
            "units": units,
            "kind": kind,
            "clip": clip,
            "first_n": n,
            "seed": seed,
            "draws": draws,
            "batch_size": batch_size,
            **feed.settings,
        },
        versions=versions(),
        radii=radii,
        clean=float(np.mean(whole == labels)),
        undefined=count_undefined(whole) + count_undefined(pairs.predictions),
        pairs=pairs,
        **_summarize(pairs, radii, draws, seed),
    )


def _summarize(pairs: ConflictPairs, radii: tuple[float, ...], draws: int, seed: int) -> dict[str, Any]:
    """Shares, bias and balance, with intervals."""
    decided = np.stack([pairs.predictions == pairs.low_labels, pairs.predictions == pairs.high_labels])
    n = decided.shape[-1]

    def measure(counts: np.ndarray) -> dict[str, np.ndarray]:
        """Of numbers of decisions `(..., low and high, radii)`."""
        low, high = np.moveaxis(counts, -2, 0)
        with np.errstate(invalid="ignore"):
            bias = low / (low + high)
        shares = {"low": low / n, "high": high / n, "neither": (n - low - high) / n, "low_bias": bias}
        return shares | {"balance": find_balance(bias, radii)}

    found = measure(decided.sum(axis=-1).astype("float64"))
    intervals = {}
    if draws:
        generator, rows = np.random.default_rng([seed, 1]), decided.reshape(-1, n).astype("float64").T
        weights = (generator.multinomial(n, np.full(n, 1 / n)) for _ in range(draws))
        several = measure(np.stack([one @ rows for one in weights]).reshape(draws, 2, len(radii)))
        intervals = {name: _interval(values) for name, values in several.items()}
    return {
        **{name: tuple(found[name].tolist()) for name in SHARES},
        "balance": float(found["balance"]),
        "intervals": intervals,
    }


def find_balance(bias: np.ndarray, radii: Sequence[float]) -> np.ndarray:
    """Radius at which the bias `(..., radii)` first reaches one half from below; NaN where it does not."""
    order = np.argsort(radii, kind="stable")
    where, values = np.asarray(radii, "float64")[order], bias[..., order]
    reached = values >= 0.5  # no NaN is
    place = np.argmax(reached, axis=-1)
    after = np.take_along_axis(values, place[..., None], -1)[..., 0]
    before = np.take_along_axis(values, np.maximum(place - 1, 0)[..., None], -1)[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (0.5 - before) / (after - before)
        radius = where[np.maximum(place - 1, 0)] * (1 - share) + where[place] * share
    return np.where(reached.any(axis=-1) & (place > 0), radius, math.nan)


def _interval(values: np.ndarray) -> tuple[tuple[float, float], ...]:
    """From the 2.5th to the 97.5th percentile of the draws that are defined, for each radius."""
    pairs = []
    for column in values.reshape(len(values), -1).T:
        known = column[np.isfinite(column)]
        low, high = np.quantile(known, (0.025, 0.975)) if len(known) else (math.nan, math.nan)
        pairs.append((float(low), float(high)))
    return tuple(pairs)


@functools.lru_cache(maxsize=32)
def _put_together(clip: tuple[float, float] | None, data_format: str) -> Callable:
    """One function object for equal settings: what is compiled is kept by it."""

    def apply(low, high, mask):
        # The low frequencies of the difference, in place of one filter for each image.
        result = high + apply_mask(low - high, mask, data_format=data_format)
        return result if clip is None else ops.clip(result, *clip)

    return apply
