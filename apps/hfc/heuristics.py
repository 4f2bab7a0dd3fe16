"""Experiment 2: which frequencies the heuristics of training lead to."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np

import keras_freq as kf
from apps.hfc.config import Heuristics
from apps.lab import Claim, Run
from apps.lab.images import Images, load_images
from apps.lab.networks import classifier
from apps.lab.report import cells, compare, values, write_report
from apps.lab.settings import Augmentations, Training
from apps.lab.train import trained

NAMES = {
    "vanilla": "vanilla",
    "dropout": "dropout",
    "mix_up": "mix-up",
    "batch_norm": "batch normalization",
    "adversarial": "adversarial training",
}
# The published network normalizes by the statistics of the batch at hand at test time too; both are measured,
# from the same weights.
AT_TEST = {"batch_norm": "batch", "batch_norm_batch": "batch_statistics"}
ROWS = {
    "vanilla": "vanilla",
    "dropout": "dropout",
    "mix_up": "mix-up",
    "batch_norm": "batch normalization, running statistics",
    "batch_norm_batch": "batch normalization, statistics of the test batch",
    "adversarial": "adversarial training",
}
WAYS = {"none": "as they are", "max": "divided by their maximum"}
# Images a batch when that matters; the published size.
TEST_BATCH = 100
# Read off the authors' poster at epoch 100, within 0.02, L4 and L8 within 0.05 [author].
PUBLISHED = {
    "vanilla": (0.92, 0.84, 0.23, 0.55, 0.80, 0.83, 0.10, 0.10, 0.15, 0.13),
    "dropout": (0.90, 0.83, 0.21, 0.52, 0.78, 0.82, 0.22, 0.22, 0.20, 0.13),
    "mix_up": (0.77, 0.85, 0.25, 0.57, 0.80, 0.83, 0.48, 0.34, 0.15, 0.13),
    "batch_norm_batch": (0.96, 0.845, 0.38, 0.70, 0.81, 0.84, 0.65, 0.55, 0.39, 0.18),
    "adversarial": (None, 0.69, 0.54, 0.67, 0.69, 0.69, 0.17, 0.11, 0.10, 0.10),
}
PUBLISHED_RADII = (4, 8, 12, 16)


def heuristics(run: Run, config: Heuristics) -> None:
    images = load_images(run, config.data, radii=config.radii)
    curves = {}
    for name in NAMES:
        training = recipe_of(name, config)
        # Images are never divided for adversarial training, as published; all are tested alike.
        divided = "none" if name == "adversarial" else config.rescale
        train = kf.spectral.rescale(images.train[0], divided), images.train[1]
        for seed in config.all_seeds:
            model, curves[name, seed] = trained(
                run,
                name,
                training,
                train,
                classes=len(images.classes),
                seed=seed,
                **_on_the_way(config, images),
            )
            tested = {name: model}
            if name == "batch_norm":
                tested = {row: _at_test(model, training, kind, images) for row, kind in AT_TEST.items()}
            for row, one in tested.items():
                for mode in ("none", "max"):
                    stage = f"{row}/seed{seed}/bands/{mode}"
                    run.measure(stage, _measure_bands, config, images, one, row, seed, mode)
    _draw(run, config, curves, 1 / len(images.classes))
    _report(run, config, len(images.test[1]))


def _on_the_way(config: Heuristics, images: Images) -> dict[str, Any]:
    """What is measured while the networks train."""
    if config.every is None:
        return {}
    options: dict[str, Any] = {"radii": config.radii, "every": config.every, "rescale": config.rescale}
    return {
        "callbacks": [kf.callbacks.BandAccuracy(images.test, **options)],
        "watch": {"measure": "band accuracy", "on": images.test, **options},
    }


def recipe_of(name: str, config: Heuristics) -> Training:
    """How the network of that name is trained."""
    training = config.training
    if name == "dropout":
        return dataclasses.replace(training, dropout=config.dropout)
    if name == "mix_up":
        strengths = Augmentations(mix_up=config.mix_up)
        return dataclasses.replace(training, augmentation="mix_up", augmentations=strengths)
    if name == "batch_norm":
        rate = config.batch_norm_rate or training.learning_rate
        return dataclasses.replace(training, normalization=config.batch_norm, learning_rate=rate)
    if name == "adversarial":
        return config.adversary.applied_to(training)
    return training


def _at_test(model: keras.Model, training: Training, kind: Any, images: Images) -> keras.Model:
    """The trained network with the other kind of batch normalization, which has the same weights."""
    training = dataclasses.replace(training, normalization=kind)
    twin = classifier(training, images.shape, len(images.classes), seed=0, name=model.name)
    twin.set_weights(model.get_weights())
    return twin


def _measure_bands(
    config: Heuristics, images: Images, model: keras.Model, name: str, seed: int, mode: Any
) -> list[dict]:
    result = kf.evaluate.band_accuracy(
        model, images.test, radii=config.radii, rescale=mode, batch_size=TEST_BATCH
    )
    rows = [("clean", result.clean)]
    rows += [(f"L{r:g}", value) for r, value in zip(result.radii, result.low, strict=True)]
    rows += [(f"H{r:g}", value) for r, value in zip(result.radii, result.high, strict=True)]
    return [
        {"network": name, "rescale": mode, "measure": band, "value": value, "seed": seed, "n": result.n}
        for band, value in rows
    ]


def _draw(run: Run, config: Heuristics, curves: dict, chance: float) -> None:
    if config.every is None:
        run.figure("heuristics", _draw_bands(run, config, chance))
        return
    trained_with = "batch_norm_batch" if config.batch_norm == "batch_statistics" else "batch_norm"
    names = {**NAMES, "batch_norm": ROWS[trained_with]}
    panels = {
        f"{words}, r = {radius:g}": {
            label: np.stack([curves[name, seed][f"{band}_{radius:g}"] for seed in config.all_seeds])
            for name, label in names.items()
        }
        for band, words in (("low", "low-passed"), ("high", "high-passed"))
        for radius in config.radii
    }
    figure = kf.plots.curves(
        panels,
        columns=len(config.radii),
        chance=chance,
        title="Accuracy on filtered test images, five ways to train",
    )
    run.figure("heuristics", figure)


def _draw_bands(run: Run, config: Heuristics, chance: float) -> Any:
    """At the end of training, over the radius, as they are and divided by their maximum."""
    radii = sorted(config.radii)
    panels = {
        f"{words}, {way}": {
            label: np.stack(
                [values(run, network=name, rescale=mode, measure=f"{band}{r:g}") for r in radii], axis=1
            )
            for name, label in ROWS.items()
        }
        for mode, way in WAYS.items()
        for band, words in (("L", "low-passed"), ("H", "high-passed"))
    }
    title = "Accuracy on filtered test images, five ways to train"
    return kf.plots.curves(panels, x=radii, xlabel="radius", columns=2, chance=chance, title=title)


def _report(run: Run, config: Heuristics, n: int) -> None:
    columns = ["clean", *(f"{band}{r:g}" for band in "LH" for r in config.radii)]
    head = ["network", "filtered images", "train", "test", *columns[1:]]
    rows = []
    for name, label in ROWS.items():
        accuracy = cells(run, ["training accuracy"], 2, network=name.removesuffix("_batch"))
        for mode, way in WAYS.items():
            rows.append([label, way, *accuracy, *cells(run, columns, 2, network=name, rescale=mode)])
        if config.radii == PUBLISHED_RADII and name in PUBLISHED:
            rows.append([label, "published [author]", *map(_published, PUBLISHED[name])])
    claims = []
    for mode in ("none", "max"):
        note = "" if mode == "none" else ", filtered images divided by their maximum"

        def found(name: str, column: str, mode: str = mode) -> np.ndarray:
            return values(run, network=name, rescale=mode, measure=column)

        lowest = f"L{config.radii[0]:g}"
        highs = [f"H{radius:g}" for radius in config.radii[:2]]
        batch = "batch_norm_batch"
        for text, names, columns in (
            ("Batch normalization promotes high frequencies", (batch, "vanilla"), highs),
            ("Mix-up promotes high frequencies", ("mix_up", "vanilla"), highs),
            ("Dropout promotes high frequencies", ("dropout", "vanilla"), highs),
            ("Batch normalization does so with running statistics too", ("batch_norm", "vanilla"), highs[:1]),
            ("Adversarial training lowers high frequencies", ("adversarial", batch), highs[:1]),
            ("Adversarial training lowers high frequencies", ("adversarial", "vanilla"), highs[:1]),
            ("Adversarial training keeps low frequencies", ("adversarial", "vanilla"), [lowest]),
        ):
            for column in columns:
                claims.append(_claim(f"{text} ({column}{note})", names, column, found, n, config))
    notes = (
        f"Network: {config.training.network}. Rows 'published' are read off the authors' poster (ResNet-32, "
        "epoch 100; training and filtered images divided by their maximum, but for adversarial training; "
        f"batch normalization by the statistics of test batches of {TEST_BATCH}). Our adversarial training "
        "divides nothing either."
    )
    title = f"Accuracy on {n} test images, over the seeds"
    write_report(run, "HFC: heuristics", claims, (title, head, rows), notes=notes)


def _published(value: float | None) -> str:
    """As it was read off: two digits, or the three that one has."""
    return "n/a" if value is None else f"{value:.3f}".removesuffix("0")


def _claim(text: str, names: tuple[str, str], column: str, found, n: int, config: Heuristics) -> Claim:
    first, second = (found(name, column) for name in names)
    published = "-"
    if config.radii == PUBLISHED_RADII and all(name in PUBLISHED for name in names):
        place = 2 + [f"{band}{r:g}" for band in "LH" for r in config.radii].index(column)
        published = (
            ", ".join(f"{ROWS[name]} {_published(PUBLISHED[name][place])}" for name in names) + " [author]"
        )
    labels = (ROWS[name] for name in names)
    return compare(
        text,
        *zip(labels, (first, second), strict=True),
        published=published,
        n=n,
        stages=tuple(f"{name.removesuffix('_batch')}/" for name in names),
    )
