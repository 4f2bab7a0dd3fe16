"""Errors of our own layers in one line, as everywhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def call_with_short_errors(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Calls a function, and gives an error of ours back the message that it was raised with.

    Keras raises an error again that comes out of `call`, with a frame of several lines around its message.
    The first one is then the context of the second. Others' errors stay framed: there the frame, which has
    the shapes, is of use.
    """
    try:
        return function(*arguments, **options)
    except (TypeError, ValueError) as error:
        first = error.__context__
        if type(first) is type(error) and _is_ours(str(first)) and str(first) in str(error):
            error.args = first.args
        raise


def _is_ours(message: str) -> bool:
    return "Received: " in message and "\n" not in message
