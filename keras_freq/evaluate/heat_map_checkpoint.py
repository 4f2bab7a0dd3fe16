"""What a heat map has measured so far, kept in a file, so that a stopped run goes on where it was."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_freq.data.whole_files import write_whole

_FORMAT = "keras_freq Fourier heat map 1"


class HeatMapCheckpoint:
    """Counts by frequency under the settings that they were made with.

    Args:
        path: File, or `None` to keep nothing.
        run: All that the numbers depend on, as plain values. A file of another run is refused.
    """

    def __init__(self, path: Any, run: dict[str, Any]):
        self._path = None if path is None else Path(path)
        self._run = json.loads(json.dumps(run))
        self.data: dict[str, Any] | None = None  # images of each class and digest of a whole pass
        self.rows: dict[tuple[int, int] | None, list[float]] = {}  # None: nothing added
        if self._path is not None and self._path.exists():
            self._load()

    def _load(self) -> None:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            if content["format"] != _FORMAT:
                raise ValueError(content["format"])
            run, self.data = content["run"], content["data"]
            self.rows = {
                None if place is None else tuple(place): row
                for place, row in zip(content["frequencies"], content["rows"], strict=True)
            }
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                "`checkpoint` must be a file that an unfinished `fourier_heat_map` wrote, or none yet. "
                f"Received: checkpoint={str(self._path)!r}, which is no such file"
            ) from error
        for name in self._run:
            if run.get(name) != self._run[name]:
                raise ValueError(
                    "`checkpoint` must be of a run with the same settings, weights and data: name another "
                    f"file or remove it. Received: checkpoint={str(self._path)!r}, where {name} is "
                    f"{run.get(name)!r}, here {self._run[name]!r}"
                )

    def check_data(self, data: dict[str, Any]) -> None:
        """Takes note of the data of a pass; refuses others than those of the passes before."""
        if self.data is not None and self.data != data:
            raise ValueError(
                "The data must be the same, in the same order, at every pass over them. Received: "
                f"{sum(data['count_per_class'])} images, unlike the {sum(self.data['count_per_class'])} of "
                "an earlier pass"
            )
        self.data = data

    def save(self) -> None:
        """Writes the file, whole or not at all."""
        if self._path is not None:
            content = {
                "format": _FORMAT,
                "run": self._run,
                "data": self.data,
                "frequencies": list(self.rows),
                "rows": list(self.rows.values()),
            }
            write_whole(self._path, json.dumps(content) + "\n")


def weights_digest(model: keras.Model) -> str:
    """Digest of the values, shapes and types of a built model's weights, the same on every backend."""
    digest = hashlib.sha256()
    for weight in model.weights:
        digest.update(f"{tuple(weight.shape)} {weight.dtype};".encode())
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).tobytes())
    return digest.hexdigest()
