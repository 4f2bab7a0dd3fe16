"""Figures, table and claims of the study."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

import keras_freq as kf
from apps.freq_shortcuts.config import Study
from apps.freq_shortcuts.images import floats
from apps.freq_shortcuts.maps import PUBLISHED, STRONG, by_class
from apps.freq_shortcuts.networks import AUGMENTED
from apps.freq_shortcuts.networks import LABELS as NETWORKS
from apps.lab import Claim, Run
from apps.lab.images import Images
from apps.lab.report import markdown, mean_and_range, print_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def variants(config: Study) -> list[tuple[str, str]]:
    """Every network with the plain augmentation, the first one with each of the others too."""
    plain = [(network, "standard") for network in config.networks]
    return plain[:1] + [(config.networks[0], a) for a in config.augmentations if a != "standard"] + plain[1:]


def name_of(network: str, augmentation: str) -> str:
    """What tables call a variant."""
    plain = NETWORKS[network]
    return plain if augmentation == "standard" else f"{plain} + {AUGMENTED[augmentation]}"


def draw(run: Run, config: Study, images: Images, shown: dict) -> None:
    per = 8
    names = list(shown)
    for start in range(0, len(names), per):
        part = names[start : start + per]
        run.figure(
            "maps" if start == 0 else f"maps_{start // per + 1}",
            kf.plots.frequency_maps(
                {name_of(*key).replace(" + ", "\n+ "): shown[key] for key in part},
                classes=images.classes,
                title=f"Dominant frequency maps, top {100 * config.search.fraction:g} %, seed {config.seed}",
            ),
        )
    key = names[0]
    pixels, labels = images.test
    there = [np.flatnonzero(labels == label) for label in range(len(images.classes))]
    if all(map(len, there)):
        chosen = np.stack([floats(pixels[rows[0]]) for rows in there])
        filtered = np.stack(
            [
                kf.spectral.apply_mask(image, mask)
                for image, mask in zip(chosen, shown[key].masks, strict=True)
            ]
        )
        report = _Rates(
            *(by_class(run, m, masks="own", network=key[0], augmentation=key[1])[0] for m in ("tpr", "fpr"))
        )
        run.figure(
            "filtered",
            kf.plots.frequency_maps(
                {"map": shown[key]},
                classes=images.classes,
                reports={"map": report},
                examples={"image": chosen, "filtered": filtered},
                title=f"What is left of the images: {name_of(*key)}, seed {config.seed}",
            ),
        )
    if config.every is not None:
        epochs = sorted({r["epoch"] for r in run.records if r.get("masks") == "growth" and "epoch" in r})
        if epochs:
            run.figure("growth", _growth_figure(run, config, images, epochs))


@dataclasses.dataclass(frozen=True)
class _Rates:
    """Stored rates, as the figure takes those of a report."""

    tpr: np.ndarray
    fpr: np.ndarray


def _growth_figure(run: Run, config: Study, images: Images, epochs: list[int]) -> Figure:
    def line(measure: str) -> np.ndarray:
        rows = [by_class(run, measure, masks="growth", epoch=e)[0] for e in epochs]
        return np.array(rows).T

    panels = {}
    for measure, words in (("tpr", "TPR under its map"), ("clean_tpr", "TPR, whole images")):
        panels[words] = dict(zip(images.classes, line(measure)[:, None], strict=True))
    return kf.plots.curves(
        panels,
        x=epochs,
        columns=2,
        xlabel="epoch",
        ylabel="share of the class recognised",
        title=f"Under the final maps while {NETWORKS[config.networks[0]]} trains, seed {config.seed}",
    )


def report(run: Run, config: Study, images: Images) -> None:
    n, search = len(images.test[1]), config.search
    head = [
        "network",
        "whole images: TPR",
        "FPR",
        "own map: TPR",
        "FPR",
        "strong shortcuts",
        "first network's map: TPR",
        "low-pass: TPR",
        "FPR",
    ]
    rows = [_row(run, config, images, *variant) for variant in variants(config)]
    title = f"Under maps of {100 * search.fraction:g} % of the bins, means over the classes, n = {n}"
    print_table(title, head, rows)
    classes = ["network", *images.classes]
    per_class = [
        [
            f"{name_of(*v)}, {word}",
            *(f"{value:.2f}" for value in _cells(run, images, v, measure).mean(axis=0)),
        ]
        for v in variants(config)
        for measure, word in (("tpr", "TPR"), ("fpr", "FPR"), ("clean_tpr", "TPR whole"))
    ]
    path = run.summary(
        "Frequency shortcuts: dominant frequency maps of networks and augmentations",
        _claims(run, config, images, n),
        notes=f"{title}; a strong shortcut has a TPR of at least {STRONG:g} under its own map.\n\n"
        + markdown(head, rows)
        + "\n\nBy class, means over the seeds, under the own map:\n\n"
        + markdown(classes, per_class),
    )
    run.say(str(path))


def _cells(
    run: Run, images: Images, variant: tuple[str, str], measure: str, masks: str = "own"
) -> np.ndarray:
    return by_class(run, measure, masks=masks, network=variant[0], augmentation=variant[1])


def _row(run: Run, config: Study, images: Images, network: str, augmentation: str) -> list[str]:
    variant = (network, augmentation)

    def mean(measure: str, masks: str = "own") -> str:
        return mean_and_range(np.nanmean(_cells(run, images, variant, measure, masks), axis=1), 2)

    strong = (_cells(run, images, variant, "tpr") >= STRONG).sum(axis=1)
    return [
        name_of(*variant),
        mean("clean_tpr"),
        mean("clean_fpr"),
        mean("tpr"),
        mean("fpr"),
        ", ".join(str(count) for count in strong),
        mean("tpr", "first"),
        mean("tpr", "disk"),
        mean("fpr", "disk"),
    ]


def _claims(run: Run, config: Study, images: Images, n: int) -> list[Claim]:
    claims = []
    first = (config.networks[0], "standard")
    count = sum(rate >= STRONG for rate in PUBLISHED)
    published = f"{count} of 10, mean TPR {np.mean(PUBLISHED):.2f} (ResNet-18, ImageNet-10) [paper]"
    for variant in variants(config):
        tpr, fpr = (_cells(run, images, variant, m) for m in ("tpr", "fpr"))
        disk = np.nanmean(_cells(run, images, variant, "tpr", "disk"), axis=1)
        strong = ", ".join(f"{int((row >= STRONG).sum())} of {len(row)}" for row in tpr)
        named = sorted({images.classes[c] for row in tpr for c in np.flatnonzero(row >= STRONG)})
        claims.append(
            Claim(
                f"{name_of(*variant)}: classes recognised by {100 * config.search.fraction:g} % of the "
                f"frequencies (TPR at least {STRONG:g} under the own map)",
                published if variant == first else "pictures and tables of others only [2nd]",
                f"{strong} by seed{': ' + ', '.join(named) if named else ''}; mean TPR "
                f"{mean_and_range(np.nanmean(tpr, axis=1), 2)}, "
                f"FPR {mean_and_range(np.nanmean(fpr, axis=1), 2)}; "
                f"low-pass of the same share: TPR {mean_and_range(disk, 2)}",
                n,
                (f"{variant[0]}-{variant[1]}/",),
                config.all_seeds,
            )
        )
    return claims
