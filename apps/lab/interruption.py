"""Signals that stop a run and are not lost: Python drops an exception that is raised inside a finalizer."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

# Ctrl-C, what a scheduler sends before it kills, and the end of the terminal.
_STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

_received = threading.Event()
_waiting = threading.Event()
_last = signal.SIGINT


@contextlib.contextmanager
def remembered_interruptions() -> Iterator[None]:
    """Within it, signals that stop raise KeyboardInterrupt, and `stop_if_interrupted` knows of them.

    A signal may arrive while Python runs a finalizer or a callback of the garbage collector (JAX has one),
    where exceptions are printed and ignored: the run would go on as if nothing had been asked. Signals that
    are ignored or handled otherwise, as under `nohup`, stay so.
    """
    global _last
    _last = signal.SIGINT
    _received.clear()
    _waiting.clear()
    before: dict = {}
    if threading.current_thread() is threading.main_thread():
        usual = (signal.SIG_DFL, signal.default_int_handler)
        before = {kind: signal.getsignal(kind) for kind in _STOPPING if signal.getsignal(kind) in usual}

    def remember(number, frame):
        global _last
        _last = signal.Signals(number)
        _received.set()
        if not _waiting.is_set():
            raise KeyboardInterrupt

    for kind in before:
        signal.signal(kind, remember)
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def exit_status() -> int:
    """The status by which a shell knows that a signal ended the run: 130 after Ctrl-C."""
    return 128 + _last


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
    """Raises KeyboardInterrupt if a signal was received since and got lost."""
    if _received.is_set():
        _received.clear()
        raise KeyboardInterrupt
