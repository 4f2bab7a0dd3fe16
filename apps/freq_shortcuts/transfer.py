"""Transfer: maps found on one set, tested on others, TPR and FPR before and after."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import keras_freq as kf
from apps.freq_shortcuts.config import Transfer
from apps.freq_shortcuts.images import corrupted, filter_each, first_of_each, load_images
from apps.freq_shortcuts.maps import by_class, disks, find_maps, measure_maps, search_images, shown_mean
from apps.lab import Claim, Run, RunError
from apps.lab.augmentations import ROWS
from apps.lab.images import Images
from apps.lab.networks import NETWORKS
from apps.lab.report import markdown, mean_and_range, order, print_table
from apps.lab.train import trained

HERE = "test images"
# ResNet-18 trained on ImageNet-10, TPR by class on the renditions of IN-SCT: as they are, and under the maps
# of this method [paper, HFSS table 3].
PUBLISHED = {
    "clean_tpr": (0.343, 0.43, 0.443, 0.271, 0.329, 0.386, 0.40, 0.029, 0.429, 0.629),
    "tpr": (0, 0, 0.214, 0.129, 0.043, 0.029, 0.057, 0.129, 0.214, 0),
}


def transfer(run: Run, config: Transfer) -> None:
    images = load_images(run, config.data)
    sets = dict(_gather_sets(run, config, images))
    shown: dict[str, kf.shortcuts.FrequencyMaps] = {}
    for seed in config.all_seeds:
        searched = search_images(images, config.search, seed=seed)
        for augmentation in config.augmentations:
            stage = f"{augmentation}/seed{seed}"
            record = {"augmentation": augmentation}
            model, _ = trained(
                run,
                augmentation,
                dataclasses.replace(config.training, augmentation=augmentation),
                images.train,
                classes=len(images.classes),
                seed=seed,
                record=record,
            )
            maps = find_maps(run, stage, model, searched, config.search, seed=seed, record=record)
            if seed == config.seed:
                shown[augmentation] = maps
            for name, test in sets.items():
                for kind, masks in (("own", maps), ("disk", disks(maps))):
                    measure_maps(
                        run,
                        f"{stage}/{name}/{kind}",
                        model,
                        test,
                        masks,
                        search=config.search,
                        classes=images.classes,
                        record={**record, "seed": seed, "set": name, "masks": kind},
                    )
    _draw(run, config, images, sets, shown[config.augmentations[0]])
    _report(run, config, images, {name: len(labels) for name, (_, labels) in sets.items()})


def _gather_sets(
    run: Run, config: Transfer, images: Images
) -> Iterator[tuple[str, tuple[np.ndarray, np.ndarray]]]:
    """The test images, their corrupted copies, and those of other sets, opened before any training."""
    yield HERE, images.test
    for name in config.corruptions:
        yield name, corrupted(run, images, name, config.severity, seed=config.seed)
    for name in config.other:
        yield name, _load_other(config, images, name, images.classes)
    if config.renditions is not None:
        classes = config.rendition_classes or images.classes
        yield "renditions", _load_other(config, images, config.renditions, classes)


def _load_other(
    config: Transfer, images: Images, name: str, classes: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Test images of another set, its classes in the order of ours.

    A TFDS set that only numbers its classes, as `cifar10_1` does, must have as many, in the same order.
    """
    folder = name == config.renditions
    options: dict[str, Any] = {
        "data_dir": None if folder else config.data.data_dir,
        "download": config.data.download and not folder,
        "image_size": images.shape[0] if folder or config.data.image_size else None,
    }
    path = Path(name) if folder else name
    try:
        found = None if folder else kf.data.load(path, **options)
        if found is None or found.classes != tuple(map(str, range(len(classes)))):
            found = kf.data.load(path, classes=classes, **options)
        if found.test is None:
            raise ValueError(f"{name} must have a test split. Received: a training split alone")
        if found.input_shape != images.shape:
            raise ValueError(
                f"the images of {name} must have the shape of those of {images.name}, {images.shape}. "
                f"Received: {found.input_shape}"
            )
        return found.arrays("test")
    except (OSError, ImportError, ValueError) as error:
        raise RunError(str(error)) from error


def _draw(
    run: Run, config: Transfer, images: Images, sets: dict[str, tuple], maps: kf.shortcuts.FrequencyMaps
) -> None:
    """One image of each class in every set, as it is and under the maps of the first network and seed."""
    rows: dict[str, np.ndarray] = {}
    mean = shown_mean(config.search, config.training)
    for name, test in list(sets.items())[:3]:
        chosen = first_of_each(test, len(images.classes))
        if chosen is not None:
            rows |= {name: chosen, f"{name},\nfiltered": filter_each(chosen, maps, mean)}
    figure = kf.plots.frequency_maps(
        {"map": maps},
        classes=images.classes,
        examples=rows,
        title=f"Maps of {_name(config, config.augmentations[0])} and what they leave, seed {config.seed}",
    )
    run.figure("filtered", figure)


def _name(config: Transfer, augmentation: str) -> str:
    return f"{NETWORKS[config.training.network].label} ({ROWS[augmentation].label})"


def _report(run: Run, config: Transfer, images: Images, counts: dict[str, int]) -> None:
    head = ["augmentation", "set", "n", "whole images: TPR", "FPR", "own map: TPR", "FPR", "low-pass: TPR"]
    rows, per_class, claims = [], [], []
    for augmentation in config.augmentations:
        for name, n in counts.items():
            means = [
                mean_and_range(_mean(run, augmentation, name, *what), 2)
                for what in (("clean_tpr",), ("clean_fpr",), ("tpr",), ("fpr",), ("tpr", "disk"))
            ]
            rows.append([ROWS[augmentation].label, name, str(n), *means])
            for measure, words in (("clean_tpr", "TPR whole"), ("tpr", "TPR"), ("fpr", "FPR")):
                found = by_class(run, measure, augmentation=augmentation, set=name, masks="own")
                shown = [f"{value:.2f}" for value in found.mean(axis=0)]
                per_class.append([f"{ROWS[augmentation].label}, {name}, {words}", *shown])
            if name != HERE:
                claims.append(_claim(run, config, augmentation, name, n))
    title = f"Maps of {100 * config.search.fraction:g} % of the bins on other sets, means over the classes"
    print_table(title, head, rows)
    by_class_table = markdown(["", *images.classes], per_class)
    run.summary(
        "Frequency shortcuts: transfer of the maps",
        claims,
        notes=f"{title}.\n\n{markdown(head, rows)}\n\nBy class, means over the seeds:\n\n{by_class_table}",
    )


def _mean(run: Run, augmentation: str, name: str, measure: str, masks: str = "own") -> np.ndarray:
    """The mean over the classes for every seed."""
    found = by_class(run, measure, augmentation=augmentation, set=name, masks=masks)
    return np.nanmean(found, axis=1)


def _claim(run: Run, config: Transfer, augmentation: str, name: str, n: int) -> Claim:
    """Whether classes that their map is enough for on the test images keep it on another set."""
    before, after = (_mean(run, augmentation, where, "tpr") for where in (HERE, name))
    whole = [_mean(run, augmentation, where, "clean_tpr") for where in (HERE, name)]
    published = "-"
    if name == "renditions":
        published = (
            f"TPR {np.mean(PUBLISHED['tpr']):.2f} under the maps, {np.mean(PUBLISHED['clean_tpr']):.2f} on "
            "whole images (ResNet-18, IN-SCT) [paper]"
        )
    return Claim(
        f"Maps of {_name(config, augmentation)} hold on {name}: mean TPR under the maps, before and after",
        published,
        f"{mean_and_range(before, 2)} before, {mean_and_range(after, 2)} after: "
        f"{order(after, before, higher='higher after', lower='lower after')}; whole images "
        f"{mean_and_range(whole[0], 2)} before, {mean_and_range(whole[1], 2)} after",
        n,
        (f"{augmentation}/",),
    )
