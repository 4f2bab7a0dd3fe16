"""A function as a sub-command: groups of options, errors in one line, exit codes, Ctrl-C."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import inspect
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

import typer

FINE, FOUND, WRONG, INTERRUPTED = 0, 1, 2, 130

# What a user can put right; anything else is a fault of the package, and its traceback is of use.
_EXPECTED = (ValueError, TypeError, ImportError, OSError, RuntimeError, NotImplementedError, MemoryError)
# typer holds click, or a copy of it, by version: the class is reached through what stays.
UsageError: type[Exception] = typer.BadParameter.__bases__[0]
_FULL = (errno.ENOSPC, errno.EDQUOT)
# Errors of the package name arguments of Python; here they are options.
_OPTIONS = (
    (r"image_size=(?=,)", "--image-size"),
    (
        r"`(attack|baseline|batch_size|classes|data_format|engine|epsilon|epsilons|fail_if|fraction|image_size"
        r"|method|n|output|patch|radii|resume|severities|split|steps|value_range|window)`",
        r"`--\1`",
    ),
    (r"keras_freq\.Classifier\(model, value_range=\(low, high\)\)", "--value-range low,high"),
    (r"keras_freq\.Classifier\(model, value_range=\(0, 1\)\)", "--value-range 0,1"),
    (r'keras_freq\.Classifier\(model, data_format="channels_first"\), or "channels_last"', "--data-format"),
    (r"keras_freq\.Classifier\(model, output=\.\.\.\)", "--output NAME"),
    (
        r"keras_freq\.Classifier\(model, from_logits=True\) or from_logits=False",
        "--logits or --probabilities",
    ),
)


def command(app: typer.Typer, name: str | None = None) -> Callable[[Callable], Callable]:
    """Registers a function as a sub-command.

    Parameters annotated with a dataclass are groups of options: every field becomes an option of the command.
    The function returns its exit code, `None` for 0.
    """

    def register(function: Callable) -> Callable:
        groups, parameters = _expand(function)

        @functools.wraps(function)
        def run(**given: Any) -> int:
            packed = {
                key: kind(**{field.name: given.pop(field.name) for field in dataclasses.fields(kind)})
                for key, kind in groups.items()
            }
            return guard(function, **packed, **given)

        del run.__wrapped__  # its parameters are not those of the command
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        app.command(name or function.__name__.replace("_", "-"))(run)
        return function

    return register


def _expand(function: Callable) -> tuple[dict[str, Any], list[inspect.Parameter]]:
    """The groups of options of a function by parameter, and all options as parameters."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, Any] = {}
    parameters = []
    for one in inspect.signature(function).parameters.values():
        kind = hints[one.name]
        if not dataclasses.is_dataclass(kind):
            parameters.append(one.replace(annotation=kind, kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        groups[one.name] = kind
        inner = get_type_hints(kind, include_extras=True)
        for field in dataclasses.fields(kind):
            default = inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default
            parameters.append(
                inspect.Parameter(
                    field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=inner[field.name]
                )
            )
    return groups, parameters


def guard(function: Callable, **arguments: Any) -> int:
    """Runs a command; what stops it becomes one line on stderr and an exit code."""
    try:
        with _plain_warnings():
            return function(**arguments) or FINE
    except KeyboardInterrupt as stop:
        tell(f"interrupted: {stop}" if str(stop) else "interrupted: nothing was written")
        return INTERRUPTED
    except UsageError:
        raise
    except BrokenPipeError:  # of `| head`: the reader has what it wants
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return FINE
    except _EXPECTED as error:
        tell(f"error: {explain(error)}")
        return WRONG
    except Exception as error:
        traceback.print_exc()
        tell(f"error: {explain(error)}")
        return WRONG


@contextlib.contextmanager
def when_interrupted(left: str) -> Iterator[None]:
    """Within it, Ctrl-C says what is left."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(left) from None


def explain(error: BaseException) -> str:
    """The message of an error on one line, in the words of the command line."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, OSError) and error.errno in _FULL:
        text = (
            "The disk is full: make room, or name a folder elsewhere with --out; commands with --resume then "
            f"go on with what is kept. Received: {error.filename or error.strerror}"
        )
    for pattern, option in _OPTIONS:
        text = re.sub(pattern, option, text)
    # What has an underscore in Python has a dash here.
    return re.sub(r"--\w+_\w+", lambda found: found[0].replace("_", "-"), text)


def tell(line: str) -> None:
    """A line on stderr, clear of a progress bar."""
    print(line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _plain_warnings() -> Iterator[None]:
    """Within it, warnings are one line, without the place in the code."""

    def show(message: Warning | str, *_: Any) -> None:
        tell(f"warning: {explain(message) if isinstance(message, Warning) else message}")

    with warnings.catch_warnings():
        warnings.showwarning = show  # type: ignore[assignment]  # it takes more than it needs
        yield
