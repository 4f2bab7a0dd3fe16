"""Experiment 7: how fast high-passed images are learned, with and without batch normalisation."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

import keras_freq as kf
from apps.hfc.config import BNStudy
from apps.lab import Run
from apps.lab.images import load_images
from apps.lab.report import cells, compare, values, write_report
from apps.lab.train import trained

NAMES = {"vanilla": "without batch normalisation", "batch_norm": "with batch normalisation"}


def bn_study(run: Run, config: BNStudy) -> None:
    images = load_images(run, config.data, radii=config.radii)
    curves, n = {}, len(images.train[1])
    for radius in config.radii:
        filtered = {
            split: (kf.spectral.rescale(kf.spectral.high_pass(pixels, radius), config.rescale), labels)
            for split, (pixels, labels) in (("train", images.train), ("test", images.test))
        }
        for seed in config.all_seeds:
            for name in NAMES:
                kind = "none" if name == "vanilla" else config.batch_norm
                record = {"network": name, "radius": radius, "seed": seed}
                model, history = trained(
                    run,
                    f"{name}/radius{radius:g}",
                    dataclasses.replace(config.training, normalization=kind),
                    filtered["train"],
                    classes=len(images.classes),
                    seed=seed,
                    record=record,
                )
                curve = curves[name, radius, seed] = history["accuracy"]
                stage = f"{name}/radius{radius:g}/seed{seed}/speed"
                run.measure(stage, _measure_speed, model, filtered["test"], curve, n, record)
    _draw(run, config, curves)
    _report(run, config, n)


def _measure_speed(
    model: keras.Model, test: tuple[np.ndarray, np.ndarray], curve: list[float], n: int, record: dict
) -> list[dict]:
    """Mean training accuracy over the epochs, the last one, and test accuracy on high-passed images."""
    result = kf.evaluate.accuracy(model, test)
    return [
        record | {"measure": "mean over epochs", "value": float(np.mean(curve)), "n": n},
        record | {"measure": "last epoch", "value": float(curve[-1]), "n": n},
        record | {"measure": "test", "value": result.accuracy, "n": result.n},
    ]


def _draw(run: Run, config: BNStudy, curves: dict) -> None:
    panels = {
        f"high-passed, r = {radius:g}": {
            label: np.stack([curves[name, radius, seed] for seed in config.all_seeds])
            for name, label in NAMES.items()
        }
        for radius in config.radii
    }
    figure = kf.plots.curves(
        panels, ylabel="training accuracy", chance=0.1, title="Learning from high frequencies alone"
    )
    run.figure("bn_study", figure)


def _report(run: Run, config: BNStudy, n: int) -> None:
    measures = ("mean over epochs", "last epoch", "test")
    head = ["radius", "network", "training accuracy, mean over epochs", "last epoch"]
    head.append("high-passed test images")
    rows, claims = [], []
    for radius in config.radii:
        for name, label in NAMES.items():
            rows.append([f"{radius:g}", label, *cells(run, measures, network=name, radius=radius)])
        vanilla, batch = (values(run, network=name, radius=radius, measure=measures[0]) for name in NAMES)
        claims.append(
            compare(
                f"High-passed images are learned faster with batch normalisation (r = {radius:g}, mean "
                f"training accuracy over {config.training.epochs} epochs)",
                ("with", batch),
                ("without", vanilla),
                published="no figure that can be compared",
                higher="faster with",
                lower="slower with",
                n=n,
                stages=tuple(f"{name}/radius{radius:g}/" for name in NAMES),
            )
        )
    title = f"Learning from high-passed images, n = {n}, over the seeds"
    notes = f"Network: {config.training.network}."
    write_report(run, "HFC: batch normalisation study", claims, (title, head, rows), notes=notes)
