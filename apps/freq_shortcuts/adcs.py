"""ADCS maps of a data set, ours and in the published form."""

from __future__ import annotations

from typing import Any

import numpy as np

import keras_freq as kf
from apps.freq_shortcuts.config import Adcs
from apps.freq_shortcuts.images import load_images
from apps.lab import Claim, Run
from apps.lab.report import markdown, print_table

FORMS: dict[str, dict[str, Any]] = {
    "ours": {},
    "published": {"channel": "luma", "statistic": "sum", "ties": -1, "include_self": True},
}


def adcs(run: Run, config: Adcs) -> None:
    images = load_images(run, config.data)
    classes = len(images.classes)
    chosen = _choose(
        images.test if config.split == "test" else images.train, classes, config.images_per_class
    )
    n, counts = len(chosen[1]), np.bincount(chosen[1], minlength=classes)
    head = ["class", "n", "lowest", "highest", "mean", "share of bins above all others", "their mean radius"]
    distance = kf.spectral.radial_distance(*images.shape[:2])
    tables, claims = [], []
    for form in FORMS if config.published else ("ours",):
        options = FORMS[form] or {"channel": config.channel}
        result = run.result(f"adcs/{form}", kf.shortcuts.adcs, *chosen, classes=classes, **options)
        maps = result.maps
        known = int(np.isfinite(maps[:, 0, 0]).sum())
        top = known - (1 if form == "ours" else 2)
        measured = [_summarize(found, distance, top) for found in maps]
        rows = [
            [name, str(count), *(_cell(measure, value) for measure, value in numbers.items())]
            for name, count, numbers in zip(images.classes, counts, measured, strict=True)
        ]
        records = [
            {"measure": measure, "form": form, "class": name, "value": value, "n": int(count)}
            for name, count, numbers in zip(images.classes, counts, measured, strict=True)
            for measure, value in numbers.items()
        ]
        run.measure(f"adcs/{form}/numbers", list, records)
        words = "our form" if form == "ours" else "published form"
        title = f"ADCS of {images.name}, {words}, n = {n}"
        run.figure(f"adcs_{form}", kf.plots.adcs(result, classes=images.classes, title=title))
        print_table(title, head, rows)
        tables.append(f"{words.capitalize()}:\n\n{markdown(head, rows)}")
        lowest, highest = np.nanmin(maps), np.nanmax(maps)
        least = top + 2 - 2 * known
        shares = [numbers["above all others"] for numbers in measured]
        claims.append(
            Claim(
                f"Classes have frequencies at which they exceed all others ({words}, range {least} to {top})",
                "pictures; the zebra map saturates at 8 [calc on the figure]",
                f"values from {lowest:g} to {highest:g}; {sum(share > 0 for share in shares)} of {known} "
                f"classes exceed all others somewhere, {images.classes[int(np.argmax(shares))]} at most "
                f"frequencies ({max(shares):.0%})",
                n,
                (f"adcs/{form}",),
            )
        )
    run.summary("Frequency shortcuts: ADCS maps", claims, notes="\n\n".join(tables))


def _choose(
    data: tuple[np.ndarray, np.ndarray], classes: int, per_class: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """The first so many images of each class, in the stored order."""
    if per_class is None:
        return data
    pixels, labels = data
    rows = np.concatenate([np.flatnonzero(labels == label)[:per_class] for label in range(classes)])
    return pixels[np.sort(rows)], labels[np.sort(rows)]


def _summarize(found: np.ndarray, distance: np.ndarray, top: int) -> dict[str, float]:
    """What the map of a class comes down to; NaN where there is no image, or no frequency to average."""
    above = found == top
    return {
        "lowest": float(found.min()),
        "highest": float(found.max()),
        "mean": float(found.mean()),
        "above all others": float(above.mean()),
        "radius above all others": float(distance[above].mean()) if above.any() else float("nan"),
    }


def _cell(measure: str, value: float) -> str:
    if np.isnan(value):
        return "-"
    return f"{value:.3f}" if measure == "above all others" else f"{value:.4g}"
