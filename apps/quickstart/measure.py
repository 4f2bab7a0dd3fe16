"""What the quickstart measures: bands, noise, and an attack through Foolbox."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

import keras_freq as kf
from apps.lab import Run
from apps.quickstart.config import Quickstart


def measure(
    run: Run, config: Quickstart, classifiers: dict[str, keras.Model], test: tuple[np.ndarray, np.ndarray]
) -> tuple[dict[str, kf.evaluate.BandAccuracyResult], dict[str, dict[str, np.ndarray]]]:
    """Measures the classifiers; returns bands and the arrays of the attack for the figures, by classifier."""
    bands, attacks = {}, {}
    steps = [(name, kind) for name in classifiers for kind in ("bands", "noise", "linf_pgd")]
    for name, kind in run.sweep(steps, "measuring"):
        classifier = classifiers[name]
        if kind == "bands":
            options: dict[str, Any] = {"radii": config.measure.radii, "batch_size": 250}
            bands[name] = run.result(f"{name}/result", kf.evaluate.band_accuracy, classifier, test, **options)
            run.measure(f"{name}/bands", _list_bands, name, bands[name])
        elif kind == "noise":
            run.measure(f"{name}/noise", _measure_noise, name, classifier, test, config)
        else:
            attacks[name] = run.arrays(f"{name}-linf_pgd", _attack, classifier, *test, config)
            run.measure(f"{name}/linf_pgd", _list_attack, name, attacks[name], config)
    return bands, attacks


def _record(name: str, measured: str, setting: float, value: float, n: int) -> dict:
    return {"model": name, "measure": measured, "setting": setting, "value": value, "n": n}


def _list_bands(name: str, result: kf.evaluate.BandAccuracyResult) -> list[dict]:
    rows = [_record(name, "clean", 0, result.clean, result.n)]
    for radius, low, high in zip(result.radii, result.low, result.high, strict=True):
        rows.append(_record(name, "low-passed", radius, low, result.n))
        rows.append(_record(name, "high-passed", radius, high, result.n))
    return rows


def _measure_noise(
    name: str, classifier: keras.Model, test: tuple[np.ndarray, np.ndarray], config: Quickstart
) -> list[dict]:
    images, labels = test
    rows = []
    for sigma in config.measure.sigmas:
        noisy = add_noise(images, sigma, seed=config.seed)
        result = kf.evaluate.accuracy(classifier, (noisy, labels), batch_size=250)
        rows.append(_record(name, "Gaussian noise", sigma, result.accuracy, result.n))
    return rows


def _list_attack(name: str, found: dict[str, np.ndarray], config: Quickstart) -> list[dict]:
    pairs = zip([0.0, *found["epsilons"]], [found["clean"], *found["accuracy"]], strict=True)
    n = config.measure.attack_images
    return [_record(name, "LinfPGD", float(epsilon), float(value), n) for epsilon, value in pairs]


def add_noise(images: np.ndarray, sigma: float, *, seed: int) -> np.ndarray:
    """Gaussian noise of deviation `sigma` added, clipped to [0, 1], the same for every network."""
    draws = np.random.default_rng([seed, 1]).standard_normal(images.shape, dtype="float32")
    return np.clip(images + np.float32(sigma) * draws, 0.0, 1.0)


def _attack(
    classifier: keras.Model, images: np.ndarray, labels: np.ndarray, config: Quickstart
) -> dict[str, np.ndarray]:
    """Accuracy under Foolbox' LinfPGD, the mean spectrum of what it adds, and a few images that it fooled."""
    settings = config.measure
    result = kf.evaluate.adversarial_accuracy(
        classifier,
        (images, labels),
        attack="linf_pgd",
        epsilons=[epsilon / 255 for epsilon in settings.epsilons],
        steps=settings.attack_steps,
        n=settings.attack_images,
        batch_size=min(settings.attack_images, 100),
        seed=config.seed,
        keep_images=True,
    )
    kept = result.images
    assert kept is not None  # they were asked for
    fooled = np.flatnonzero((kept.clean_predictions == kept.labels) & (kept.predictions != kept.labels))
    change = kept.adversarials - kept.originals
    shown = fooled[: settings.examples]
    maps = kf.spectral.amplitude(change[fooled] if len(fooled) else change)
    return {
        "epsilons": np.asarray(result.epsilons) * 255,
        "accuracy": np.asarray(result.accuracy),
        "clean": np.asarray(result.clean),
        "fooled": np.asarray(len(fooled)),
        "spectrum": np.asarray(maps).mean(axis=(0, 3)),
        "originals": kept.originals[shown],
        "adversarials": kept.adversarials[shown],
        "labels": kept.labels[shown],
        "predictions": kept.predictions[shown],
    }
