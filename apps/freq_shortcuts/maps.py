"""Dominant frequency maps that a run finds once, and what they leave of a network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import keras
import numpy as np

import keras_freq as kf
from apps.freq_shortcuts.config import Search
from apps.lab import Run

RATES = ("tpr", "fpr", "clean_tpr", "clean_fpr", "share")
STRONG = 0.6  # TPR from which the paper on HFSS calls a shortcut strong
# TPR by class on images of ImageNet-10 that keep 5 % of the bins, the ranking of single frequencies with
# ResNet-18, as the paper on HFSS lists it [paper].
PUBLISHED = (0.08, 0, 0.40, 0.80, 0.02, 0.02, 0.14, 0.80, 0.54, 0.06)


def found_maps(
    run: Run,
    stage: str,
    model: keras.Model,
    searched: tuple[np.ndarray, np.ndarray],
    search: Search,
    *,
    seed: int,
    record: dict,
) -> kf.shortcuts.FrequencyMaps:
    """The maps of a network, searched once: a search that was cut short goes on, a finished one is read."""
    checkpoint = run.checkpoint(f"{stage}/search").with_suffix(".jsonl")
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    importance: list[kf.shortcuts.FrequencyImportance] = []

    def compute() -> dict[str, np.ndarray]:
        if not importance:
            run.say(f"{stage}: dominant frequencies from {len(searched[1])} images")
            importance.append(
                kf.shortcuts.frequency_importance(
                    model,
                    *searched,
                    patch=search.patch,
                    method=search.method,
                    mirror=search.mirror,
                    seed=seed,
                    checkpoint=checkpoint,
                )
            )
        digests = sorted(importance[0].found_on)
        return {
            "importance": importance[0].maps,
            "digests": np.frombuffer(b"".join(digests), "uint8").reshape(len(digests), -1),
        }

    def measured() -> list[dict]:
        compute()
        found = importance[0]
        # What the maps need, whether or not the search was cut short: the images as they are, with their
        # gradients for an approximation, and every group that was measured.
        forwards = found.n * (1 + found.measured + (search.method != "exact"))
        rows = [
            {"measure": "search forwards", "value": forwards},
            {"measure": "DC importance", "value": float(np.nanmean(found.dc))},
        ]
        if found.rank_correlation:
            rows.append({"measure": "rank correlation", "value": float(np.nanmean(found.rank_correlation))})
        return [{**record, **row, "seed": seed, "n": found.n} for row in rows]

    run.measure(f"{stage}/search", measured)
    kept = run.arrays(f"{stage}/search", compute)
    maps = kf.shortcuts.dominant_frequency_map(kept["importance"], search.fraction, dc=search.dc)
    return kf.shortcuts.FrequencyMaps(maps.masks, search.method, frozenset(map(bytes, kept["digests"])))


def disks(maps: kf.shortcuts.FrequencyMaps) -> np.ndarray:
    """A low-pass mask for each class that keeps as many bins as its map, or one pair more: the control."""
    height, width = maps.masks.shape[1:]
    distance = kf.spectral.radial_distance(height, width)
    masks = []
    for share in maps.share:
        reach = np.sort(distance, axis=None)[max(0, math.ceil(share * distance.size) - 1)]
        masks.append((distance <= reach) if share else np.zeros_like(distance))
    return np.stack(masks).astype("float32")


def rates(report: kf.shortcuts.ShortcutReport, classes: Sequence[str], record: Mapping) -> list[dict]:
    """The rates of a report as records, one a class and rate."""
    return [
        {
            **record,
            "class": label,
            "measure": measure,
            "value": float(np.asarray(getattr(report, measure))[index]),
            "n": report.n,
        }
        for measure in RATES
        for index, label in enumerate(classes)
    ]


def by_class(run: Run, measure: str, **wanted: object) -> np.ndarray:
    """Stored rates `(seeds, classes)`, seeds ascending and classes in their order."""
    found: dict[int, list[float]] = {}
    for record in run.records:
        if record.get("measure") == measure and all(record.get(k) == v for k, v in wanted.items()):
            found.setdefault(record["seed"], []).append(record["value"])
    return np.array([found[seed] for seed in sorted(found)])
