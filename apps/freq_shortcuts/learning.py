"""Early learning on natural images, as they are, low-passed and high-passed."""

from __future__ import annotations

import numpy as np

import keras_freq as kf
from apps.freq_shortcuts.config import Learning
from apps.freq_shortcuts.early import LEARNED, KeptEarlyLearning, train_early
from apps.freq_shortcuts.images import load_images
from apps.lab import Claim, Run
from apps.lab.images import Images, as_floats
from apps.lab.networks import NETWORKS
from apps.lab.report import mean_and_range, write_report

LABELS = {"original": "images as they are", "low": "low-passed", "high": "high-passed"}


def learning(run: Run, config: Learning) -> None:
    images = load_images(run, config.data)
    found: dict[tuple[str, int], KeptEarlyLearning] = {}
    for kind in config.kinds:
        train, test = (_filter(kind, config.radius, *split) for split in (images.train, images.test))
        for seed in config.all_seeds:
            record = {"kind": kind, "seed": seed, "n": len(test[1]), "measure": "f1"}
            _, early = train_early(
                run,
                kind,
                config.training,
                train,
                test,
                classes=len(images.classes),
                every=config.every,
                seed=seed,
                record={"kind": kind},
            )
            found[kind, seed] = early
            run.measure(f"{kind}/seed{seed}", _describe, early.f1[-1], images.classes, record)
    _draw(run, config, images, found)
    _report(run, config, images, found)


def _describe(f1: np.ndarray, classes: tuple[str, ...], record: dict) -> list[dict]:
    return [{**record, "class": name, "value": float(value)} for name, value in zip(classes, f1, strict=True)]


def _filter(
    kind: str, radius: float, pixels: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if kind == "original":
        return pixels, labels
    filter_ = kf.spectral.low_pass if kind == "low" else kf.spectral.high_pass
    # In parts: a filter holds the spectra of all images that it is given.
    parts = [filter_(as_floats(pixels[k : k + 256]), radius) for k in range(0, len(pixels), 256)]
    return np.concatenate(parts), labels


def _draw(run: Run, config: Learning, images: Images, found: dict) -> None:
    figure = kf.plots.curves(
        {
            LABELS[kind]: {
                name: np.stack([found[kind, seed].f1[:, label] for seed in config.all_seeds])
                for label, name in enumerate(images.classes)
            }
            for kind in config.kinds
        },
        x=found[config.kinds[0], config.seed].steps,
        columns=len(config.kinds),
        xlabel="iteration",
        ylabel="F1 on test images of the kind",
        title=f"{NETWORKS[config.training.network].label}: F1 of each class over the first iterations "
        f"(radius {config.radius:g})",
    )
    run.figure("early", figure)


def _report(run: Run, config: Learning, images: Images, found: dict) -> None:
    n = len(images.test[1])
    head = ["images", "learned first", *images.classes, "mean"]
    rows = []
    claims = []
    for kind in config.kinds:
        kept = [found[kind, seed] for seed in config.all_seeds]
        f1 = np.stack([early.f1[-1] for early in kept])
        orders = [early.first_learned(LEARNED) for early in kept]
        names = [", ".join(images.classes[c] for c in order[:2]) or "none" for order in orders]
        cells = [f"{value:.2f}" for value in f1.mean(axis=0)]
        rows.append([LABELS[kind], "; ".join(names), *cells, mean_and_range(f1.mean(axis=1), 2)])
        best = [images.classes[int(np.argmax(row))] for row in f1]
        claims.append(
            Claim(
                f"Classes are learned at different times on {LABELS[kind]}"
                + ("" if kind == "original" else f", radius {config.radius:g}"),
                "pictures only [2nd]",
                f"first to F1 {LEARNED:g}, by seed: {'; '.join(names)}; highest F1 after "
                f"{config.training.iterations} iterations: {', '.join(best)}; "
                f"mean F1 {mean_and_range(f1.mean(axis=1), 2)}",
                n,
                (f"{kind}/",),
            )
        )
    title = f"F1 after {config.training.iterations} iterations, means over the seeds, n = {n}"
    write_report(
        run,
        "Frequency shortcuts: early learning on natural images",
        claims,
        (title, head, rows),
        notes=f"{title}; the first two classes to reach F1 {LEARNED:g}, by seed.",
    )
