"""A network that nobody here trained: which frequencies it reads, and whether it takes shortcuts."""

from __future__ import annotations

import keras
import numpy as np

import keras_freq as kf
from apps.freq_shortcuts.config import Pretrained
from apps.freq_shortcuts.efficientnet_lite import cut_head, find_places, load_efficientnet_lite0
from apps.freq_shortcuts.maps import journal
from apps.lab import Run, RunError
from apps.lab.report import write_report


def pretrained(run: Run, config: Pretrained) -> None:
    images, labels, classes = _load(run, config)
    side = images.shape[1]
    whole = load_efficientnet_lite0(side)
    places = find_places(classes)
    ten = cut_head(whole, places)
    run.measure("accuracy", _measure_accuracy, whole, ten, places, images, labels)
    data = (images, labels)
    bands = run.result("bands", kf.evaluate.band_accuracy, ten, data, radii=config.radii)
    heat = run.result(
        "heat_map",
        kf.evaluate.fourier_heat_map,
        ten,
        data,
        epsilon=config.epsilon,
        n=config.heat_map_images,
        window=config.window,
        coverage="half",
    )
    first = (images[: config.corrupted_images], labels[: config.corrupted_images])
    corrupted = run.result(
        "corruptions", kf.evaluate.corruption_error, ten, first, severities=(config.severity,), jpeg=0
    )
    attacked = run.result(
        "attacks",
        kf.evaluate.adversarial_accuracy,
        ten,
        data,
        epsilons=[level / 255 for level in config.levels],
        steps=config.attack_steps,
        n=config.attack_images,
        engine="own",
    )
    noise_images = (images[: config.noise_images], labels[: config.noise_images])
    channel = run.result(
        "channel",
        kf.evaluate.critical_band,
        ten,
        noise_images,
        contrast=config.contrast,
        deviations=config.deviations,
        seed=config.seed,
    )
    chosen = _choose_search(labels, config.images_per_class)
    search, rest = (images[chosen], labels[chosen]), (images[~chosen], labels[~chosen])
    ranking = run.result(
        "ranking",
        kf.shortcuts.frequency_importance,
        ten,
        *search,
        patch=config.patch,
        checkpoint=journal(run, "ranking"),
    )
    stages = run.result(
        "hfss",
        kf.shortcuts.hfss,
        ten,
        *search,
        budgets=config.budgets,
        seed=config.seed,
        checkpoint=journal(run, "hfss"),
    )
    maps = {
        "ranking": kf.shortcuts.dominant_frequency_map(ranking, config.fraction, ties="exact"),
        "HFSS": stages.maps,
    }
    reports = {
        name: run.result(f"shortcuts/{name}", kf.shortcuts.shortcut_report, ten, rest, found)
        for name, found in maps.items()
    }
    run.figure("heat_map", kf.plots.heat_map(heat))
    if np.isfinite(channel.center):
        run.figure("channel", kf.plots.critical_band({"EfficientNet-Lite0": channel}))
    run.figure("maps", kf.plots.frequency_maps(maps["HFSS"], classes=classes))
    _report(run, config, classes, bands, heat, corrupted, attacked, channel, reports)


def _load(run: Run, config: Pretrained) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    try:
        data = kf.data.load(config.data, image_size=config.image_size)
    except (FileNotFoundError, ValueError) as error:
        raise RunError(str(error)) from error
    find_places(data.classes)
    split = "test" if data.test is not None else "train"
    pixels, labels = data.arrays(split, limit=config.images, dtype="uint8")
    for name in ("heat_map_images", "attack_images"):
        if (count := getattr(config, name)) > len(labels):
            raise RunError(
                f"`{name}` must be at most the number of images, {len(labels)}. Received: {name}={count}"
            )
    run.say(f"{data.name}: {len(labels)} images of {pixels.shape[1]} x {pixels.shape[2]} pixels")
    return pixels, labels, data.classes


def _measure_accuracy(
    whole: keras.Model, ten: keras.Model, places: np.ndarray, images: np.ndarray, labels: np.ndarray
) -> list[dict]:
    common = {"measure": "accuracy", "n": len(labels)}
    declared = [kf.Classifier(model, value_range=(0, 1)) for model in (whole, ten)]
    among_all = kf.evaluate.accuracy(declared[0], (images, places[labels]))
    among_ten = kf.evaluate.accuracy(declared[1], (images, labels))
    return [
        {**common, "among": len(whole.layers[-1].get_weights()[1]), "value": among_all.accuracy},
        {**common, "among": len(places), "value": among_ten.accuracy},
    ]


def _choose_search(labels: np.ndarray, count: int) -> np.ndarray:
    """Marks the first images of every class: maps are tested on the others."""
    chosen = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        chosen[np.flatnonzero(labels == label)[:count]] = True
    if chosen.all():
        raise RunError(
            f"`images_per_class` must leave images to test the maps on. Received: images_per_class={count}"
        )
    return chosen


def _report(
    run: Run, config: Pretrained, classes, bands, heat, corrupted, attacked, channel, reports
) -> None:
    accuracies = [
        [f"accuracy among {row['among']} classes", f"{row['value']:.3f}", str(row["n"])]
        for row in run.measured("accuracy")
    ]
    for name, rates in (("low", bands.low), ("high", bands.high)):
        for radius, rate in zip(bands.radii, rates, strict=True):
            accuracies.append([f"{name}-passed, r = {radius:g}", f"{rate:.3f}", str(bands.n)])
    measured = {ring: error for ring, error in heat.ring_means().items() if np.isfinite(error)}
    for ring, error in measured.items():
        accuracies.append([f"error under waves of {ring} frequency", f"{error:.3f}", str(heat.n)])
    accuracies.append(["corruption error", f"{corrupted.mean:.3f}", str(corrupted.n)])
    for level, rate in zip(config.levels, attacked.accuracy, strict=True):
        accuracies.append([f"accuracy after PGD, {level:g}/255", f"{rate:.3f}", str(attacked.n)])
    words = {"center": "cycles per image", "bandwidth": "octaves"}
    for name, unit in words.items():
        low, high = channel.intervals[name]
        cell = f"{getattr(channel, name):.2f} ({low:.2f} to {high:.2f})"
        accuracies.append([f"{name} of the channel, {unit}", cell, str(channel.n)])
    shortcuts = []
    for index, name in enumerate(classes):
        cells = [name]
        for report in reports.values():
            cells += [f"{report.share[index]:.3f}", f"{report.tpr[index]:.3f}", f"{report.fpr[index]:.3f}"]
        shortcuts.append(cells)
    head = ["class", *(f"{name}: {part}" for name in reports for part in ("share", "TPR", "FPR"))]
    write_report(
        run,
        "EfficientNet-Lite0 of ImageNet-1k, as it comes",
        [],
        ("What it reads", ("measure", "value", "n"), accuracies),
        (f"Images that keep a class's map alone, n = {reports['HFSS'].n}", head, shortcuts),
    )
