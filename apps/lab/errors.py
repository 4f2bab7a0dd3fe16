"""The error that an app shows as one line, without a traceback."""

from __future__ import annotations


class RunError(Exception):
    """Something the user can put right: a wrong setting, a missing file, a folder of another run.

    Args:
        message: One line: what was wrong, what is allowed, what was received.
        code: Exit status of the app. 2 for the command line and its settings, 1 for anything later.
    """

    def __init__(self, message: str, code: int = 2):
        super().__init__(message)
        self.code = code


def one_line(error: BaseException) -> str:
    """The message of any error on one line."""
    text = " ".join(str(error).split())
    return text or type(error).__name__
