"""Shows a network the test images under every condition."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_freq as kf
from apps.lab.errors import RunError

RADII = (4, 8, 12, 16)
ATTACKS = {"linf 1/255": ("linf", 1 / 255), "linf 2/255": ("linf", 2 / 255), "linf 8/255": ("linf", 8 / 255)}
ATTACKS |= {"l2 0.25": ("l2", 0.25), "l2 0.5": ("l2", 0.5)}


def conditions(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    corrupted: Path,
    attacked: int,
    seed: int = 0,
) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """Name of each condition, and the function that predicts the classes under it.

    `corrupted`: folder of corrupted copies of the images; `attacked`: how many of the first images are
    attacked (20 steps of projected gradient descent, no random start).
    """
    model = kf.Classifier(model, value_range=(0, 1))

    def predict(pixels: np.ndarray) -> np.ndarray:
        return kf.evaluate.predict_logits(model, pixels, batch_size=500).argmax(axis=1).astype("uint8")

    def filtered(part: Callable, radius: float) -> np.ndarray:
        pieces = np.array_split(images, max(1, len(images) // 1000))
        return np.concatenate([predict(part(piece / np.float32(255), radius)) for piece in pieces])

    def attack(norm: Any, epsilon: float) -> np.ndarray:
        pixels = images[:attacked] / np.float32(255)
        options: Any = {"norm": norm, "epsilon": epsilon, "steps": 20, "seed": seed, "batch_size": 250}
        return predict(kf.attacks.pgd(model, pixels, labels[:attacked], **options))

    def corrupt(name: str, severity: int) -> np.ndarray:
        pixels, found = kf.data.read_corrupted(corrupted, name, severity)
        if not np.array_equal(found, labels):
            raise RunError(f"{corrupted} must hold copies of the test images. Received: other labels")
        return predict(pixels)

    yield "clean", functools.partial(predict, images)
    for radius in RADII:
        yield f"low {radius}", functools.partial(filtered, kf.spectral.low_pass, radius)
        yield f"high {radius}", functools.partial(filtered, kf.spectral.high_pass, radius)
    for name in kf.data.CORRUPTIONS:
        for severity in range(1, 6):
            yield f"corrupted {name} {severity}", functools.partial(corrupt, name, severity)
    for name, (norm, epsilon) in ATTACKS.items():
        yield f"attacked {name}", functools.partial(attack, norm, epsilon)


def swap_outcomes(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Classes of the recombinations, of the images with their phase, and of those with their amplitude."""
    pixels = images / np.float32(255)
    pairs = kf.evaluate.amplitude_swap(model, (pixels, labels), seed=0, batch_size=500).pairs
    assert pairs is not None  # of every evaluation that was not read from a file
    return {
        "swap": pairs.predictions.astype("uint8"),
        "swap phase": pairs.phase_predictions.astype("uint8"),
        "swap amplitude": pairs.amplitude_predictions.astype("uint8"),
    }
