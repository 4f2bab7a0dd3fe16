"""Running an app as its user does, and reading what it wrote."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

from apps.lab import cli
from apps.lab.files import read_records

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs"
# How long it took, and whether the network was there already, differ from run to run.
VARYING = ("seconds", "training_minutes", "trained")


def experiments(app: str) -> dict:
    """The experiments of an app by name."""
    return importlib.import_module(f"apps.{app}.__main__").EXPERIMENTS


def call(app: str, *words: object) -> int:
    """``python -m apps.APP WORDS`` in this process; the exit status."""
    return cli.command(app, experiments(app), [str(word) for word in words])


def start(*words: object, **environment: str) -> subprocess.Popen:
    """``python WORDS`` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def records(folder: str | Path) -> list[dict]:
    """All records of a run."""
    return read_records(Path(folder) / "results.jsonl")


def numbers(folder: str | Path) -> list[dict]:
    """The records of a run without what differs from one run to the next."""
    return [{k: v for k, v in record.items() if k not in VARYING} for record in records(folder)]
