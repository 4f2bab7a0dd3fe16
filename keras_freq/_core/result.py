"""What an evaluation returns: numbers, how many images they stand for, and how they were made."""

from __future__ import annotations

import csv
import importlib.metadata
import io
import json
import math
import os
import sys
from dataclasses import dataclass, fields
from typing import Any

import keras
import numpy as np

from keras_freq._core.files import write_whole


@dataclass(frozen=True, kw_only=True)
class Result:
    """Base of the results: frozen, comparable, written to JSON and CSV whole or not at all.

    Attributes:
        model: Name of the model; None where there is none.
        n: Number of images measured.
        settings: The arguments that shaped the numbers.
        versions: Versions of keras_freq, Keras and the backend.
    """

    model: str | None
    n: int
    settings: dict[str, Any]
    versions: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """All numbers and settings as plain Python values. Images are left out."""
        return {
            field.name: _plain(getattr(self, field.name))
            for field in fields(self)
            if field.metadata.get("export", True)
        }

    def rows(self) -> list[dict[str, Any]]:
        """The numbers as flat rows, one dictionary a row: what `to_csv` writes."""
        return [
            {name: value for name, value in self.to_dict().items() if not isinstance(value, (list, dict))}
        ]

    def to_json(self, path: str | os.PathLike) -> None:
        """Writes `to_dict()`. Infinite and undefined numbers become null, since JSON has none."""
        text = json.dumps(_finite(self.to_dict()), indent=2, allow_nan=False)
        write_whole(path, text + "\n")

    def to_csv(self, path: str | os.PathLike) -> None:
        """Writes `rows()` with a header line."""
        rows = self.rows()
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_whole(path, text.getvalue())


def versions() -> dict[str, str]:
    """Versions that a result depends on."""
    backend = keras.backend.backend()
    module = sys.modules.get(backend)
    try:
        own = importlib.metadata.version("keras-freq")
    except importlib.metadata.PackageNotFoundError:  # run from a source folder
        own = "unknown"
    return {
        "keras_freq": own,
        "keras": keras.__version__,
        "backend": backend,
        backend: str(getattr(module, "__version__", "unknown")),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return value


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
