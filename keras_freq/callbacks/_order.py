"""What a callback can know of the others in its list, and what follows for those that read the logs.

Keras tells a callback nothing of the list that it stands in. The list, a public
`keras.callbacks.CallbackList`, is found on the call stack; where it is not, nothing is said or done.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Collection, MutableMapping

import keras

# They read every key of the logs; callbacks with a `monitor` read one.
_READERS = (
    keras.callbacks.CSVLogger,
    keras.callbacks.History,
    keras.callbacks.RemoteMonitor,
    keras.callbacks.TensorBoard,
)


def neighbors(callback: keras.callbacks.Callback) -> tuple[list, list]:
    """The callbacks in front of this one and those behind it; none where that is not known.

    To be called while the list calls the callback.
    """
    frame = inspect.currentframe()
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, keras.callbacks.CallbackList):
            others = getattr(owner, "callbacks", [])
            for place, other in enumerate(others):
                if other is callback:
                    return list(others[:place]), list(others[place + 1 :])
        frame = frame.f_back
    return [], []


def warn_of_readers_in_front(callback: keras.callbacks.Callback, keys: Collection[str]) -> None:
    """One line where callbacks in front of this one would read `keys`, which they never see."""
    readers = [
        type(other).__name__
        for other in neighbors(callback)[0]
        if isinstance(other, _READERS) or getattr(other, "monitor", None) in keys
    ]
    if readers:
        name = type(callback).__name__
        warnings.warn(
            f"`{name}` must stand in front of the callbacks that read its numbers: "
            f"{', '.join(readers)} will not see them. Received: callbacks=[{', '.join([*readers, name])}]",
            stacklevel=3,
        )


def promise_columns(callback: keras.callbacks.Callback, keys: Collection[str]) -> None:
    """Has every `CSVLogger` behind this callback make columns of `keys`, NA where they are absent.

    It takes its columns from the first epoch that it sees, in which nothing may be measured yet.
    """
    for logger in neighbors(callback)[1]:
        if isinstance(logger, keras.callbacks.CSVLogger):
            if not isinstance(logger.on_epoch_end, _WithColumns):
                logger.on_epoch_end = _WithColumns(logger.on_epoch_end)
            logger.on_epoch_end.keys.update(keys)


def withdraw_columns(callback: keras.callbacks.Callback) -> None:
    """Leaves the loggers as they were."""
    for logger in neighbors(callback)[1]:
        if isinstance(logger, keras.callbacks.CSVLogger) and isinstance(logger.on_epoch_end, _WithColumns):
            del logger.on_epoch_end


class _WithColumns:
    """`CSVLogger.on_epoch_end` for logs in which some keys may be absent."""

    def __init__(self, write: Callable):
        self.write = write
        self.keys: set[str] = set()

    def __call__(self, epoch: int, logs: MutableMapping[str, float] | None = None) -> None:
        logs = logs or {}
        promised = set(self.keys)
        # Keras makes columns for a validation to come only where no key begins with val_, as ours may.
        trained = set(logs) - self.keys
        if not any(key.startswith("val_") for key in trained):
            promised |= {f"val_{key}" for key in trained}
        self.write(epoch, {**dict.fromkeys(promised, "NA"), **logs})
