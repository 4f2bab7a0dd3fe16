"""Input-gradient spectra of every epoch that a kill does not undo."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import keras_freq as kf
from apps.lab import RunError
from apps.lab.files import write_json


class KeptSpectra(kf.callbacks.GradientSpectrum):
    """`keras_freq.callbacks.GradientSpectrum` whose history is a file beside the trained network.

    The file is written whole after every epoch. Whoever asks for the network later reads the spectra from it.

    Args:
        data: Images and true labels to measure on.
        **options: As `keras_freq.callbacks.GradientSpectrum` takes them: plain values.

    Attributes:
        watch: What is measured, for `apps.lab.train.trained`.
    """

    def __init__(self, data: Any, **options: Any):
        super().__init__(data, **options)
        self.watch = {"measure": "input-gradient spectrum", "on": data, **options}
        self._path: Path | None = None

    def keep_in(self, folder: Path) -> None:
        self._path = folder / "gradients.json"
        if self._path.exists():
            self.history = _read(self._path)

    def on_epoch_end(self, epoch: int, logs: MutableMapping[str, float] | None = None) -> None:
        # An epoch whose checkpoint did not come to be is trained, and measured, once more.
        self.history = [(known, result) for known, result in self.history if known < epoch]
        count = len(self.history)
        super().on_epoch_end(epoch, logs)
        if self._path is not None and len(self.history) > count:
            rows = [{"epoch": known, "result": result.to_json()} for known, result in self.history]
            write_json(self._path, rows)


def _read(path: Path) -> list[tuple[int, kf.evaluate.GradientSpectrumResult]]:
    try:
        rows = json.loads(path.read_text())
        read = kf.evaluate.GradientSpectrumResult.from_json
        return [(int(row["epoch"]), read(row["result"])) for row in rows]
    except (ValueError, TypeError, KeyError) as error:
        raise RunError(f"{path} must hold the spectra of this network. Received: {error}", code=1) from error
