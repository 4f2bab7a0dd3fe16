"""The study: dominant frequency maps of networks and augmentations, and what they leave of each class."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

import keras_freq as kf
from apps.freq_shortcuts.config import Study
from apps.freq_shortcuts.images import filter_each, first_of_each, load_images
from apps.freq_shortcuts.maps import (
    PUBLISHED,
    STRONG,
    by_class,
    disks,
    find_maps,
    mean_of,
    measure_maps,
    record_rates,
    search_images,
    shown_mean,
)
from apps.lab import Claim, Run
from apps.lab.augmentations import ROWS
from apps.lab.images import Images
from apps.lab.kept import KeptHistory
from apps.lab.networks import NETWORKS
from apps.lab.report import markdown, mean_and_range, print_table
from apps.lab.settings import Training
from apps.lab.train import trained


class KeptMaskTest(KeptHistory, kf.callbacks.ShortcutMaskEvaluation):
    """The test under given maps after every n-th epoch, kept beside the network."""


def study(run: Run, config: Study) -> None:
    images = load_images(run, config.data)
    shown: dict[tuple[str, str], kf.shortcuts.FrequencyMaps] = {}
    reports: dict[tuple[str, str], kf.shortcuts.ShortcutReport] = {}
    growth = None
    for seed in config.all_seeds:
        searched = search_images(images, config.search, seed=seed)
        first = None
        for network, augmentation in variants(config):
            stage = f"{network}-{augmentation}/seed{seed}"
            record = {"network": network, "augmentation": augmentation}
            model, _ = trained(
                run,
                f"{network}-{augmentation}",
                training_of(config, network, augmentation),
                images.train,
                classes=len(images.classes),
                seed=seed,
                record=record,
            )
            maps = find_maps(run, stage, model, searched, config.search, seed=seed, record=record)
            first = maps if first is None else first
            for name, masks in (("own", maps), ("first", first), ("disk", disks(maps))):
                report = measure_maps(
                    run,
                    f"{stage}/{name}",
                    model,
                    images.test,
                    masks,
                    search=config.search,
                    classes=images.classes,
                    record={**record, "seed": seed, "masks": name},
                )
                if seed == config.seed and name == "own":
                    shown[network, augmentation], reports[network, augmentation] = maps, report
        if seed == config.seed and config.every is not None and first is not None:
            growth = _grow(run, config, images, first, config.every)
    _draw(run, config, images, shown, reports, growth)
    _report(run, config, images)


def training_of(config: Study, network: str, augmentation: str = "standard") -> Training:
    """How a network trains: the settings with its name, its width and the augmentation."""
    width = None if config.widths is None else config.widths[config.networks.index(network)]
    return dataclasses.replace(config.training, network=network, width=width, augmentation=augmentation)


def _grow(
    run: Run, config: Study, images: Images, maps: kf.shortcuts.FrequencyMaps, every: int
) -> KeptMaskTest:
    """The first network once more, tested under its final maps while it trains."""
    network, split, mean = config.networks[0], config.search.split, mean_of(config.search)
    test = KeptMaskTest(kf.data.ArrayBatches(*images.test), maps, every=every, split=split, mean=mean)
    trained(
        run,
        "growth",
        training_of(config, network),
        images.train,
        classes=len(images.classes),
        seed=config.seed,
        record={"network": network, "augmentation": "standard", "masks": "growth"},
        callbacks=[test],
        watch={
            "measure": "maps",
            "maps": maps.masks,
            "every": every,
            "split": split,
            "mean": config.search.mean,
            "on": images.test,
        },
    )
    for epoch, (_, report) in zip(test.epochs, test.history, strict=True):
        record = {"stage of training": "growth", "epoch": epoch, "masks": "growth"}
        run.measure(f"growth/epoch{epoch}", record_rates, report, images.classes, record)
    return test


def variants(config: Study) -> list[tuple[str, str]]:
    """Every network with the plain augmentation, the first one with each of the others too."""
    plain = [(network, "standard") for network in config.networks]
    return plain[:1] + [(config.networks[0], a) for a in config.augmentations if a != "standard"] + plain[1:]


def name_of(network: str, augmentation: str) -> str:
    """What tables call a variant."""
    plain = NETWORKS[network].label
    return plain if augmentation == "standard" else f"{plain} + {ROWS[augmentation].label}"


def _draw(
    run: Run,
    config: Study,
    images: Images,
    shown: dict[tuple[str, str], kf.shortcuts.FrequencyMaps],
    reports: dict[tuple[str, str], kf.shortcuts.ShortcutReport],
    growth: KeptMaskTest | None,
) -> None:
    per = 8
    names = list(shown)
    for start in range(0, len(names), per):
        part = names[start : start + per]
        figure = kf.plots.frequency_maps(
            {name_of(*key).replace(" + ", "\n+ "): shown[key] for key in part},
            classes=images.classes,
            title=f"Dominant frequency maps, top {100 * config.search.fraction:g} %, seed {config.seed}",
        )
        run.figure("maps" if start == 0 else f"maps_{start // per + 1}", figure)
    key = names[0]
    chosen = first_of_each(images.test, len(images.classes))
    if chosen is not None:
        mean = shown_mean(config.search, config.training)
        figure = kf.plots.frequency_maps(
            {"map": shown[key]},
            classes=images.classes,
            reports={"map": reports[key]},
            examples={"image": chosen, "filtered": filter_each(chosen, shown[key], mean)},
            title=f"What is left of the images: {name_of(*key)}, seed {config.seed}",
        )
        run.figure("filtered", figure)
    if growth is not None and growth.epochs:
        clean = np.array([report.clean_tpr for _, report in growth.history])
        panels = {
            words: name_lines(rates, images.classes)
            for words, rates in (("TPR under its map", growth.tpr), ("TPR, whole images", clean))
        }
        figure = kf.plots.curves(
            panels,
            x=growth.epochs,
            columns=2,
            xlabel="epoch",
            ylabel="share of the class recognized",
            title=f"Under the final maps while {NETWORKS[config.networks[0]].label} trains, "
            f"seed {config.seed}",
        )
        run.figure("growth", figure)


def name_lines(rates: np.ndarray, classes: Sequence[str]) -> dict[str, np.ndarray]:
    """Rates `(epochs, classes)` as a line for each class that has a test image."""
    lines = zip(classes, rates.T[:, None], strict=True)
    return {name: line for name, line in lines if np.isfinite(line).any()}


def _report(run: Run, config: Study, images: Images) -> None:
    n, search = len(images.test[1]), config.search
    head = ["network", "whole images: TPR", "FPR", "own map: TPR", "FPR", "strong shortcuts"]
    head += ["first network's map: TPR", "low-pass: TPR", "FPR"]
    rows = [_row(run, variant) for variant in variants(config)]
    title = f"Under maps of {100 * search.fraction:g} % of the bins, means over the classes, n = {n}"
    print_table(title, head, rows)
    classes = ["network", *images.classes]
    per_class = [
        [f"{name_of(*v)}, {word}", *(f"{value:.2f}" for value in _cells(run, v, measure).mean(axis=0))]
        for v in variants(config)
        for measure, word in (("tpr", "TPR"), ("fpr", "FPR"), ("clean_tpr", "TPR whole"))
    ]
    run.summary(
        "Frequency shortcuts: dominant frequency maps of networks and augmentations",
        list(_claims(run, config, images, n)),
        notes=f"{title}; a strong shortcut has a TPR of at least {STRONG:g} under its own map.\n\n"
        + markdown(head, rows)
        + "\n\nBy class, means over the seeds, under the own map:\n\n"
        + markdown(classes, per_class),
    )


def _cells(run: Run, variant: tuple[str, str], measure: str, masks: str = "own") -> np.ndarray:
    return by_class(run, measure, masks=masks, network=variant[0], augmentation=variant[1])


def _row(run: Run, variant: tuple[str, str]) -> list[str]:
    def mean(measure: str, masks: str = "own") -> str:
        return mean_and_range(np.nanmean(_cells(run, variant, measure, masks), axis=1), 2)

    strong = (_cells(run, variant, "tpr") >= STRONG).sum(axis=1)
    own = [mean(measure) for measure in ("clean_tpr", "clean_fpr", "tpr", "fpr")]
    others = [mean("tpr", "first"), mean("tpr", "disk"), mean("fpr", "disk")]
    return [name_of(*variant), *own, ", ".join(map(str, strong)), *others]


def _claims(run: Run, config: Study, images: Images, n: int) -> Iterator[Claim]:
    count = sum(rate >= STRONG for rate in PUBLISHED)
    published = f"{count} of 10, mean TPR {np.mean(PUBLISHED):.2f} (ResNet-18, ImageNet-10) [paper]"
    for variant in variants(config):
        tpr, fpr = (_cells(run, variant, measure) for measure in ("tpr", "fpr"))
        disk = np.nanmean(_cells(run, variant, "tpr", "disk"), axis=1)
        strong = ", ".join(f"{int((row >= STRONG).sum())} of {len(row)}" for row in tpr)
        named = sorted({images.classes[c] for row in tpr for c in np.flatnonzero(row >= STRONG)})
        yield Claim(
            f"{name_of(*variant)}: classes recognized by {100 * config.search.fraction:g} % of the "
            f"frequencies (TPR at least {STRONG:g} under the own map)",
            published
            if variant == (config.networks[0], "standard")
            else "pictures and tables of others only [2nd]",
            f"{strong} by seed{': ' + ', '.join(named) if named else ''}; mean TPR "
            f"{mean_and_range(np.nanmean(tpr, axis=1), 2)}, "
            f"FPR {mean_and_range(np.nanmean(fpr, axis=1), 2)}; "
            f"low-pass of the same share: TPR {mean_and_range(disk, 2)}",
            n,
            (f"{variant[0]}-{variant[1]}/",),
        )
