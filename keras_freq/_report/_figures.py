"""The figures of a report, drawn by `keras_freq.plots`, as PNG and SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from keras_freq import plots
from keras_freq._report import _critical_band, _cue_conflict, _sufficient_maps
from keras_freq._report._drawn import Drawn, Parts, render, several, short_name
from keras_freq._report._record import LookedAt, Report
from keras_freq._report._tables import EXTREMES, extreme_classes, shows_all
from keras_freq.spectral import apply_mask, high_pass, low_pass

# More maps side by side cannot be told apart on the page.
_COLUMNS = 10


def draw_figures(report: Report, kept: dict[Any, list[Drawn]] | None = None) -> list[Drawn]:
    """All figures of the sections that were measured; `kept` holds those drawn before, by what they show."""
    kept = {} if kept is None else kept
    drawn = []
    for section, draw in _FIGURES.items():
        known = [model for model in report.models if section in model.results]
        if not known:
            continue
        # The rows of pictures among the bands gain one when the maps are known.
        key = (section, *((model.name, "shortcuts" in model.results) for model in known))
        if key not in kept:
            kept[key] = [Drawn(section, *parts) for parts in draw(report, known)]
        drawn += kept[key]
    return drawn


def _draw_clean(report: Report, known: list[LookedAt]) -> Iterator[Parts]:
    found = {m.name: m.results["clean"]["calibration"] for m in known if "calibration" in m.results["clean"]}
    if found:
        caption = "Accuracy in bins of confidence. On the diagonal the model is as often right as it says."
        yield render("calibration", caption, plots.reliability(found))


def _draw_bands(report: Report, known: list[LookedAt]) -> Iterator[Parts]:
    bands = several(known, "bands")
    chance = float(np.bincount(report.labels).max() / report.n)
    caption = (
        "Left: accuracy when only frequencies below the radius are kept, a blur. Right: when only those at "
        "or above it are kept. The dotted line is the share of the most frequent class."
    )
    yield render("bands", caption, plots.band_accuracy(bands, chance=chance))
    yield from _draw_pictures(report, known[0])


def _draw_pictures(report: Report, model: LookedAt) -> Iterator[Parts]:
    bands, count = model.results["bands"]["bands"], len(report.pictures)
    pixels = report.pictures / np.float32(255)
    middle = len(bands.radii) // 2
    radius = bands.radii[middle]
    seen = bands.predictions
    rows = {"whole": pixels, f"low, r = {radius:g}": low_pass(pixels, radius)}
    rows |= {f"high, r = {radius:g}": np.clip(high_pass(pixels, radius) + 0.5, 0, 1)}
    answers = [seen["clean"][:count], seen["low"][middle][:count], seen["high"][middle][:count]]
    if "shortcuts" in model.results:
        masks = np.asarray(model.results["shortcuts"]["maps"].masks)
        labels = report.labels[:count]
        own = [apply_mask(image[None], masks[label])[0] for image, label in zip(pixels, labels, strict=True)]
        rows["its class's map"] = np.clip(np.stack(own), 0, 1)
        answers.append(model.results["shortcuts"]["under_maps"][:count])
    captions = {
        name: [_answer(report, label, truth) for label, truth in zip(found, report.labels, strict=False)]
        for name, found in zip(rows, answers, strict=True)
    }
    caption = (
        f"Images of the data as {model.name} gets them, and what it answers; a cross marks wrong answers. "
        "High-passed images are shown around middle gray."
    )
    yield render("pictures", caption, plots.image_rows(rows, captions=captions), pixels=True)


def _answer(report: Report, label: int, truth: int) -> str:
    short = short_name("undefined" if label < 0 else report.classes[label])
    return short if label == truth else f"✗ {short}"


def _draw_heat_map(report: Report, known: list[LookedAt]) -> Iterator[Parts]:
    maps = several(known, "heat_map")
    caption = (
        "Share of the images that are wrong when one frequency is added: low frequencies in the middle, high "
        "ones at the rim. Bright places are where the model is easily misled."
    )
    yield render("heat_map", caption, plots.heat_map(maps))


def _draw_gradients(report: Report, known: list[LookedAt]) -> Iterator[Parts]:
    found = several(known, "gradients", "gradient_spectrum")
    lines = {name: result.mean for name, result in found.items()}
    x = next(iter(found.values())).radii
    figure = plots.curves(
        {"gradient of the loss": lines},
        x=x,
        xlabel="radius (index units)",
        ylabel="amplitude, 0 to 1",
        title="Spectrum of the input gradients",
    )
    caption = (
        "How strongly the loss reacts to each band of frequencies, image by image from its lowest to its "
        "highest band, then the mean. A peak at the right says that high frequencies count."
    )
    yield render("gradients", caption, figure)


def _draw_shortcuts(report: Report, known: list[LookedAt]) -> Iterator[Parts]:
    for index, model in enumerate(known):
        results = model.results["shortcuts"]
        found, disks = results["shortcuts"], results["disks"]
        groups = {"": list(range(len(report.classes)))} if shows_all(report) else extreme_classes(model)
        figure = plots.shortcut_rates(
            {"its map": found, "a disk of the same share": disks},
            classes=[short_name(name) for name in report.classes],
            shown=[label for group in groups.values() for label in group],
        )
        caption = (
            f"{model.name}: share of the images that are taken for the class when the frequencies that it "
            "needs most are left, or as many around DC"
        )
        kind = (
            "." if shows_all(report) else f", of the {EXTREMES} classes at either end; all are in the table."
        )
        yield render(f"shortcut_rates_{index}", caption + kind, figure)
        masks = np.asarray(results["maps"].masks)
        parts = [
            (title, slice(start, start + _COLUMNS))
            for title, group in groups.items()
            for start in range(0, len(group), _COLUMNS)
        ]
        for part, (title, columns) in enumerate(parts):
            under = f", of {title}" if title else ""
            caption = f"{model.name}: the frequencies that each class needs most, DC in the middle{under}."
            names = [short_name(report.classes[label]) for label in groups[title][columns]]
            figure = plots.frequency_maps(masks[groups[title][columns]], classes=names)
            yield render(f"frequency_maps_{index}_{part}", caption, figure)


def _draw_corruptions(report: Report, known: list[LookedAt]) -> Iterator[Parts]:
    caption = (
        "Errors in percent under each corruption, mean of the severities; the last column is their mean."
    )
    yield render("corruptions", caption, plots.corruption_table(several(known, "corruptions")))


def _draw_attacks(report: Report, known: list[LookedAt]) -> Iterator[Parts]:
    found = several(known, "attacks")
    first = next(iter(found.values()))
    figure = plots.curves(
        {"projected gradient descent": {name: (one.clean, *one.accuracy) for name, one in found.items()}},
        x=[0.0, *(epsilon * 255 for epsilon in first.epsilons)],
        xlabel="largest change of a pixel, of 255 levels",
        title=f"Accuracy under attack, n = {first.n}",
    )
    caption = "Accuracy when an attacker may change every pixel by at most so much."
    yield render("attacks", caption, figure)


_FIGURES: dict[str, Callable[[Report, list[LookedAt]], Iterator[Parts]]] = {
    "clean": _draw_clean,
    "bands": _draw_bands,
    "heat_map": _draw_heat_map,
    "gradients": _draw_gradients,
    "cue_conflict": _cue_conflict.draw,
    "critical_band": _critical_band.draw,
    "shortcuts": _draw_shortcuts,
    "sufficient_maps": _sufficient_maps.draw,
    "corruptions": _draw_corruptions,
    "attacks": _draw_attacks,
}
