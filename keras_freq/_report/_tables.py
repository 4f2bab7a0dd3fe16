"""The tables of the page: what stands in them, as text and as the number to sort by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_freq._report import _critical_band, _cue_conflict, _sufficient_maps
from keras_freq._report._cells import Cell, number, share
from keras_freq._report._record import LookedAt, Report

# With more than twice as many classes, so many at either end are shown before the others.
EXTREMES = 20


@dataclass(frozen=True)
class Table:
    """One table.

    Args:
        section: The section it belongs to.
        caption: What it shows.
        head: Names of the columns.
        rows: Its cells.
        folded: Whether it is shown when asked for.
    """

    section: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    folded: bool = False


def make_tables(report: Report) -> list[Table]:
    """The tables of all sections that were measured."""
    tables = []
    for section, make in _TABLES.items():
        known = [model for model in report.models if section in model.results]
        if known:
            head, caption, made = make(report, known)
            rows = tuple(made)
            folded = section == "shortcuts" and not shows_all(report)
            if folded:
                tables.append(
                    Table(
                        section,
                        f"{caption}: {EXTREMES} classes at either end",
                        head,
                        _ends(report, known, rows),
                    )
                )
            tables.append(Table(section, caption, head, rows, folded))
    return tables


def _ends(report: Report, known: list[LookedAt], rows: tuple[tuple[Cell, ...], ...]) -> tuple[Any, ...]:
    """Of a table with one row for each model and class, those of the classes at either end."""
    return tuple(
        rows[index * len(report.classes) + label]
        for index, model in enumerate(known)
        for group in extreme_classes(model).values()
        for label in group
    )


def shows_all(report: Report) -> bool:
    """Whether every class has room of its own, or only those at either end."""
    return len(report.classes) <= 2 * EXTREMES


def extreme_classes(model: LookedAt) -> dict[str, list[int]]:
    """Classes with the highest and with the lowest share of images recognized under their own map.

    Among equals the disk of as many frequencies decides: the less it is enough, the more the map is.
    """
    found, disks = (model.results["shortcuts"][name] for name in ("shortcuts", "disks"))
    order = np.lexsort((disks.tpr, -found.tpr))  # NaN, of a class without an image, is last
    order = order[np.isfinite(found.tpr[order])]
    return {
        f"the {EXTREMES} highest shares": order[:EXTREMES].tolist(),
        f"the {EXTREMES} lowest shares": order[EXTREMES:][-EXTREMES:].tolist(),
    }


def _clean(report: Report, known: list[LookedAt]) -> tuple[Any, str, Iterator[tuple[Cell, ...]]]:
    def rows():
        for model in known:
            accuracy = model.results["clean"]["accuracy"]
            found = model.results["clean"].get("calibration")
            right = share(sum(accuracy.correct_per_class), accuracy.n)
            gap = number(None if found is None else found.value)
            yield Cell(model.name), right, gap, number(None if found is None else found.confidence)

    head = ("model", "accuracy (95 % interval)", "calibration error", "mean confidence")
    return head, "Images as they are", rows()


def _bands(report: Report, known: list[LookedAt]) -> tuple[Any, str, Iterator[tuple[Cell, ...]]]:
    def rows():
        for model in known:
            bands = model.results["bands"]["bands"]
            for index, radius in enumerate(bands.radii):
                low, high = (
                    share(sum(counts[index]), bands.n)
                    for counts in (bands.low_correct_per_class, bands.high_correct_per_class)
                )
                yield Cell(model.name), Cell(f"{radius:g}", radius), low, high

    head = ("model", "radius", "below the radius (95 % interval)", "at or above it (95 % interval)")
    return head, "Accuracy on filtered images", rows()


def _heat_map(report: Report, known: list[LookedAt]) -> tuple[Any, str, Iterator[tuple[Cell, ...]]]:
    def rows():
        for model in known:
            heat = model.results["heat_map"]["heat_map"]
            rings = heat.ring_means()
            yield (
                Cell(model.name),
                number(heat.clean_error),
                *(number(rings[ring]) for ring in ("low", "mid", "high")),
                Cell(f"{heat.epsilon:.1f}", heat.epsilon),
                Cell(str(heat.n), heat.n),
            )

    head = ("model", "nothing added", "low", "middle", "high", "strength (L2 a channel)", "images")
    return head, "Share of wrong answers with one frequency added, mean over rings of frequencies", rows()


def _swap(report: Report, known: list[LookedAt]) -> tuple[Any, str, Iterator[tuple[Cell, ...]]]:
    def rows():
        for model in known:
            swap = model.results["swap"]["swap"]
            shares = (swap.follows_phase, swap.follows_amplitude, swap.follows_neither)
            yield Cell(model.name), *map(number, shares), Cell(str(swap.n_differ), swap.n_differ)

    head = ("model", "follows the phase", "follows the amplitude", "follows neither", "pairs")
    return head, "What is seen in images with the phase of one and the amplitude of another", rows()


def _shortcuts(report: Report, known: list[LookedAt]) -> tuple[Any, str, Iterator[tuple[Cell, ...]]]:
    def rows():
        for model in known:
            found, disks = (model.results["shortcuts"][name] for name in ("shortcuts", "disks"))
            rates = (found.tpr, found.fpr, disks.tpr, disks.fpr, found.clean_tpr)
            for label, name in enumerate(report.classes):
                count = found.count_per_class[label]
                yield (
                    Cell(model.name),
                    Cell(name),
                    *(number(rate[label], 2) for rate in rates),
                    Cell(str(count), count),
                )

    head = (
        "model",
        "class",
        "its map: own images (TPR)",
        "its map: others (FPR)",
        "disk: own images",
        "disk: others",
        "whole images",
        "images",
    )
    caption = (
        "Share of images that are taken for the class when its own most important frequencies are left, or "
        "as many around DC (disk)"
    )
    return head, caption, rows()


def _corruptions(report: Report, known: list[LookedAt]) -> tuple[Any, str, Iterator[tuple[Cell, ...]]]:
    severities = known[0].results["corruptions"]["corruptions"].severities

    def rows():
        for model in known:
            found = model.results["corruptions"]["corruptions"]
            for name, errors in zip(found.corruptions, found.errors, strict=True):
                mean = found.by_corruption[name]
                yield Cell(model.name), Cell(name.replace("_", " ")), *map(number, errors), number(mean)
            means = np.mean(found.errors, axis=0)
            yield Cell(model.name), Cell("mean of all"), *map(number, means), number(found.mean)

    head = ("model", "corruption", *(f"severity {one}" for one in severities), "mean")
    return head, "Share of wrong answers under common corruptions", rows()


def _attacks(report: Report, known: list[LookedAt]) -> tuple[Any, str, Iterator[tuple[Cell, ...]]]:
    def rows():
        for model in known:
            attack = model.results["attacks"]["attacks"]
            clean = share(sum(attack.clean_correct_per_class), attack.n)
            yield Cell(model.name), Cell("0", 0.0), clean
            for epsilon, counts in zip(attack.epsilons, attack.correct_per_class, strict=True):
                levels = epsilon * 255
                yield Cell(model.name), Cell(f"{levels:g}", levels), share(sum(counts), attack.n)

    attack = known[0].results["attacks"]["attacks"]
    caption = f"Accuracy under projected gradient descent, {attack.settings['steps']} steps, n = {attack.n}"
    return ("model", "largest change, of 255 levels", "accuracy (95 % interval)"), caption, rows()


def _unknown(report: Report, known: list[LookedAt]) -> tuple[Any, str, Iterator[tuple[Cell, ...]]]:
    def rows():
        for model in known:
            found = model.results["unknown"]["unknown"]
            numbers = map(number, (found.auroc, found.tnr, found.detection_accuracy))
            yield Cell(model.name), *numbers, Cell(str(found.n_out), found.n_out)

    head = ("model", "AUROC", "rejected at 95 % kept", "detection accuracy", "images")
    return head, "Telling images of other classes by the largest logit", rows()


_TABLES: dict[str, Callable[[Report, list[LookedAt]], tuple[Any, str, Iterator[tuple[Cell, ...]]]]] = {
    "clean": _clean,
    "bands": _bands,
    "heat_map": _heat_map,
    "swap": _swap,
    "cue_conflict": _cue_conflict.tabulate,
    "critical_band": _critical_band.tabulate,
    "shortcuts": _shortcuts,
    "sufficient_maps": _sufficient_maps.tabulate,
    "corruptions": _corruptions,
    "attacks": _attacks,
    "unknown": _unknown,
}
