"""The application: its sub-commands, and the function behind `keras-freq`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from keras_freq._cli import (
    _attack,
    _bands,
    _check,
    _corrupt,
    _demo,
    _filter,
    _heat_map,
    _networks,
    _report,
    _shortcuts,
    _spectrum,
    _versions,
)
from keras_freq._cli._command import FINE, INTERRUPTED, WRONG, UsageError, command, explain, tell

PROGRAM = "keras-freq"

# Plain help: markup would take brackets of the texts for its own, and four times as long.
app = typer.Typer(
    name=PROGRAM,
    help="The frequency lens for image classifiers: which frequencies does a model use, does it cheat?\n\n"
    "Exit codes: 0 done, 1 a finding beyond --fail-if or --baseline, 2 wrong input, 130 interrupted.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
command(app)(_report.report)
command(app)(_bands.bands)
command(app)(_heat_map.heat_map)
command(app)(_shortcuts.shortcuts)
command(app)(_attack.attack)
command(app)(_corrupt.corrupt)
command(app, "filter")(_filter.filter_images)
command(app)(_spectrum.spectrum)
command(app)(_networks.networks)
command(app)(_demo.demo)
command(app)(_check.check)
command(app)(_versions.versions)


def main(words: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit code.

    Args:
        words: What stands behind the name of the program; `None`: of this process.
    """
    words = list(sys.argv[1:] if words is None else words)
    try:
        code = typer.main.get_command(app)(args=words or ["--help"], prog_name=PROGRAM, standalone_mode=False)
    except UsageError as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else PROGRAM
        tell(f"error: {explain(Exception(error.format_message()))} See: {path} --help")  # type: ignore[attr-defined]
        return WRONG
    except (KeyboardInterrupt, typer.Abort):
        tell("interrupted: nothing was written")
        return INTERRUPTED
    return (code or FINE) if words else WRONG  # without a sub-command the help is shown
