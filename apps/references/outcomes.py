"""What a network said of every test image under every condition: the record that all tables follow from.

One ``.npz`` for each network: ``right.CONDITION`` holds one bit an image (`numpy.packbits`), whether it was
classified as labeled; ``predicted.CONDITION`` the class, uint8, where more than right or wrong is asked for.
``note`` is a JSON text: name, seed, number of images, the labels' digest, settings.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_freq as kf
from apps.lab.errors import RunError, one_line
from apps.lab.files import write_whole

RADII = (4, 8, 12, 16)
ATTACKS = {"linf 1/255": ("linf", 1 / 255), "linf 2/255": ("linf", 2 / 255), "linf 8/255": ("linf", 8 / 255)}
ATTACKS |= {"l2 0.25": ("l2", 0.25), "l2 0.5": ("l2", 0.5)}


@dataclasses.dataclass(frozen=True)
class Outcomes:
    """The outcomes of one network.

    Args:
        right: Condition to booleans, one an image.
        predicted: Condition to class indices, uint8, one an image.
        note: What they belong to.
    """

    right: Mapping[str, np.ndarray]
    predicted: Mapping[str, np.ndarray]
    note: Mapping[str, Any]

    def rate(self, condition: str) -> float:
        """Share of the images that were classified as labeled."""
        return float(np.mean(self.right[condition]))

    def mean_error(self, prefix: str) -> float:
        """Mean error over all conditions whose names begin so."""
        errors = [1 - self.rate(name) for name in self.right if name.startswith(prefix)]
        return float(np.mean(errors))


def digest_of_labels(labels: np.ndarray) -> str:
    return hashlib.sha256(np.asarray(labels, "int64").tobytes()).hexdigest()[:16]


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

    yield "clean", lambda: predict(images)
    for radius in RADII:
        yield f"low {radius}", lambda radius=radius: filtered(kf.spectral.low_pass, radius)
        yield f"high {radius}", lambda radius=radius: filtered(kf.spectral.high_pass, radius)
    for name in kf.data.CORRUPTIONS:
        for severity in range(1, 6):
            yield f"corrupted {name} {severity}", lambda n=name, s=severity: corrupt(n, s)
    for name, (norm, epsilon) in ATTACKS.items():
        yield f"attacked {name}", lambda n=norm, e=epsilon: attack(n, e)


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


def write_outcomes(path: Path, outcomes: Outcomes) -> None:
    arrays = {f"right.{name}": np.packbits(np.asarray(bits, bool)) for name, bits in outcomes.right.items()}
    arrays |= {f"predicted.{name}": np.asarray(found) for name, found in outcomes.predicted.items()}
    counts = {name: len(bits) for name, bits in outcomes.right.items()}
    note = np.asarray(json.dumps({**outcomes.note, "counts": counts}))
    write_whole(path, lambda file: np.savez_compressed(file, note=note, **arrays))


def read_outcomes(path: Path) -> Outcomes:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        note = json.loads(str(arrays.pop("note")))
        counts = note["counts"]
        right = {
            name: np.unpackbits(arrays[f"right.{name}"], count=n).astype(bool) for name, n in counts.items()
        }
        predicted = {
            name.removeprefix("predicted."): found
            for name, found in arrays.items()
            if name.startswith("predicted.")
        }
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise RunError(
            f"{path} must hold the outcomes of a network. Received: {one_line(error)}", code=1
        ) from error
    return Outcomes(right, predicted, note)
