"""What a long sweep has measured so far, kept in a file, so that a stopped one goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_freq._core.files import write_whole

_FORMAT = "keras_freq sweep 1"


class SweepJournal:
    """Measured rows by key, one line of JSON a step of the sweep, under the settings they were made with.

    Lines are appended, so that a step costs the same however much is measured. A kill can leave a last line
    without its end: it is left out when the file is read, and written over.

    Args:
        path: File, or `None` to keep nothing.
        run: All that the numbers depend on, as plain values. A file of another run is refused.
        what: Name of the function that sweeps.

    Raises:
        ValueError: If the file is no journal of that function, or is of another run.
    """

    def __init__(self, path: str | os.PathLike | None, run: dict[str, Any], *, what: str):
        self._path = None if path is None else Path(path)
        self._head = {"format": f"{_FORMAT}, {what}", "run": json.loads(json.dumps(run))}
        self._end: int | None = None
        self.rows: dict[str, Any] = {}
        if self._path is not None and self._path.exists():
            self._load(what)

    def add(self, rows: dict[str, Any]) -> None:
        """Takes note of what a step has measured, plain values by key, and writes it."""
        rows = json.loads(json.dumps(rows))
        if self._path is not None:
            line = (json.dumps(rows) + "\n").encode()
            if self._end is None:
                head = (json.dumps(self._head) + "\n").encode()
                write_whole(self._path, lambda file: file.write(head))
                self._end = len(head)
            with open(self._path, "r+b") as file:
                file.truncate(self._end)
                file.seek(self._end)
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            self._end += len(line)
        self.rows |= rows

    def _load(self, what: str) -> None:
        try:
            # What follows the last line end is half a line, or nothing.
            content = self._path.read_bytes()
            self._end = content.rfind(b"\n") + 1
            head, *lines = (json.loads(line) for line in content[: self._end].splitlines())
            run = head["run"]
            if head["format"] != self._head["format"]:
                raise ValueError(head["format"])
            for line in lines:
                self.rows |= line
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"`checkpoint` must be a file that an unfinished `{what}` wrote, or none yet. "
                f"Received: checkpoint={str(self._path)!r}, which is no such file"
            ) from error
        for name, value in self._head["run"].items():
            if run.get(name) != value:
                raise ValueError(
                    "`checkpoint` must be of a run with the same settings, weights and data: name another "
                    f"file or remove it. Received: checkpoint={str(self._path)!r}, where {name} is "
                    f"{run.get(name)!r}, here {value!r}"
                )


def weights_digest(model: keras.Model) -> str:
    """Digest of the values, shapes and types of a built model's weights, the same on every backend."""
    digest = hashlib.sha256()
    for weight in model.weights:
        digest.update(f"{tuple(weight.shape)} {weight.dtype};".encode())
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).tobytes())
    return digest.hexdigest()
