"""Experiment 5: images known by their high frequencies and mistaken by their low ones."""

from __future__ import annotations

import keras
import numpy as np

import keras_freq as kf
from apps.hfc.config import Gallery
from apps.lab import Claim, Run
from apps.lab.images import Images, load_images
from apps.lab.report import cells, mean_and_range, values, write_report
from apps.lab.train import trained

PUBLISHED = "8 samples shown, about 600 [author]"
PARTS = ("original", "high", "low")
KNOWN, EXPECTED = "right by high, wrong by low", "of these by chance"


def gallery(run: Run, config: Gallery) -> None:
    images = load_images(run, config.data, radii=config.radii)
    x, y = images.train
    x = kf.spectral.rescale(x, config.rescale)
    found = {}
    for seed in config.all_seeds:
        model, _ = trained(run, "network", config.training, (x, y), classes=len(images.classes), seed=seed)
        for radius in config.radii:
            name = f"network/seed{seed}/radius{radius:g}"
            found[seed, radius] = run.arrays(name, _predict, model, images, radius, config)
            run.measure(f"{name}/count", _count, found[seed, radius], images, radius, seed)
    _draw(run, config, images, found[config.seed, config.radius])
    _report(run, config, len(images.test[1]))


def _predict(model: keras.Model, images: Images, radius: float, config: Gallery) -> dict[str, np.ndarray]:
    """Predicted class and confidence of every test image, from the original and from its two parts."""
    x, _ = images.test
    low, high = kf.spectral.split_bands(x, radius)
    arrays = {}
    for part, pixels in zip(PARTS, (x, high, low), strict=True):
        if part != "original":
            pixels = kf.spectral.rescale(pixels, config.rescale)
        logits = kf.evaluate.predict_logits(model, pixels).astype("float64")
        shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
        arrays[f"{part}_class"] = logits.argmax(axis=-1).astype("int32")
        arrays[f"{part}_confidence"] = (shares / shares.sum(axis=-1, keepdims=True)).max(axis=-1)
    return arrays


def choose(found: dict[str, np.ndarray], labels: np.ndarray) -> np.ndarray:
    """Places of the images that are right from original and high part and wrong from the low part.

    The surest first, by the smaller of the confidences from high and low part.
    """
    right = {part: found[f"{part}_class"] == labels for part in PARTS}
    places = np.flatnonzero(right["original"] & right["high"] & ~right["low"])
    sureness = np.minimum(found["high_confidence"], found["low_confidence"])[places]
    return places[np.argsort(-sureness, kind="stable")]


def expect(found: dict[str, np.ndarray], labels: np.ndarray) -> float:
    """How many images `choose` would find if what is said of the high parts had nothing to do with them.

    Each class would be said of as many high parts as it is, of any.
    """
    asked = (found["original_class"] == labels) & (found["low_class"] != labels)
    said = np.bincount(found["high_class"], minlength=int(labels.max()) + 1) / len(labels)
    return float(said[labels[asked]].sum())


def _count(found: dict[str, np.ndarray], images: Images, radius: float, seed: int) -> list[dict]:
    labels = images.test[1]
    start = {"radius": radius, "seed": seed, "n": len(labels)}
    rows = [
        start | {"measure": f"accuracy, {part}", "value": float((found[f"{part}_class"] == labels).mean())}
        for part in PARTS
    ]
    rows.append(start | {"measure": KNOWN, "value": len(choose(found, labels))})
    return [*rows, start | {"measure": EXPECTED, "value": expect(found, labels)}]


def _draw(run: Run, config: Gallery, images: Images, found: dict[str, np.ndarray]) -> None:
    x, labels = images.test
    shown = choose(found, labels)[: config.examples]
    if not len(shown):
        run.say(f"no image is right by its high part and wrong by its low part at radius {config.radius:g}")
        return
    predictions = {
        part: (found[f"{part}_class"][shown], found[f"{part}_confidence"][shown]) for part in PARTS
    }
    figure = kf.plots.component_predictions(
        x[shown],
        predictions,
        radius=config.radius,
        labels=labels[shown],
        classes=images.classes,
        title=f"Known by high frequencies, mistaken by low ones ({len(choose(found, labels))} of "
        f"{len(labels)} test images, the surest {len(shown)})",
    )
    run.figure("gallery", figure)


def _report(run: Run, config: Gallery, n: int) -> None:
    accuracies = [f"accuracy, {part}" for part in PARTS]
    counts = {
        radius: [mean_and_range(values(run, radius=radius, measure=name), 0) for name in (KNOWN, EXPECTED)]
        for radius in config.radii
    }
    rows = [[f"{r:g}", *cells(run, accuracies, radius=r), *count] for r, count in counts.items()]
    claims = [
        Claim(
            f"There are images that are predicted rightly from the original and the high part and wrongly "
            f"from the low part (r = {radius:g})",
            PUBLISHED if radius == 12 else "none at this radius",
            f"{count} of {n} images; {chance} by chance",
            n,
            ("network/",),
        )
        for radius, (count, chance) in counts.items()
    ]
    notes = (
        f"Network: {config.training.network}, normalization {config.training.normalization}. By chance: if "
        "the high parts were said to be of each class as often as they are, but of any image."
    )
    table = (f"Of {n} test images, over the seeds", ["radius", *accuracies, KNOWN, EXPECTED], rows)
    write_report(run, "HFC: gallery", claims, table, notes=notes)
