"""The processes that measure together: a crew, those of `torch.distributed`, or JAX's, as Keras joins them.

Each runs its share of the steps of a measurement, and all learn what every one has found. Nothing else in the
package talks to another process.
"""

from __future__ import annotations

import contextlib
import contextvars
import pickle
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import keras
import numpy as np

from keras_freq._core.crew import Crew, LostProcess

T = TypeVar("T")

_ALONE = contextvars.ContextVar("alone", default=False)
_CREW = contextvars.ContextVar[Crew | None]("crew", default=None)


@dataclass(frozen=True)
class _Failed:
    """What a process sends in place of a result when it cannot go on."""

    error: str


def count() -> int:
    """How many processes measure together: 1 where none are joined, and inside `alone`."""
    return 1 if _ALONE.get() else _place()[1]


def index() -> int:
    """Which of them this one is, from 0."""
    return 0 if _ALONE.get() else _place()[0]


def crew() -> Crew | None:
    """The crew that this process measures with, where it does."""
    return None if _ALONE.get() else _CREW.get()


@contextlib.contextmanager
def joined(crew: Crew) -> Iterator[None]:
    """Inside it the process is a member of a crew."""
    token = _CREW.set(crew)
    try:
        yield
    finally:
        _CREW.reset(token)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Inside it a process measures by itself, though several are joined.

    Processes of `torch.distributed`, and those of JAX after `keras.distribution.initialize`, share every
    measurement: all must call it, and all get its result. Inside `alone` one of them calls it, or each with
    data of its own.

    Example:
        >>> with kf.evaluate.alone():
        ...     result = kf.evaluate.accuracy(model, data)
        >>> result.n
        8
    """
    token = _ALONE.set(True)
    try:
        yield
    finally:
        _ALONE.reset(token)


def gather(value: Any) -> list[Any]:
    """The values of all processes, arrays in any structure, in the order of the processes.

    All must come here equally often. They need not be of one shape.

    Raises:
        LostProcess: If another process has failed, or is gone.
    """
    if count() == 1:
        return [value]
    if (members := crew()) is not None:
        return members.share(value)
    try:
        values = _exchange(value)
    except Exception as error:
        raise LostProcess(f"One of the {count()} processes that measure together is gone: {error}") from error
    for place, other in enumerate(values):
        if isinstance(other, _Failed):
            raise LostProcess(f"Process {place} of the {count()} that measure together failed: {other.error}")
    return values


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """An error inside is told to the others at their next `gather`, where they would wait for ever."""
    try:
        yield
    except LostProcess:
        raise
    except Exception as error:
        if count() > 1 and crew() is None:
            _exchange(_Failed(f"{type(error).__name__}: {error}"))
        raise


def take_from_first(make: Callable[[], T]) -> T:
    """What the first process makes, on all of them; its error, too."""
    if count() == 1:
        return make()
    made: Any = None
    if index() == 0:
        try:
            made = make()
        except Exception as error:
            made = error
    made = gather(made)[0]
    if isinstance(made, Exception):
        raise made
    return made


class Here:
    """A function that stays in this process: where it is sent to, nothing happens in its place."""

    def __init__(self, function: Callable[..., Any] | None):
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return None if self._function is None else self._function(*args)

    def __reduce__(self) -> tuple[type, tuple[None]]:
        return Here, (None,)


def check_alike(what: str, make: Callable[[], Iterable[Any]]) -> None:
    """Refuses processes that do not make the same arrays: what each finds would be of another thing."""
    if count() == 1:
        return
    mark = 0
    for array in make():
        array = np.ascontiguousarray(array)
        mark = zlib.crc32(array.tobytes(), zlib.crc32(f"{array.shape} {array.dtype}".encode(), mark))
    marks = gather(mark)
    others = [place for place, other in enumerate(marks) if other != marks[0]]
    if others:
        raise ValueError(
            f"Processes that are joined measure together: all must pass the same {what}, or measure inside "
            "keras_freq.evaluate.alone(); a seed before a model is made gives all the same weights. "
            f"Received: processes 0 and {others[0]} with different {what}"
        )


@contextlib.contextmanager
def copying(what: str) -> Iterator[None]:
    """Inside, each process measures the whole; where several are joined, it warns of that."""
    if count() > 1:
        warnings.warn(
            f"Each of the {count()} processes measures the whole: {what} is not shared between processes.",
            stacklevel=4,
        )
    with alone():
        yield


def refuse_training() -> None:
    """Refuses to train where Keras would train a model of its own in each process."""
    if keras.backend.backend() == "torch" and count() > 1 and crew() is None:
        raise RuntimeError(
            "On PyTorch Keras joins no processes in `fit`: train in one, or call it inside "
            "keras_freq.evaluate.alone(), where each trains a model of its own. "
            f"Received: {count()} processes"
        )


def refuse_workers(model: Any) -> None:
    """Refuses a model of `tf.distribute` over several workers, which no measurement is shared between."""
    if keras.backend.backend() != "tensorflow" or _ALONE.get():
        return
    import tensorflow as tf

    strategy = getattr(model, "distribute_strategy", None) or tf.distribute.get_strategy()
    resolver = getattr(strategy, "cluster_resolver", None)
    jobs = [] if resolver is None else resolver.cluster_spec().as_dict().values()
    if sum(map(len, jobs)) > 1:
        raise ValueError(
            "On TensorFlow processes share no measurement: load the model outside the strategy and "
            "measure in one process, or on JAX or PyTorch. "
            f"Received: a model of {type(strategy).__name__} with {sum(map(len, jobs))} workers"
        )


def _place() -> tuple[int, int]:
    """Number of this process, and how many there are."""
    if (members := _CREW.get()) is not None:
        return members.member, members.size
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.process_index(), jax.process_count()
    if backend == "torch":
        import torch

        group = torch.distributed
        if group.is_available() and group.is_initialized():
            return group.get_rank(), group.get_world_size()
    return 0, 1


def _exchange(value: Any) -> list[Any]:
    if keras.backend.backend() == "torch":
        import torch

        values: list[Any] = [None] * count()
        torch.distributed.all_gather_object(values, value)
        return values
    from jax.experimental.multihost_utils import process_allgather

    # As bytes: JAX would make float32 of float64. Of few lengths, each of which is compiled once.
    content = np.frombuffer(pickle.dumps(value), "uint8")
    sizes = np.reshape(process_allgather(np.int32(len(content))), -1)
    filled = np.zeros(max(1024, 1 << int(sizes.max() - 1).bit_length()), "uint8")
    filled[: len(content)] = content
    parts = np.reshape(process_allgather(filled), (len(sizes), -1))
    return [pickle.loads(part[:size].tobytes()) for part, size in zip(parts, sizes, strict=True)]
