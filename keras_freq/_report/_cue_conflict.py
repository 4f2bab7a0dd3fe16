"""Section of a report: low frequencies of one class and high ones of another, in one image."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_freq import plots
from keras_freq._report._cells import Cell, number, share
from keras_freq._report._drawn import Parts, render, several
from keras_freq._report._finding import MATTERS, Compared, Finding, answer, at_share, show
from keras_freq._report._look import Look, Section
from keras_freq._report._statistics import ratio_interval, share_interval
from keras_freq.evaluate import cue_conflict

if TYPE_CHECKING:
    from keras_freq._report._record import LookedAt, Report

# Above it the decisions for the low part are more than those for the high one by what matters.
_LIMIT = 0.5 + MATTERS / 2


def _measure(look: Look) -> dict[str, Any]:
    found = cue_conflict(look.model, look.data, radii=look.radii, seed=look.seed, progress=look.progress)
    return {"cue_conflict": found}


def _one_class(look: Look) -> str | None:
    return "needs images of two classes" if len(np.unique(look.labels)) < 2 else None


SECTION = Section(
    "Low against high frequencies",
    _measure,
    lambda look: (1 + len(look.radii)) * look.n,
    _one_class,
    deep=True,
)


def name_numbers(radii: tuple[float, ...]) -> tuple[str, ...]:
    """Names of what `read_numbers` returns: shares for the low part's class, and the radius of balance."""
    return (*(f"conflict_low_{radius:g}" for radius in radii), "conflict_balance")


def read_numbers(found: Any) -> dict[str, float]:
    """The headline numbers of the result."""
    return dict(zip(name_numbers(found.radii), (*found.low_bias, found.balance), strict=True))


def compare(one: Any, two: Any) -> Iterator[Compared]:
    """Intervals of the differences of the shares; the images are put together alike."""
    for index, name in enumerate(name_numbers(one.radii)[:-1]):
        seen = []
        for pairs in (one.pairs, two.pairs):
            low = pairs.predictions[index] == pairs.low_labels
            seen += [low, low | (pairs.predictions[index] == pairs.high_labels)]
        yield name, ratio_interval(*seen), one.n


def find(found: Any) -> Finding:
    """Whether the low frequencies decide where the two parts disagree."""
    rule = (
        f"Yes where the whole interval of the share for the low part, among decisions for either, lies above "
        f"{_LIMIT:g}, no where it lies below."
    )
    index = at_share(found.radii, 4 / 8)
    radius, low, high = found.radii[index], found.low[index], found.high[index]
    decided = round((low + high) * found.n)
    title = "Low against high frequencies: not enough images to tell"
    text = (
        f"Of {found.n} images with the lowest {radius:g} rings of one class and all others of another, "
        f"{low:.2f} are seen as the class of the low frequencies, {high:.2f} as that of the high ones and "
        f"{found.neither[index]:.2f} as neither"
    )
    if not decided:
        text += ": nothing can be told of the two."
        return answer("cue_conflict", "unclear", title, text, None, None, rule)
    bias = found.low_bias[index]
    below, above = interval = share_interval(low * found.n, decided)
    verdict = "yes" if below > _LIMIT else "no" if above < _LIMIT else "unclear"
    titles = {
        "yes": "Low frequencies decide where the two disagree",
        "no": "Low frequencies do not decide where the two disagree",
        "unclear": title,
    }
    text += f". Of the decisions for one of the two {bias:.2f} are for the low part ({show(interval)})."
    if math.isnan(found.balance):
        text += " At no radius that was looked at do the two come to count alike."
    else:
        text += f" Both count alike where they meet at the radius {found.balance:.3g}"
        text += f" ({show(found.intervals['balance'][0])})." if found.intervals else "."
    return answer("cue_conflict", verdict, titles[verdict], text, bias, interval, rule)


def draw(report: Report, known: list[LookedAt]) -> Iterator[Parts]:
    """The decisions over the radius."""
    caption = (
        "What the model sees in images whose frequencies below the radius are of one class and the others of "
        "another. Bands are 95 % intervals; the dotted line is where both classes are named equally often."
    )
    yield render("cue_conflict", caption, plots.cue_conflict(several(known, "cue_conflict")))


def tabulate(report: Report, known: list[LookedAt]) -> tuple[Any, str, Iterator[tuple[Cell, ...]]]:
    """One row for each model and radius."""

    def rows():
        for model in known:
            found = model.results["cue_conflict"]["cue_conflict"]
            for radius, low, high, neither in zip(
                found.radii, found.low, found.high, found.neither, strict=True
            ):
                decided = round((low + high) * found.n)
                bias = share(low * found.n, decided) if decided else number(None)
                parts = map(number, (low, high, neither))
                yield Cell(model.name), Cell(f"{radius:g}", radius), *parts, bias

    head = ("model", "radius", "low part's class", "high part's class", "neither")
    caption = "What is seen in images with the low frequencies of one class and the high ones of another"
    return (*head, "low part, of those for either (95 % interval)"), caption, rows()
