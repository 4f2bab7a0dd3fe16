"""Running an app as its user does, and reading what it wrote."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.lab import cli
from apps.lab.files import read_records

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs"
# How long it took, and whether the network was there already, differ from run to run.
VARYING = ("seconds", "training_minutes", "trained")


def experiments(app: str) -> dict:
    """The experiments of an app by name; one that is alone has the name of the app."""
    module = importlib.import_module(f"apps.{app}.__main__")
    return getattr(module, "EXPERIMENTS", None) or {app: module.EXPERIMENT}


def call(app: str, *words: object) -> int:
    """``python -m apps.APP WORDS`` in this process; the exit status."""
    found = experiments(app)
    return cli.command(app, found.get(app, found), [str(word) for word in words])


def refuse(message: str, app: str, *words: object) -> None:
    """Asserts that the command ends as one for wrong settings does: one line, with the message."""
    with contextlib.redirect_stderr(io.StringIO()) as errors:
        assert call(app, *words) == 2
    assert message in errors.getvalue()
    assert errors.getvalue().count("\n") == 1


def finish(app: str, *words: object) -> str:
    """Asserts that the command ends well; what it printed."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        status = call(app, *words)
    assert status == 0, errors.getvalue()
    return out.getvalue()


def start(*words: object, **environment: str) -> subprocess.Popen:
    """``python WORDS`` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_take_signals,
    )


def _take_signals() -> None:
    """A shell that starts the tests in the background, or nohup, has them ignore signals."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for kind in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, signal.SIG_DFL)


def wait_until(done: Callable[[], object], process: subprocess.Popen) -> None:
    """Returns once it is done, or the process has ended, or two minutes have passed."""
    deadline = time.time() + 120
    while not done() and process.poll() is None and time.time() < deadline:
        time.sleep(0.05)


def records(folder: str | Path) -> list[dict]:
    """All records of a run."""
    return read_records(Path(folder) / "results.jsonl")[0]


def numbers(folder: str | Path) -> list[dict]:
    """The records of a run without what differs from one run to the next."""
    return [{k: v for k, v in record.items() if k not in VARYING} for record in records(folder)]


@contextlib.contextmanager
def interrupt(owner: object, name: str, *, at: int = 1, when: Callable[..., bool] = lambda *a, **k: True):
    """Ctrl-C in place of a call of `owner.name`: the `at`-th of those for which `when` holds."""
    inner, calls = getattr(owner, name), []

    def interrupted(*args, **kwargs):
        calls.extend([None] if when(*args, **kwargs) else [])
        if len(calls) == at:
            raise KeyboardInterrupt
        return inner(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, interrupted)
        yield
    assert len(calls) >= at
