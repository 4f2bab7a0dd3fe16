"""The one loop of the long measurements: every item on every batch of the data, a few items per step."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import keras
import numpy as np
from keras import ops

from keras_freq._core.compiled import to_tensor
from keras_freq._core.devices import split_batch
from keras_freq._core.journal import SweepJournal

# The host runs ahead of an accelerator by at most this many steps, which bounds the memory of queued work.
_AHEAD = 16

Tag = TypeVar("Tag")


def choose_batch_size(data: Any, most: int) -> int:
    """Images per batch, at most so many, by which arrays are cut into batches that are all nearly full."""
    if not (isinstance(data, (tuple, list)) and data and hasattr(data[0], "__len__")):
        return most  # a feed keeps its own batches; those longer are cut
    count = max(1, len(data[0]))
    return math.ceil(count / math.ceil(count / most))


def fetch_in_order(queued: Iterable[tuple[Tag, Any]]) -> Iterator[tuple[Tag, Any]]:
    """Results of queued steps as NumPy arrays, in the order of the queue, a bounded number of them waiting.

    Args:
        queued: Pairs `(tag, result)`: what belongs to the result on the host, and tensors on the device.

    Yields:
        Pairs `(tag, result)` with NumPy arrays for tensors.
    """
    waiting: deque[tuple[Tag, Any]] = deque()
    for pair in queued:
        waiting.append(pair)
        if len(waiting) == _AHEAD:
            # Half of them, so that the device has work while the host takes in what is done.
            for _ in range(_AHEAD // 2):
                yield _arrive(*waiting.popleft())
    while waiting:
        yield _arrive(*waiting.popleft())


def sweep_items(
    items: Mapping[str, Any],
    batches: Iterable[tuple[Any, Any, int]],
    step: Callable,
    *,
    load: Callable[[list], Any],
    prepare: Callable | None = None,
    fold: Callable | None = None,
    per_step: int,
    per_pass: int | None = None,
    journal: SweepJournal | None = None,
    advance: Callable[[int], Any] | None = None,
) -> np.ndarray:
    """Measures every item on all data: one pass over the batches for many items, a few items per step.

    A batch goes to the device once for all items of a pass, and what is loaded for them stays there. Every
    step has the same shapes: the last one of a pass is filled up with its last item. The journal takes a line
    for each pass, so that a stopped sweep loses one pass at most, and goes on with the same numbers.

    Args:
        items: What is measured, by the key under which the journal keeps it.
        batches: The data, gone through anew for each pass: `(images, labels, valid)`, arrays of one shape, of
            which the first `valid` images are real.
        step: `step(images, labels, valid, chunk)` queues one step and returns a tensor `(items, ...)`, of
            tensors on the device, the number of real images as an int32 scalar, and what was loaded.
        load: Makes of the items of one step what the step gets of them.
        prepare: Makes of the images of a batch what the step gets of them, once for all its steps.
        fold: `fold(total, part, labels, valid)` adds the result of a step to what the batches before gave,
            `None` at first. By default the sum in float64: exact for counts, and small changes are not lost.
        per_step: Items per step; where there are fewer, a step is filled up.
        per_pass: Items per pass, at most; default all.
        journal: Where measured items are kept, or `None`.
        advance: Told how many images are done, each counted once for every item.

    Returns:
        The measured rows `(items, ...)`, in the order of the items.
    """
    fold = fold or _add
    measured = dict[str, Any]() if journal is None else journal.rows
    todo = [key for key in items if key not in measured]
    per_pass = per_pass or len(items)
    # Not fewer where fewer are left: a sweep that goes on has the shapes and numbers of an unbroken one.
    per_step = min(per_step, per_pass)
    for first in range(0, len(todo), per_pass):
        keys = todo[first : first + per_pass]
        groups = [keys[start : start + per_step] for start in range(0, len(keys), per_step)]
        chunks = [load([items[key] for key in _fill(group, per_step)]) for group in groups]
        totals: list[Any] = [None] * len(groups)
        for (index, labels, valid), part in fetch_in_order(_queue(batches, step, chunks, prepare)):
            totals[index] = fold(totals[index], part, labels, valid)
            if advance is not None:
                advance(valid * len(groups[index]))
        # Only the last group is filled up, so the filling is at the end.
        rows = dict(zip(keys, np.concatenate(totals)[: len(keys)], strict=True))
        if journal is None:
            measured |= rows
        else:
            journal.add({key: row.tolist() for key, row in rows.items()})
    return np.array([measured[key] for key in items])


def _queue(
    batches: Iterable[tuple[Any, Any, int]], step: Callable, chunks: list, prepare: Callable | None
) -> Iterator[tuple[tuple[int, Any, int], Any]]:
    """Starts the steps of a pass, batch by batch. What runs on which device is decided here alone."""
    for images, labels, valid in batches:
        x, y = split_batch((to_tensor(images), to_tensor(labels)))
        if prepare is not None:
            x = prepare(x)
        for index, chunk in enumerate(chunks):
            yield (index, labels, valid), step(x, y, np.int32(valid), chunk)


def _fill(group: list, size: int) -> list:
    return group + group[-1:] * (size - len(group))


def _add(total: Any, part: np.ndarray, labels: Any, valid: int) -> np.ndarray:
    return part.astype("float64") if total is None else total + part


def _arrive(tag: Tag, result: Any) -> tuple[Tag, Any]:
    return tag, keras.tree.map_structure(ops.convert_to_numpy, result)
