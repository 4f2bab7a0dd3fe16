"""Ctrl-C that is not lost: Python drops a KeyboardInterrupt that is raised inside a finalizer."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

_received = threading.Event()
_waiting = threading.Event()


@contextlib.contextmanager
def remembered_interruptions() -> Iterator[None]:
    """Within it, SIGINT raises KeyboardInterrupt as ever, and `stop_if_interrupted` knows of it.

    The interrupt may arrive while Python runs a finalizer or a callback of the garbage collector (JAX has
    one), where exceptions are printed and ignored: the run would go on as if nothing had been asked.
    """
    _received.clear()
    _waiting.clear()
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if not ours:
        yield
        return

    def remember(number, frame):
        _received.set()
        if not _waiting.is_set():
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Within it, an interrupt waits: what is stored together is stored whole."""
    _waiting.set()
    try:
        yield
    finally:
        _waiting.clear()
    stop_if_interrupted()


def stop_if_interrupted() -> None:
    """Raises KeyboardInterrupt if one was received since and got lost."""
    if _received.is_set():
        _received.clear()
        raise KeyboardInterrupt
