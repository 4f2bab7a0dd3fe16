"""The command line: ``python -m apps.NAME [EXPERIMENT] CONFIG [key=value ...] [--resume [RUN_DIR]]``."""

from __future__ import annotations

import dataclasses
import errno
import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from apps.lab.config import describe_type, field_types, load_config
from apps.lab.errors import RunError, one_line
from apps.lab.files import write_whole
from apps.lab.interruption import exit_status, remembered_interruptions
from apps.lab.logs import quiet_start


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One experiment of an app.

    Args:
        config: A frozen dataclass of settings. It needs the fields ``seed: int`` and ``output: str | None =
            None``.
        function: ``"module:name"`` of the function ``(run, config)`` that does the work. It is imported
            after the settings were read and the logs of the frameworks were turned down.
    """

    config: type
    function: str


def main(app: str, experiments: Experiment | Mapping[str, Experiment]) -> NoReturn:
    """Runs an app from the command line and exits: 0 done, 1 failed, 2 wrong settings, 130 interrupted.

    Other signals that stop a run end it with 128 and their number.
    """
    _open_closed_streams()
    sys.exit(command(app, experiments, sys.argv[1:]))


def _open_closed_streams() -> None:
    """Opens what was closed with `2>&-`: the next file, one of the run's, would take its place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def command(app: str, experiments: Experiment | Mapping[str, Experiment], words: list[str]) -> int:
    """`main` with the words of the command line, returning the exit status."""
    run = None
    try:
        name, experiment, words = _choose(app, experiments, words)
        if "-h" in words or "--help" in words:
            print(_help(name, experiment))
            return 0
        path, overrides, resume = _parse(name, words)
        if path is None and resume:
            resume = _find_run(name, overrides) if resume is True else resume
            path = resume / "config.yaml"
        if path is None:
            raise RunError(f"a configuration file is needed: {_usage(name)}. Received: none")
        config = load_config(experiment.config, path, overrides)
        run = _open(name, config, resume)
        module, function = experiment.function.split(":")
        run.say(f"{name}: results go to {run.folder}")
        with remembered_interruptions():
            getattr(importlib.import_module(module), function)(run, config)
        return 0
    except KeyboardInterrupt:
        if run is None:
            print("interrupted before anything was written", file=sys.stderr)
        elif run.finished:
            print(f"interrupted; the run in {run.folder} was finished", file=sys.stderr)
        else:
            print(f"interrupted; go on with: {run.command(resume=True)}", file=sys.stderr)
        return exit_status()
    except RunError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return error.code
    except (ValueError, TypeError, ImportError, OSError, MemoryError) as error:
        print(f"error: {_explain(error)}{_keep_traceback(run)}", file=sys.stderr)
        return 1
    finally:
        if run is not None:
            run.close()


def _choose(app: str, experiments: Experiment | Mapping[str, Experiment], words: list[str]):
    if isinstance(experiments, Experiment):
        return app, experiments, words
    if words and words[0] in experiments:
        return f"{app} {words[0]}", experiments[words[0]], words[1:]
    received = repr(words[0]) if words else "none"
    raise RunError(
        f"python -m apps.{app} needs an experiment: {', '.join(experiments)}. Received: {received}"
    )


def _parse(name: str, words: list[str]) -> tuple[Path | None, list[str], Path | bool]:
    """Splits the words by hand: argparse would take ``--resume CONFIG`` for a folder."""
    path: Path | None = None
    overrides: list[str] = []
    resume: Path | bool = False
    words = list(words)
    while words:
        word = words.pop(0)
        if word == "--resume":
            resume = True
            if words and _is_folder(words[0]):
                resume = Path(words.pop(0))
        elif word.startswith("--resume="):
            resume = Path(word.partition("=")[2])
        elif "=" in word and not os.path.isfile(word):  # which a word too long for a path is not
            overrides.append(word)
        elif word.startswith("-"):
            raise RunError(
                f"there is no option {word}. Allowed: --resume, --help, key=value. Received: {word}"
            )
        elif path is None:
            path = Path(word)
        else:
            raise RunError(f"one configuration file is taken: {_usage(name)}. Received: {path} and {word}")
    return path, overrides, resume


def _is_folder(word: str) -> bool:
    """Whether a word after ``--resume`` is a folder, and no setting, option or configuration."""
    other = "=" in word or word.startswith("-") or word.endswith((".yaml", ".yml"))
    return os.path.isdir(word) or not other


def _find_run(name: str, overrides: list[str]) -> Path:
    """The run to go on with where neither its folder nor its configuration is named."""
    from apps.lab.run import latest_unfinished

    named = [word.partition("=")[2] for word in overrides if word.startswith("output=")]
    return Path(named[-1]) if named else latest_unfinished(name, _import_keras().backend.backend())


def _open(name: str, config: Any, resume: Path | bool):
    keras = _import_keras()
    keras.utils.set_random_seed(config.seed)
    from apps.lab.run import Run, latest_unfinished

    if not resume:
        return Run.start(name, config)
    if resume is True:
        resume = Path(config.output) if config.output else latest_unfinished(name, keras.backend.backend())
    return Run.resume(name, config, resume)


def _import_keras() -> Any:
    try:
        with quiet_start():
            import keras

            keras.utils.set_random_seed(0)  # loads the rest of the backend
        return keras
    except ImportError as error:
        raise RunError(
            f"Keras and its backend must be installed (KERAS_BACKEND={os.environ.get('KERAS_BACKEND', '')}): "
            f"pip install 'keras-freq[tensorflow,apps]'. Received: {one_line(error)}",
            code=1,
        ) from error


def _explain(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space is left for the results; free some and resume. Received: {one_line(error)}"
    return one_line(error)


def _keep_traceback(run: Any) -> str:
    """Keeps the traceback in the run folder, and says how to go on; on a full disk it is dropped."""
    if run is None:
        return ""
    text = f" (go on with: {run.command(resume=True)}"
    try:
        write_whole(run.folder / "error.log", traceback.format_exc())
    except OSError:
        return text + ")"
    return text + f"; traceback in {run.folder / 'error.log'})"


def _usage(name: str) -> str:
    return f"python -m apps.{name} CONFIG [key=value ...] [--resume [RUN_DIR]]"


def _help(name: str, experiment: Experiment) -> str:
    settings = "\n".join(f"  {key}: {describe_type(t)}" for key, t in field_types(experiment.config).items())
    about = inspect.getdoc(experiment.config)
    return f"usage: {_usage(name)}\n\n{about}\n\nSettings, for CONFIG and key=value:\n{settings}"
