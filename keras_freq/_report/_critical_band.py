"""Section of a report: the octaves of noise that hurt most."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_freq import plots
from keras_freq._report._cells import Cell, number, share
from keras_freq._report._drawn import Parts, render, several
from keras_freq._report._finding import Compared, Finding, answer, show
from keras_freq._report._look import Look, Section
from keras_freq._report._statistics import share_interval
from keras_freq.evaluate import critical_band

if TYPE_CHECKING:
    from keras_freq._report._record import LookedAt, Report

# The published lowest octave; others follow at half an octave.
_LOWEST = 1.75
_DEVIATIONS = (0.02, 0.04, 0.08, 0.16, 0.32)
# Octaves: half of one more than people's.
_WIDE = 1.5
_CHANNEL = ("center", "bandwidth", "peak")
NUMBERS = tuple(f"channel_{name}" for name in _CHANNEL)


def _centers(look: Look) -> tuple[float, ...]:
    side = min(look.size)
    steps = math.floor(2 * math.log2(side / 2 / _LOWEST) + 1e-9) if side >= 2 * _LOWEST else -1
    return tuple(round(_LOWEST * 2 ** (step / 2), 2) for step in range(steps + 1))


def _images(look: Look) -> int:
    return look.at_most(300, 1000)


def _measure(look: Look) -> dict[str, Any]:
    # In color and at full contrast: gray images of little contrast are strange to most networks.
    options: Any = {"centers": _centers(look), "deviations": _DEVIATIONS, "contrast": 1.0, "gray": False}
    options |= {"draws": 500, "seed": look.seed, "progress": look.progress}
    return {"critical_band": critical_band(look.model, look.first(_images(look)), **options)}


def _too_small(look: Look) -> str | None:
    return None if len(_centers(look)) >= 3 else "needs images of at least 7 pixels a side"


SECTION = Section(
    "Critical band",
    _measure,
    lambda look: (2 + len(_centers(look)) * len(_DEVIATIONS)) * _images(look),
    _too_small,
    deep=True,
)


def read_numbers(found: Any) -> dict[str, float]:
    """The headline numbers of the result."""
    return {name: getattr(found, part) for name, part in zip(NUMBERS, _CHANNEL, strict=True)}


def compare(one: Any, two: Any) -> Iterator[Compared]:
    """Intervals of the differences over the draws of the images, which are the same for both."""
    if one.drawn is None or two.drawn is None:  # of an older report
        return
    for name, part in zip(NUMBERS, _CHANNEL, strict=True):
        several = one.drawn[part] - two.drawn[part]
        several = several[np.isfinite(several)]
        if len(several):
            low, high = np.quantile(several, (0.025, 0.975))
            yield name, (float(low), float(high)), one.n


def find(found: Any) -> Finding:
    """Whether the channel is wider than people's."""
    criterion = found.settings["criterion"]
    rule = (
        f"Yes where the whole interval of the bandwidth lies above {_WIDE:g} octaves, half an octave more "
        "than people's one, no where it lies below. Unclear where the share that is right without noise is "
        f"not clearly above {criterion:g}, the share at the threshold."
    )
    right = share_interval(found.unmasked * found.n, found.n)
    title = "Critical band: not enough images to tell"
    if right[0] <= criterion or not math.isfinite(found.bandwidth):
        text = f"{found.unmasked:.2f} of {found.n} images are right without noise ({show(right)}). "
        if right[0] <= criterion:
            text += f"The noise that takes accuracy down to {criterion:g} tells nothing then."
            title = title if right[1] > criterion else "Critical band: too few images are right to tell"
        else:
            text += f"In no octave noise of {found.deviations[-1]:g} takes accuracy down to {criterion:g}."
            title = "Critical band: the noise that was tried does not mislead it"
        return answer("critical_band", "unclear", title, text, None, None, rule)
    low, high = interval = found.intervals["bandwidth"]
    first, last = found.centers[0], found.centers[-1]
    verdict = "yes" if low > _WIDE else "no" if high < _WIDE else "unclear"
    titles = {
        "yes": "Noise hurts in a wider band than it does people",
        "no": "Noise hurts in a band as narrow as people's",
        "unclear": title,
    }
    text = (
        f"The band in which noise hurts is {found.bandwidth:.1f} octaves wide ({show(interval)}), that of "
        f"people, seen with other images, about one. Its middle lies at {found.center:.3g} cycles an image "
        f"({show(found.intervals['center'])}), where noise of deviation {1 / found.peak:.3f} takes accuracy "
        f"from {found.unmasked:.2f} down to {criterion:g}. Measured with {found.n} images, under "
        f"noise around {len(found.centers)} centers from {first:g} to {last:g} cycles."
    )
    if not first <= found.center <= last:
        text += " The middle lies beyond them: it is extrapolated."
    return answer("critical_band", verdict, titles[verdict], text, found.bandwidth, interval, rule)


def draw(report: Report, known: list[LookedAt]) -> Iterator[Parts]:
    """Sensitivity over the octaves, with the channel."""
    caption = (
        "How sensitive the model is to noise of one octave, by the center of the octave: one more is half of "
        "the noise. Lines are the fitted channels; the dashed one is as wide as people's, about one octave."
    )
    yield render("critical_band", caption, plots.critical_band(several(known, "critical_band")))


def tabulate(report: Report, known: list[LookedAt]) -> tuple[Any, str, Iterator[tuple[Cell, ...]]]:
    """One row for each model: its channel, and the thresholds of the octaves."""

    def rows():
        for model in known:
            found = model.results["critical_band"]["critical_band"]
            channel = (_with_interval(found, name) for name in _CHANNEL)
            right = share(found.unmasked * found.n, found.n)
            yield Cell(model.name), right, *channel, *map(number, found.thresholds)

    centers = known[0].results["critical_band"]["critical_band"].centers
    channel = ("center, cycles an image", "bandwidth, octaves", "peak, 1 / threshold")
    thresholds = (f"threshold at {center:.3g}" for center in centers)
    head = ("model", "right without noise (95 % interval)", *channel, *thresholds)
    return head, "The channel, and the noise that takes accuracy down to one half in each octave", rows()


def _with_interval(found: Any, name: str) -> Cell:
    value, (low, high) = getattr(found, name), found.intervals[name]
    if not math.isfinite(value):
        return number(None)
    return Cell(f"{value:.2f} ({low:.2f} to {high:.2f})", value)
