"""Dominant frequency maps that a run finds once, and what they leave of a network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_freq as kf
from apps.freq_shortcuts.config import Search
from apps.lab import Run, RunError
from apps.lab.images import Images
from apps.lab.networks import STATISTICS
from apps.lab.settings import Training

RATES = ("tpr", "fpr", "clean_tpr", "clean_fpr", "share")
STRONG = 0.6  # TPR from which the paper on HFSS calls a shortcut strong
# TPR by class on images of ImageNet-10 that keep 5 % of the bins, the ranking of single frequencies with
# ResNet-18, as the paper on HFSS lists it [paper].
PUBLISHED = (0.08, 0, 0.40, 0.80, 0.02, 0.02, 0.14, 0.80, 0.54, 0.06)


def search_images(images: Images, search: Search, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of the search, as many of every class, in the stored order.

    Training images by default, those that are held out for validation among them, as published: as many of a
    class as `search.images_per_class` says, or as the test set has, drawn with the seed. With `search.split`
    `test` they are test images.
    """
    pixels, labels = images.test if search.split == "test" else images.train
    rows = []
    for label in range(len(images.classes)):
        own = np.flatnonzero(labels == label)
        wanted = search.images_per_class
        if wanted is None:
            wanted = min(len(own), int((images.test[1] == label).sum()))
        elif wanted > len(own):
            split = "test" if search.split == "test" else "training"
            raise RunError(
                f"`search.images_per_class` must be at most the number of {split} images of each class, "
                f"{len(own)} of {images.classes[label]}. Received: search.images_per_class={wanted}"
            )
        rows.append(np.random.default_rng([seed, label]).permutation(own)[:wanted])
    chosen = np.sort(np.concatenate(rows))
    return pixels[chosen], labels[chosen]


def mean_of(search: Search) -> float | None:
    """For `keras_freq.shortcuts`, where None is the mean that the network normalizes with."""
    return None if search.mean == "dataset" else 0.0


def shown_mean(search: Search, training: Training) -> Sequence[float] | float:
    """The same as numbers, for pictures of filtered images."""
    return STATISTICS[training.statistics][0] if search.mean == "dataset" else 0.0


def journal(run: Run, stage: str) -> Path:
    """Where a search goes on from when it was cut short."""
    path = run.checkpoint(stage).with_suffix(".jsonl")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def count_forwards(importance: kf.shortcuts.FrequencyImportance) -> int:
    """The forward passes that the maps need, whether or not the search was cut short.

    The images as they are, with a backward pass for an approximation, and every group that was measured. The
    comparison with exact values is left out.
    """
    return importance.n * (1 + importance.measured + (importance.method != "exact"))


def find_maps(
    run: Run,
    stage: str,
    model: keras.Model,
    searched: tuple[np.ndarray, np.ndarray],
    search: Search,
    *,
    seed: int,
    record: Mapping[str, Any],
) -> kf.shortcuts.FrequencyMaps:
    """The maps of a network, searched once: a search that was cut short goes on, a finished one is read."""
    stage = f"{stage}/search"
    if not run.measured(stage):
        run.say(f"{stage}: dominant frequencies from {len(searched[1])} images")
    importance = run.result(
        stage,
        kf.shortcuts.frequency_importance,
        model,
        *searched,
        patch=search.patch,
        method=search.method,
        mirror=search.mirror,
        mean=mean_of(search),
        seed=seed,
        checkpoint=journal(run, stage),
    )
    run.measure(f"{stage}/cost", _describe_search, importance, {**record, "seed": seed})
    return kf.shortcuts.dominant_frequency_map(importance, search.fraction, dc=search.dc)


def _describe_search(importance: kf.shortcuts.FrequencyImportance, record: Mapping[str, Any]) -> list[dict]:
    rows: dict[str, float] = {
        "search forwards": count_forwards(importance),
        "DC importance": float(np.nanmean(importance.dc)),
    }
    if importance.rank_correlation:
        rows["rank correlation"] = float(np.nanmean(importance.rank_correlation))
    return [
        {**record, "measure": measure, "value": value, "n": importance.n} for measure, value in rows.items()
    ]


def disks(maps: kf.shortcuts.FrequencyMaps) -> np.ndarray:
    """The control, a low-pass mask for each class: as many bins as its map, and what completes a circle."""
    height, width = maps.masks.shape[1:]
    distance = kf.spectral.radial_distance(height, width)
    masks = []
    for share in maps.share:
        reach = np.sort(distance, axis=None)[max(0, math.ceil(share * distance.size) - 1)]
        masks.append((distance <= reach) if share else np.zeros_like(distance))
    return np.stack(masks).astype("float32")


def measure_maps(
    run: Run,
    stage: str,
    model: keras.Model,
    test: tuple[np.ndarray, np.ndarray],
    maps: kf.shortcuts.FrequencyMaps | np.ndarray,
    *,
    search: Search,
    classes: Sequence[str],
    record: Mapping[str, Any],
) -> kf.shortcuts.ShortcutReport:
    """What the maps leave of a network, measured once; the rates of each class are records."""
    options: dict[str, Any] = {"split": search.split, "mean": mean_of(search)}
    report = run.result(stage, kf.shortcuts.shortcut_report, model, test, maps, **options)
    run.measure(f"{stage}/rates", record_rates, report, classes, record)
    return report


def record_rates(
    report: kf.shortcuts.ShortcutReport, classes: Sequence[str], record: Mapping[str, Any]
) -> list[dict]:
    """The rates of a report as records, one a class and rate."""
    return [
        {**record, "class": label, "measure": measure, "value": float(value), "n": report.n}
        for measure in RATES
        for label, value in zip(classes, getattr(report, measure), strict=True)
    ]


def by_class(run: Run, measure: str, **wanted: object) -> np.ndarray:
    """Stored rates `(seeds, classes)`, seeds ascending and classes in their order."""
    found: dict[int, list[float]] = {}
    for record in run.records:
        if record.get("measure") == measure and all(record.get(k) == v for k, v in wanted.items()):
            found.setdefault(record["seed"], []).append(record["value"])
    return np.array([found[seed] for seed in sorted(found)])
