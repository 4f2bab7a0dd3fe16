"""Telling unknown images from known ones, and calibration: clean and under corruptions."""

from __future__ import annotations

import os
from collections.abc import Iterator

import keras
import numpy as np

import keras_freq as kf
from apps.apr.config import Detection
from apps.apr.corrupted_source import corrupted_source
from apps.apr.networks import compare_rows, train_row
from apps.lab import Claim, Run, RunError
from apps.lab.augmentations import ROWS
from apps.lab.images import Images, load_images, other_images
from apps.lab.networks import NETWORKS
from apps.lab.report import cells, mean_and_range, values, write_report

METRICS = {
    "auroc": "AUROC",
    "tnr": "TNR at TPR .95",
    "detection_accuracy": "detection accuracy",
    "aupr_in": "AUPR in",
    "aupr_out": "AUPR out",
}
KINDS = {"ece": "ECE", "rms": "RMS"}


def detection(run: Run, config: Detection) -> None:
    images = load_images(run, config.data)
    outside = dict(
        other_images(name, config.data, images, limit=config.outside_images) for name in config.outside
    )
    if len(outside) < len(config.outside):
        raise RunError(
            "`outside` must be sets of different names, as their files are called. "
            f"Received: {', '.join(outside)} of outside={list(config.outside)}"
        )
    source = corrupted_source(run, config, images)
    for row in config.rows:
        for seed in config.all_seeds:
            name = f"{config.network}/{row}/seed{seed}"
            record = {"row": row, "seed": seed}
            model = train_row(run, config.training, row, images, seed=seed)
            for label, unknown in outside.items():
                stage, about = f"{name}/detection/{label}", {**record, "outside": label}
                run.measure(stage, _measure_detection, config, model, images, unknown, about)
            run.measure(
                f"{name}/calibration", _measure_calibration, run, config, model, images, source, name, record
            )
    _draw(run, config)
    _report(run, config, len(images.test[1]), {name: len(unknown) for name, unknown in outside.items()})


def _measure_detection(
    config: Detection, model: keras.Model, images: Images, unknown: np.ndarray, record: dict
) -> list[dict]:
    rows = []
    for score in config.scores:
        known = kf.evaluate.ood_scores(model, images.test, score=score)
        found = kf.evaluate.ood_metrics(known, kf.evaluate.ood_scores(model, unknown, score=score))
        for metric in METRICS:
            rows.append({"measure": metric, "score": score, "value": getattr(found, metric), "n": found.n})
    return [{**record, **row} for row in rows]


def _measure_calibration(
    run: Run,
    config: Detection,
    model: keras.Model,
    images: Images,
    source: str | os.PathLike,
    name: str,
    record: dict,
) -> list[dict]:
    """Errors of calibration on clean images and by severity; keeps the logits for the diagrams."""
    rows, kept = [], {}
    logits, labels = kf.evaluate.predict_logits(model, images.test), images.test[1]
    kept["clean"], kept["clean_labels"] = logits, labels
    rows += _errors(config, logits, labels, severity=0)
    pooled = []
    for severity in config.severities:
        found = [_logits(config, model, source, corruption, severity) for corruption in kf.data.CORRUPTIONS]
        logits, labels = (np.concatenate(part) for part in zip(*found, strict=True))
        rows += _errors(config, logits, labels, severity=severity)
        pooled.append((logits, labels))
    logits, labels = (np.concatenate(part) for part in zip(*pooled, strict=True))
    rows += _errors(config, logits, labels, severity=-1)
    kept["corrupted"], kept["corrupted_labels"] = logits, labels
    run.arrays(f"{name}/logits", dict, kept)
    return [{**record, **row} for row in rows]


def _logits(config: Detection, model: keras.Model, source, corruption: str, severity: int):
    pixels, labels = kf.data.read_corrupted(source, corruption, severity, data_dir=config.data.data_dir)
    pixels, labels = pixels[: config.corrupted_images], labels[: config.corrupted_images]
    declared = kf.Classifier(model, value_range=(0, 1))  # sets of corrupted images hold bytes
    return kf.evaluate.predict_logits(declared, (pixels, labels)), labels


def _errors(config: Detection, logits: np.ndarray, labels: np.ndarray, *, severity: int) -> list[dict]:
    """Severity 0 is clean, -1 all severities together."""
    return [
        {
            "measure": kind,
            "severity": severity,
            "value": float(kf.evaluate.calibration_error(logits, labels, bins=config.bins, kind=kind)),
            "n": len(labels),
        }
        for kind in KINDS
    ]


def _draw(run: Run, config: Detection) -> None:
    panels = {}
    for which in ("clean", "corrupted"):
        for row in config.rows:
            found = [
                run.arrays(f"{config.network}/{row}/seed{seed}/logits", dict) for seed in config.all_seeds
            ]
            logits = np.concatenate([arrays[which] for arrays in found])
            labels = np.concatenate([arrays[f"{which}_labels"] for arrays in found])
            panels[f"{ROWS[row].label}, {which}"] = kf.evaluate.calibration_error(
                logits, labels, bins=config.bins
            )
    run.figure("reliability", kf.plots.reliability(panels))


def _report(run: Run, config: Detection, n: int, outside: dict[str, int]) -> None:
    head = ["row", "unknown images", "score", *METRICS.values()]
    rows = []
    for row in config.rows:
        for label in outside:
            for score in config.scores:
                found = cells(run, METRICS, row=row, outside=label, score=score)
                rows.append([ROWS[row].label, label, score, *found])
    severities = {"clean": 0, **{f"severity {s}": s for s in config.severities}, "all severities": -1}
    calibration_head = ["row", "error", *severities]
    calibration = [
        [
            ROWS[row].label,
            label,
            *(mean_and_range(values(run, row=row, measure=kind, severity=s)) for s in severities.values()),
        ]
        for row in config.rows
        for kind, label in KINDS.items()
    ]
    notes = (
        f"Network: {NETWORKS[config.network].label}. Higher scores mean more like the known classes. "
        f"Calibration: {config.bins} bins of equal width; the diagrams hold the images of all seeds."
    )
    write_report(
        run,
        "APR: unknown classes, and calibration",
        list(_claims(run, config, n, outside)),
        (f"Unknown images against {n} test images", head, rows),
        (f"Calibration, {config.bins} bins of equal width", calibration_head, calibration),
        notes=notes,
    )


def _claims(run: Run, config: Detection, n: int, outside: dict[str, int]) -> Iterator[Claim]:
    if not {"standard", "apr_sp"} <= set(config.rows):
        return
    rows = ("apr_sp", "standard")
    for label, count in outside.items():
        yield compare_rows(
            run,
            f"APR-SP tells {label} from the known classes better (AUROC of {config.scores[0]})",
            rows,
            {"outside": label, "score": config.scores[0], "measure": "auroc"},
            network=config.network,
            published="mean over sets and networks at best .947 [2nd]",
            n=n + count,
        )
    for severity, words in ((0, "clean images"), (-1, "corrupted images")):
        yield compare_rows(
            run,
            f"APR-SP is better calibrated on {words} (ECE)",
            rows,
            {"measure": "ece", "severity": severity},
            network=config.network,
            n=next(r["n"] for r in run.records if r.get("severity") == severity),
        )
