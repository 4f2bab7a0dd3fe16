"""What the quickstart measures: bands, noise, and an attack through Foolbox."""

from __future__ import annotations

import keras
import numpy as np

import keras_freq as kf
from apps.lab import Run
from apps.quickstart.config import Quickstart


def measure(
    run: Run, config: Quickstart, classifiers: dict[str, keras.Model], test: tuple[np.ndarray, np.ndarray]
) -> dict[str, dict[str, np.ndarray]]:
    """Measures the classifiers; returns the arrays of the attack for the figures, by classifier."""
    images, labels = test
    settings = config.measure
    attacks = {}
    steps = [(name, kind) for name in classifiers for kind in ("bands", "noise", "linf_pgd")]
    for name, kind in run.sweep(steps, "measuring"):
        classifier = classifiers[name]

        def record(measure: str, setting: float, value: float, n: int, name: str = name) -> dict:
            return {"model": name, "measure": measure, "setting": setting, "value": value, "n": n}

        def bands(classifier=classifier, record=record):
            result = kf.evaluate.band_accuracy(
                classifier, (images, labels), radii=settings.radii, batch_size=250
            )
            rows = [record("clean", 0, result.clean, result.n)]
            for radius, low, high in zip(result.radii, result.low, result.high, strict=True):
                rows += [
                    record("low-passed", radius, low, result.n),
                    record("high-passed", radius, high, result.n),
                ]
            return rows

        def noise(classifier=classifier, record=record):
            rows = []
            for sigma in settings.sigmas:
                noisy = add_noise(images, sigma, seed=config.seed)
                result = kf.evaluate.accuracy(classifier, (noisy, labels), batch_size=250)
                rows.append(record("Gaussian noise", sigma, result.accuracy, result.n))
            return rows

        def attack(classifier=classifier):
            return _attack(classifier, images, labels, config)

        def linf_pgd(attack=attack, record=record, name=name):
            found = run.arrays(f"{name}-linf_pgd", attack)
            pairs = zip([0.0, *found["epsilons"]], [found["clean"], *found["accuracy"]], strict=True)
            return [record("LinfPGD", float(e), float(value), settings.attack_images) for e, value in pairs]

        run.measure(f"{name}/{kind}", {"bands": bands, "noise": noise, "linf_pgd": linf_pgd}[kind])
        if kind == "linf_pgd":
            attacks[name] = run.arrays(f"{name}-linf_pgd", attack)
    return attacks


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
