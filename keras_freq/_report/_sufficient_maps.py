"""Section of a report: the few frequencies under which the model keeps its answer to an image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_freq import plots
from keras_freq._report._cells import Cell, share
from keras_freq._report._drawn import Parts, render, several, short_name
from keras_freq._report._finding import Compared, Finding, answer, nearest, show
from keras_freq._report._look import SHARE, Look, Section
from keras_freq._report._statistics import paired_interval, share_interval
from keras_freq.shortcuts import sufficient_maps
from keras_freq.spectral import apply_mask

if TYPE_CHECKING:
    from keras_freq._report._record import LookedAt, Report

_FRACTIONS = (0.5, 0.3, 0.2, 0.1, SHARE, 0.02, 0.01)
_STEPS = 20
# Of the images.
_MOST = 0.5
NUMBERS = ("sufficient_share", f"kept_{SHARE * 100:g}", f"kept_{SHARE * 100:g}_by_power")


def _images(look: Look) -> int:
    return look.at_most(32, 200)


def _measure(look: Look) -> dict[str, Any]:
    images, _ = look.first(_images(look))
    options: Any = {"fractions": _FRACTIONS, "steps": _STEPS, "progress": look.progress}
    return {"sufficient_maps": sufficient_maps(look.model, images, **options)}


SECTION = Section(
    "Frequencies that are enough",
    _measure,
    lambda look: len(_FRACTIONS) * (3 * _STEPS + 2) * _images(look),
    deep=True,
)


def _both(found: Any) -> tuple[Any, Any]:
    return found.kept, found.kept_by_power


def _kept(found: Any) -> tuple[float, float]:
    """Images that keep their answer under the share of the rule, learned and by power."""
    index = nearest(found.fractions, SHARE)
    learned, by_power = (float(np.mean([one[index] for one in kept])) for kept in _both(found))
    return learned, by_power


def read_numbers(found: Any) -> dict[str, float]:
    """The headline numbers of the result."""
    return dict(zip(NUMBERS, (float(np.median(found.share)), *_kept(found)), strict=True))


def compare(one: Any, two: Any) -> Iterator[Compared]:
    """Intervals of the differences of the shares of images that keep their answer."""
    index = nearest(one.fractions, SHARE)
    for name, first, second in zip(NUMBERS[1:], _both(one), _both(two), strict=True):
        kept = ([image[index] for image in images] for images in (first, second))
        yield name, paired_interval(*map(np.array, kept)), one.n


def find(found: Any) -> Finding:
    """Whether few frequencies are enough for most answers."""
    rule = f"Yes where the whole interval lies above {_MOST:g} of the images, no where it lies below."
    learned, by_power = _kept(found)
    low, high = interval = share_interval(learned * found.n, found.n)
    verdict = "yes" if low > _MOST else "no" if high < _MOST else "unclear"
    titles = {
        "yes": f"{SHARE:.0%} of the frequencies are enough for most answers",
        "no": f"{SHARE:.0%} of the frequencies are not enough for most answers",
        "unclear": "Frequencies that are enough: not enough images to tell",
    }
    text = (
        f"Under {SHARE:.0%} of its frequencies, learned for each image, {learned:.2f} of {found.n} images "
        f"keep the model's answer ({show(interval)}), {by_power:.2f} under as many of their strongest; the "
        f"median image needs {np.median(found.share):.0%}. Frequencies that are enough are not those that "
        "the model uses on the whole image: they are found by its gradient, and others may be enough, too."
    )
    return answer("sufficient_maps", verdict, titles[verdict], text, learned, interval, rule)


def draw(report: Report, known: list[LookedAt]) -> Iterator[Parts]:
    """Answers kept over the share, and what is left of some images."""
    found = several(known, "sufficient_maps")
    lines = {}
    for name, one in found.items():
        lines[f"{name}: learned"] = np.mean(one.kept, axis=0)[::-1]
        lines[f"{name}: strongest"] = np.mean(one.kept_by_power, axis=0)[::-1]
    first = next(iter(found.values()))
    figure = plots.curves(
        {"answers that are kept": lines},
        x=[100 * fraction for fraction in first.fractions[::-1]],
        xlabel="share of the frequencies, percent",
        ylabel="share of the images",
        title=f"Answers under few frequencies, n = {first.n}",
    )
    caption = (
        "Share of the images to which the model gives the answer of the whole image when so many frequencies "
        "are left: those learned for the image, and its strongest."
    )
    yield render("sufficient_maps", caption, figure)
    yield _draw_pictures(report, known[0])


def _draw_pictures(report: Report, model: LookedAt) -> Parts:
    found = model.results["sufficient_maps"]["sufficient_maps"]
    count = min(len(report.pictures), found.n)
    pixels, masks = report.pictures[:count] / np.float32(255), found.masks[:count].astype("float32")
    left = [apply_mask(image[None], mask)[0] for image, mask in zip(pixels, masks, strict=True)]
    rows = {"whole": pixels, "its frequencies": masks[..., None], "what they leave": np.clip(left, 0, 1)}
    answers = [short_name(report.classes[label]) for label in found.answers[:count]]
    captions = {"whole": answers, "its frequencies": [f"{one:.0%}" for one in found.share[:count]]}
    caption = (
        f"Images with {model.name}'s answers, the smallest share of their frequencies that was found to keep "
        "the answer, DC in the middle, and what is left of the image: the answer to it is the same."
    )
    figure = plots.image_rows(rows, captions=captions)
    return render("sufficient_pictures", caption, figure, pixels=True)


def tabulate(report: Report, known: list[LookedAt]) -> tuple[Any, str, Iterator[tuple[Cell, ...]]]:
    """One row for each model and share."""

    def rows():
        for model in known:
            found = model.results["sufficient_maps"]["sufficient_maps"]
            for index, fraction in enumerate(found.fractions):
                kept = (share(sum(one[index] for one in images), found.n) for images in _both(found))
                yield Cell(model.name), Cell(f"{100 * fraction:g} %", fraction), *kept

    head = ("model", "share of the frequencies", "learned for the image (95 % interval)")
    caption = "Share of the images that keep the model's answer when so many of their frequencies are left"
    return (*head, "its strongest (95 % interval)"), caption, rows()
