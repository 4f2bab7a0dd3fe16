"""Input-gradient spectra of every epoch that a kill does not undo."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import keras_freq as kf
from apps.lab import Run, RunError
from apps.lab.files import write_json


def kept_spectra(
    run: Run,
    stage: str,
    data: Any,
    *,
    center: str = "dc",
    bins: str = "all",
    every: int = 1,
    n: int | None = None,
) -> KeptSpectra:
    """A callback that measures the spectrum of the input gradients and keeps it beside the checkpoint.

    Args:
        run: The run.
        stage: Name of the training, as `apps.lab.resumable.fit_resumably` keeps it.
        data: Images and true labels to measure on.
        center: As in `keras_freq.callbacks.GradientSpectrum`, as the following.
        bins: Which bands.
        every: Measure after every n-th epoch.
        n: Measure the first `n` images (null: all).

    Returns:
        The callback. Its ``result()`` is the map over all epochs, those of earlier processes included; it
        needs no training to be called.
    """
    path = run.checkpoint(f"{stage}-gradients").with_suffix(".json")
    return KeptSpectra(path, data, center=center, bins=bins, every=every, n=n)


class KeptSpectra(kf.callbacks.GradientSpectrum):
    """`keras_freq.callbacks.GradientSpectrum` whose history is a file, written whole after every epoch."""

    def __init__(self, path: Path, data: Any, **options):
        super().__init__(data, **options)
        self.path = Path(path)
        self.history = _read(self.path)

    def on_epoch_end(self, epoch: int, logs: MutableMapping[str, float] | None = None) -> None:
        # An epoch whose checkpoint did not come to be is trained, and measured, once more.
        self.history = [(known, result) for known, result in self.history if known < epoch]
        count = len(self.history)
        super().on_epoch_end(epoch, logs)
        if len(self.history) > count:
            write_json(self.path, [{"epoch": known} | result.to_dict() for known, result in self.history])


def _read(path: Path) -> list[tuple[int, kf.evaluate.GradientSpectrumResult]]:
    if not path.exists():
        return []
    try:
        rows = json.loads(path.read_text())
        return [(row.pop("epoch"), _result(row)) for row in rows]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RunError(f"{path} must hold the spectra of this run. Received: {error}", code=1) from error


def _result(row: dict[str, Any]) -> kf.evaluate.GradientSpectrumResult:
    """The result that `to_dict` made the row of."""
    return kf.evaluate.GradientSpectrumResult(
        **{name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    )
