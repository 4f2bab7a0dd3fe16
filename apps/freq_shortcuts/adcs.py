"""ADCS maps of a data set, ours and in the published form."""

from __future__ import annotations

import numpy as np

import keras_freq as kf
from apps.freq_shortcuts.config import Adcs
from apps.freq_shortcuts.images import load_images
from apps.runner import Claim, Run
from apps.runner.repetitions import markdown, print_table

FORMS = {
    "ours": {},
    "published": {"channel": "luma", "statistic": "sum", "ties": -1, "include_self": True},
}


def adcs(run: Run, config: Adcs) -> None:
    """Runs the experiment of `config` in the folder of `run`."""
    images = load_images(run, config.data)
    n = len(images.train[1])
    head = ["class", "lowest", "highest", "mean", "share of bins above all others", "their mean radius"]
    distance = kf.spectral.radial_distance(*images.shape[:2])
    tables, claims = [], []
    for form in FORMS if config.published else ("ours",):
        options = FORMS[form] or {"channel": config.channel}
        maps = run.arrays(
            f"adcs/{form}", lambda o=options: {"maps": kf.shortcuts.adcs(*images.train, **o).maps}
        )["maps"]
        top = len(maps) - (1 if form == "ours" else 2)
        rows = []
        for name, found in zip(images.classes, maps, strict=True):
            above = found == top
            radius = f"{distance[above].mean():.1f}" if above.any() else "-"
            rows.append(
                [
                    name,
                    f"{found.min():g}",
                    f"{found.max():g}",
                    f"{found.mean():.2f}",
                    f"{above.mean():.3f}",
                    radius,
                ]
            )
        run.measure(
            f"adcs/{form}",
            lambda f=form, m=maps, t=top: [
                {"measure": measure, "form": f, "class": name, "value": float(value), "n": n}
                for name, found in zip(images.classes, m, strict=True)
                for measure, value in (
                    ("lowest", found.min()),
                    ("highest", found.max()),
                    ("above all others", (found == t).mean()),
                )
            ],
        )
        run.figure(
            f"adcs_{form}",
            kf.plots.adcs(maps, classes=images.classes, title=f"ADCS of {images.name}, {form} form, n = {n}"),
        )
        print_table(f"ADCS of {images.name}, {form} form, n = {n}", head, rows)
        tables.append(f"{form.capitalize()} form:\n\n{markdown(head, rows)}")
        lowest, highest = np.nanmin(maps), np.nanmax(maps)
        least = top + 2 - 2 * len(maps)
        leader = max(zip(images.classes, maps, strict=True), key=lambda pair: (pair[1] == top).mean())[0]
        claims.append(
            Claim(
                "Classes have frequencies at which they exceed all others "
                f"({form} form, range {least} to {top})",
                "pictures; the zebra map saturates at 8 [calc on the figure]",
                f"values from {lowest:g} to {highest:g}; every class exceeds all others somewhere: "
                f"{'yes' if all((m == top).any() for m in maps) else 'no'}; most bins: {leader}",
                n,
                (f"adcs/{form}",),
                (config.seed,),
            )
        )
    path = run.summary("Frequency shortcuts: ADCS maps", claims, notes="\n\n".join(tables))
    run.say(str(path))
