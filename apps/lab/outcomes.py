"""What a network said of every test image under every condition: the record that all tables follow from.

One ``.npz`` for each network: ``right.CONDITION`` holds one bit an image (`numpy.packbits`), whether it was
classified as labeled; ``predicted.CONDITION`` the class, uint8, where more than right or wrong is asked for.
``note`` is a JSON text: the number of images of each condition, the labels' digest, settings. Nothing here
imports Keras.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from apps.lab.errors import RunError, one_line
from apps.lab.files import write_whole


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


def write_outcomes(path: Path, outcomes: Outcomes) -> None:
    arrays: dict[str, Any] = {
        f"right.{name}": np.packbits(np.asarray(bits, bool)) for name, bits in outcomes.right.items()
    }
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
