"""Experiment 1: which frequencies are learned when, with true and with shuffled labels."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

import keras_freq as kf
from apps.hfc.config import Learning
from apps.lab import Run
from apps.lab.images import load_images
from apps.lab.report import cells, compare, mean_and_range, values, write_report
from apps.lab.train import trained

LABELS = {"true": "true labels", "shuffled": "shuffled labels"}


def learning(run: Run, config: Learning) -> None:
    images = load_images(run, config.data, radii=config.radii)
    x, y = kf.spectral.rescale(images.train[0], config.rescale), images.train[1]
    n = min(config.measured_images or len(y), len(y))
    options: dict[str, Any] = {"radii": config.radii, "every": config.every, "rescale": config.rescale}
    curves = {}
    for kind in LABELS:
        epochs = config.training.epochs if kind == "true" else config.shuffled_epochs
        training = dataclasses.replace(config.training, epochs=epochs or config.training.epochs)
        for seed in config.all_seeds:
            labels = y if kind == "true" else kf.data.shuffle_labels(y, seed=seed)
            measured = x[:n], labels[:n]
            _, curves[kind, seed] = trained(
                run,
                kind,
                training,
                (x, labels),
                classes=len(images.classes),
                seed=seed,
                callbacks=[kf.callbacks.BandAccuracy(measured, **options)],
                watch={"measure": "band accuracy", "on": measured, **options},
            )
            run.measure(
                f"{kind}/seed{seed}/bands", _compare_moments, config, kind, seed, curves[kind, seed], n
            )
    _draw(run, config, curves, 1 / len(images.classes))
    _report(run, config, n)


def _columns(config: Learning) -> list[str]:
    return ["clean", *(f"{band}_{r:g}" for band in ("low", "high") for r in config.radii)]


def _compare_moments(config: Learning, kind: str, seed: int, history: dict, n: int) -> list[dict]:
    """Band accuracies where training accuracy first passes each threshold, and at the end."""
    clean = np.asarray(history["clean"], "float64")
    measured = np.flatnonzero(np.isfinite(clean))
    moments = {"end": measured[-1]}
    for threshold in config.thresholds:
        passed = measured[clean[measured] >= threshold]
        if len(passed):
            moments[f"{threshold:g}"] = passed[0]
    return [
        {"labels": kind, "moment": moment, "epoch": int(epoch) + 1, "measure": measure}
        | {"value": float(history[measure][epoch]), "seed": seed, "n": n}
        for moment, epoch in moments.items()
        for measure in _columns(config)
    ]


def _draw(run: Run, config: Learning, curves: dict, chance: float) -> None:
    panels = {}
    for band, words in (("low", "low-passed"), ("high", "high-passed")):
        for kind, label in LABELS.items():
            lines = {"all frequencies": "clean"} | {f"r = {r:g}": f"{band}_{r:g}" for r in config.radii}
            panels[f"{label}, {words}"] = {
                line: np.stack([curves[kind, seed][name] for seed in config.all_seeds])
                for line, name in lines.items()
            }
    figure = kf.plots.curves(
        panels, columns=2, chance=chance, title="Accuracy on filtered training images while a network learns"
    )
    run.figure("learning", figure)


def _complete(run: Run, config: Learning, moment: str) -> bool:
    """Whether every training came to that accuracy."""
    return all(
        len(values(run, labels=kind, moment=moment, measure="clean")) == len(config.all_seeds)
        for kind in LABELS
    )


def _report(run: Run, config: Learning, n: int) -> None:
    moments = [f"{threshold:g}" for threshold in sorted(config.thresholds)] + ["end"]
    head = ["labels", "training accuracy", "epoch", "all"]
    head += [f"{band}{r:g}" for band in "LH" for r in config.radii]
    rows = []
    for moment in moments:
        for kind in LABELS:
            found = [r for r in run.records if r.get("labels") == kind and r.get("moment") == moment]
            if not found:
                continue
            epochs = sorted({(r["seed"], r["epoch"]) for r in found})
            when = "at the end" if moment == "end" else f"first at {moment} or above"
            bands = cells(run, _columns(config), 2, labels=kind, moment=moment)
            rows.append([kind, when, mean_and_range([e for _, e in epochs], 0), *bands])
    claims = []
    published = "epoch 100: L4 .27 L8 .65 L12 .90 L16 .97; shuffled, epoch 300: .145 .53 .90 .97 [author]"
    shared = [moment for moment in moments[:-1] if _complete(run, config, moment)]
    for moment in shared or ["end"]:
        for radius in config.radii[:2]:
            true, shuffled = (
                values(run, labels=kind, moment=moment, measure=f"low_{radius:g}") for kind in LABELS
            )
            when = "at the end" if moment == "end" else f"when training accuracy first reaches {moment}"
            claims.append(
                compare(
                    f"Low frequencies come first with true labels; shuffled labels need high ones too "
                    f"(L{radius:g} {when})",
                    ("true", true),
                    ("shuffled", shuffled),
                    published=published,
                    higher="higher with true labels",
                    n=n,
                    stages=("true/", "shuffled/"),
                )
            )
    notes = f"Network: {config.training.network}, normalization {config.training.normalization}."
    title = f"Accuracy on {n} filtered training images, over the seeds"
    write_report(run, "HFC: what is learned when", claims, (title, head, rows), notes=notes)
