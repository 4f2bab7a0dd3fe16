"""Seven kinds of long work on tiny networks, each of which goes on with what it finds in its folder.

Importing this computes nothing, so that a process may be forked off one that has, and begins at once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

import apps.lab.grid
import apps.lab.train  # noqa: F401
import keras_freq as kf
from apps.lab import Experiment, Run
from apps.lab.__main__ import EXPERIMENTS
from apps.lab.cli import command
from apps.lab.files import read_arrays
from keras_freq._cli._command import guard
from tests.apps import tiny_training

# Locks, and what nobody holds: half of it may be left.
UNHELD = (".lock", ".claims", ".end.json.", ".recipe.json.")
HERE = Path(__file__).parent
GRID = HERE.parents[1] / "configs" / "lab" / "grid.yaml"
SIDE, CLASSES = 16, 4
# What a clock says, and what one call did and another found done.
VARYING = ("seconds", "minutes", "training_minutes", "ended", "trained", "forwards", "run", "crc32", "check")


def work(kind: str, folder: Path, log: Path, fault: Callable[[], Any] | None = None) -> None:
    """The work of a process; what it says goes into `log`."""
    with open(log, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    if fault is not None:
        fault()
    sys.exit(KINDS[kind](folder))


def result(folder: Path) -> dict[str, Any]:
    """What is in a folder, by file, but for what a clock says."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or any(part in name for part in UNHELD):
            continue
        if path.suffix == ".npz":
            arrays = read_arrays(path)
            note = json.loads(str(arrays.pop("note")))
            found[name] = {key: _digest(array.tobytes()) for key, array in arrays.items()}, _timeless(note)
        elif path.suffix == ".json":
            found[name] = _timeless(json.loads(path.read_text()))
        elif path.name == "results.jsonl":
            found[name] = [_timeless(json.loads(line)) for line in path.read_text().splitlines()]
        elif path.name == "config.yaml":
            found[name] = path.read_text().replace(str(folder), "")
        elif path.name in ("summary.md", "index.html", "results.csv") or path.suffix == ".svg":
            found[name] = "with times or dates"
        else:
            found[name] = _digest(path.read_bytes())
    return found


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(one) for key, one in value.items() if key not in VARYING}
    if isinstance(value, list):
        return [_timeless(one) for one in value]
    return value


def classifier() -> keras.Model:
    """One convolution, the same weights in every process."""
    inputs = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(CLASSES)(x), name="tiny")
    draw = np.random.default_rng(1)
    model.set_weights([draw.standard_normal(weight.shape) for weight in model.get_weights()])
    return model


def samples(count: int) -> tuple[np.ndarray, np.ndarray]:
    images = np.random.default_rng(2).random((count, SIDE, SIDE, 3), dtype="float32")
    return images, np.arange(count) % CLASSES


def _sweep(function: Callable, *data: Any, **options: Any) -> Callable[[Path], int]:
    def measure(folder: Path) -> int:
        def run() -> None:
            found = function(classifier(), *data, checkpoint=folder / "sweep.jsonl", **options)
            found.to_json(folder / "end.json")

        return guard(run)

    return measure


def _corrupt(folder: Path) -> int:
    def run() -> None:
        images, labels = samples(40)
        names = ("fog", "contrast", "brightness", "pixelate")
        for layout in ("arrays", "files"):
            kf.data.write_corrupted(images, labels, folder / layout, corruptions=names, layout=layout)

    return guard(run)


def _report(folder: Path) -> int:
    def run() -> None:
        kf.report(classifier(), samples(64), only=("bands", "heat_map", "swap"), to=folder, resume=True)

    return guard(run)


def train(run: Run, config: tiny_training.Settings) -> None:
    tiny_training.train(run, dataclasses.replace(config.training, epochs=20))
    run.summary("Training", [])


def _train(folder: Path) -> int:
    experiment = Experiment(tiny_training.Settings, "tests.faults.work:train")
    return _command("faults", experiment, folder, HERE / "training.yaml")


def _grid(folder: Path) -> int:
    words = [
        f"units={folder / 'units'}",
        "data.train_images=60",
        "data.test_images=30",
        "training.network=tiny",
        "training.width=2",
        "training.batch_size=20",
        "networks=[{name: a}, {name: b, changes: [learning_rate=0.01]}]",
        "measurements=[{name: bands, function: band_accuracy, options: ['radii=[4, 8]']}, "
        "{name: swap, function: amplitude_swap}]",
    ]
    return _command("lab", EXPERIMENTS, folder, "grid", GRID, *words)


def _command(app: str, experiments: Any, folder: Path, *words: Any) -> int:
    """A command of the apps, with --resume where a run was begun."""
    places = [f"output={folder / 'run'}", f"store={folder / 'networks'}"]
    resume = ["--resume", str(folder / "run")] if (folder / "run" / "versions.json").exists() else []
    return command(app, experiments, [*map(str, words), *places, *resume])


KINDS: dict[str, Callable[[Path], int]] = {
    "training": _train,
    "importance": _sweep(kf.shortcuts.frequency_importance, *samples(128)),
    "hfss": _sweep(kf.shortcuts.hfss, *samples(12), budgets=(120, 120), patches=(2, 1)),
    "heat map": _sweep(kf.evaluate.fourier_heat_map, samples(32), bases_per_pass=8),
    "corrupted copies": _corrupt,
    "grid": _grid,
    "report": _report,
}
