"""What callbacks measure while a network trains, kept in the folder of the network."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import keras

import keras_freq as kf
from apps.lab.errors import RunError, one_line
from apps.lab.files import with_check, without_check, write_json


class KeptHistory(keras.callbacks.Callback):
    """Stands before a callback of `keras_freq` among the bases of a class.

    Its `history` is written after every epoch, and read where the network is found or goes on.
    """

    history: list[tuple[int, Any]]
    _path: Path | None = None

    def keep_in(self, folder: Path) -> None:
        """The folder of the network."""
        self._path = folder / "measured.json"
        if not self._path.exists():
            return
        try:
            rows = map(without_check, json.loads(self._path.read_text(encoding="utf-8")))
            self.history = [(row["moment"], kf.evaluate.Result.from_json(row["result"])) for row in rows]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise RunError(
                f"{self._path} must hold what was measured of this network: remove its folder to train it "
                f"again. Received: {one_line(error)}",
                code=1,
            ) from error

    def start_of(self, epoch: int) -> int:
        """The first moment of the history that belongs to an epoch (counted from 0)."""
        return epoch

    def on_epoch_begin(self, epoch: int, logs: MutableMapping[str, float] | None = None) -> None:
        # An epoch that was cut short is trained, and measured, once more.
        start = self.start_of(epoch)
        self.history = [(moment, result) for moment, result in self.history if moment < start]
        super().on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: MutableMapping[str, float] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        if self._path is not None:
            rows = [{"moment": moment, "result": result.to_json()} for moment, result in self.history]
            write_json(self._path, [with_check(row) for row in rows])
