"""Figures, table and claims of the transfer."""

from __future__ import annotations

import numpy as np

import keras_freq as kf
from apps.freq_shortcuts.config import Transfer
from apps.freq_shortcuts.images import floats
from apps.freq_shortcuts.maps import by_class
from apps.freq_shortcuts.networks import AUGMENTED
from apps.freq_shortcuts.networks import LABELS as NETWORKS
from apps.lab import Claim, Run
from apps.lab.images import Images
from apps.lab.report import markdown, mean_and_range, order, print_table

HERE = "test images"
# ResNet-18 trained on ImageNet-10, TPR by class on the renditions of IN-SCT: as they are, and under the maps
# of this method [paper, HFSS table 3].
PUBLISHED = {
    "clean_tpr": (0.343, 0.43, 0.443, 0.271, 0.329, 0.386, 0.40, 0.029, 0.429, 0.629),
    "tpr": (0, 0, 0.214, 0.129, 0.043, 0.029, 0.057, 0.129, 0.214, 0),
}


def draw(run: Run, config: Transfer, images: Images, sets: dict[str, tuple], shown: dict) -> None:
    """One image of each class in every set, as it is and under the maps of the first network and seed."""
    augmentation = config.augmentations[0]
    maps, rows = shown[augmentation], {}
    for name, (pixels, labels) in list(sets.items())[:3]:
        there = [np.flatnonzero(labels == label) for label in range(len(images.classes))]
        if not all(map(len, there)):
            continue
        chosen = np.stack([floats(pixels[found[0]]) for found in there])
        rows[name] = chosen
        rows[f"{name},\nfiltered"] = np.stack(
            [kf.spectral.apply_mask(image, mask) for image, mask in zip(chosen, maps.masks, strict=True)]
        )
    run.figure(
        "filtered",
        kf.plots.frequency_maps(
            {"map": maps},
            classes=images.classes,
            examples=rows,
            title=f"Maps of {NETWORKS[config.training.network]} ({AUGMENTED[augmentation]}) and what they "
            f"leave, seed {config.seed}",
        ),
    )


def report(run: Run, config: Transfer, images: Images, counts: dict[str, int]) -> None:
    """The table, and `summary.md`."""
    head = ["augmentation", "set", "n", "whole images: TPR", "FPR", "own map: TPR", "FPR", "low-pass: TPR"]
    rows = []
    for augmentation in config.augmentations:
        for name, n in counts.items():
            means = [
                mean_and_range(_mean(run, images, augmentation, name, *what), 2)
                for what in (("clean_tpr",), ("clean_fpr",), ("tpr",), ("fpr",), ("tpr", "disk"))
            ]
            rows.append([AUGMENTED[augmentation], name, str(n), *means])
    title = f"Maps of {100 * config.search.fraction:g} % of the bins on other sets, means over the classes"
    print_table(title, head, rows)
    path = run.summary(
        "Frequency shortcuts: transfer of the maps",
        [
            claim
            for augmentation in config.augmentations
            for name, n in counts.items()
            if name != HERE
            for claim in _claims(run, config, images, augmentation, name, n)
        ],
        notes=f"{title}.\n\n{markdown(head, rows)}\n\n{_by_class(run, config, images, counts)}",
    )
    run.say(str(path))


def _mean(
    run: Run, images: Images, augmentation: str, name: str, measure: str, masks: str = "own"
) -> np.ndarray:
    """The mean over the classes for every seed."""
    found = by_class(run, measure, augmentation=augmentation, set=name, masks=masks)
    return np.nanmean(found, axis=1)


def _by_class(run: Run, config: Transfer, images: Images, counts: dict[str, int]) -> str:
    rows = []
    for augmentation in config.augmentations:
        for name in counts:
            for measure, words in (("clean_tpr", "TPR whole"), ("tpr", "TPR"), ("fpr", "FPR")):
                found = by_class(run, measure, augmentation=augmentation, set=name, masks="own")
                cells = [f"{value:.2f}" for value in found.mean(axis=0)]
                rows.append([f"{AUGMENTED[augmentation]}, {name}, {words}", *cells])
    return "By class, means over the seeds:\n\n" + markdown(["", *images.classes], rows)


def _claims(run: Run, config: Transfer, images: Images, augmentation: str, name: str, n: int) -> list[Claim]:
    """Whether classes that their map is enough for on the test images keep it on another set."""
    before, after = (_mean(run, images, augmentation, where, "tpr") for where in (HERE, name))
    whole = [_mean(run, images, augmentation, where, "clean_tpr") for where in (HERE, name)]
    published = "-"
    if name == "renditions":
        published = (
            f"TPR {np.mean(PUBLISHED['tpr']):.2f} under the maps, {np.mean(PUBLISHED['clean_tpr']):.2f} on "
            "whole images (ResNet-18, IN-SCT) [paper]"
        )
    return [
        Claim(
            f"Maps of {NETWORKS[config.training.network]} ({AUGMENTED[augmentation]}) hold on {name}: mean "
            "TPR under the maps, before and after",
            published,
            f"{mean_and_range(before, 2)} before, {mean_and_range(after, 2)} after: "
            f"{order(after, before, higher='higher after', lower='lower after')}; whole images "
            f"{mean_and_range(whole[0], 2)} before, {mean_and_range(whole[1], 2)} after",
            n,
            (f"{augmentation}/",),
            config.all_seeds,
        )
    ]
