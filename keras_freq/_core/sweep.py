"""The one loop of the long measurements: every item on every batch of the data, a few items per step."""

from __future__ import annotations

import functools
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import keras
import numpy as np
from keras import ops

from keras_freq._core import processes
from keras_freq._core.batches import Batch
from keras_freq._core.compiled import to_tensor
from keras_freq._core.crew import Crew
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


def run_steps(
    steps: Iterable[tuple[Tag, Callable[[], Any]]], *, ahead: int = _AHEAD, fetch: bool = True
) -> Iterator[tuple[Tag, Any]]:
    """Results of steps as NumPy arrays, in the order of the steps, a bounded number of them waiting.

    Where several processes are joined, they take turns: each starts its share of the steps, and all get all
    results. They must come with the same steps. A step may measure by itself: inside it a process is alone.

    Args:
        steps: Pairs `(tag, start)`: what belongs to the result on the host, and a function that queues the
            step and returns tensors on the device, or arrays, in any structure.
        ahead: Steps that a process starts at most before the first of their results arrives.
        fetch: `False` leaves results on the device where they need not go to another process.

    Yields:
        Pairs `(tag, result)` with NumPy arrays for tensors.
    """
    crew = processes.crew()
    if crew is not None:
        yield from _run_in_crew(crew, steps, ahead)
        return
    count, own = processes.count(), processes.index()
    waiting: deque[tuple[int, Tag, Any]] = deque()
    # Half of them arrive together, so that the device has work while the host takes in what is done.
    most, few = ahead * count, max(1, ahead // 2) * count
    coming = iter(steps)
    for turn in itertools.count():
        with processes.telling():
            step = next(coming, None)
            if step is not None:
                tag, start = step
                waiting.append((turn, tag, _start(start) if turn % count == own else None))
        if step is None or len(waiting) == most:
            arriving = [waiting.popleft() for _ in range(len(waiting) if step is None else few)]
            yield from _arrive(arriving, count, own, fetch)
        if step is None:
            return


def _run_in_crew(
    crew: Crew, steps: Iterable[tuple[Tag, Callable[[], Any]]], ahead: int
) -> Iterator[tuple[Tag, Any]]:
    """As `run_steps`, where whoever is free does a step."""
    loop, waiting = crew.begin_loop(), deque[tuple[int, Tag, Callable[[], Any]]]()
    coming = enumerate(steps)
    while True:
        step = next(coming, None)
        if step is not None:
            turn, (tag, start) = step
            waiting.append((turn, tag, functools.partial(_start, start)))
        if step is None or len(waiting) == ahead * crew.size:
            wanted = len(waiting) if step is None else max(1, len(waiting) // 2)
            starts = {turn: start for turn, _, start in waiting}
            for result in crew.resolve(loop, wanted, starts, _fetch) if wanted else ():
                yield waiting.popleft()[1], result
        if step is None:
            return


def sweep_batches(batches: Iterable[Batch], step: Callable) -> Iterator[tuple[tuple[Any, int], Any]]:
    """`((labels, valid), result)` of `step(images, labels, valid)` for every batch, as of `run_steps`."""
    return run_steps(
        ((labels, valid), functools.partial(step, images, labels, np.int32(valid)))
        for images, labels, valid in batches
    )


def sweep_items(
    items: Mapping[str, Any],
    batches: Iterable[Batch],
    step: Callable,
    *,
    load: Callable[[list], Any],
    prepare: Callable | None = None,
    draw: Callable[[Any, int, int], Any] | None = None,
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
        draw: `draw(loaded, batch, valid)` makes what a step gets in place of what was loaded, where that has
            random draws: it is called for every step in their order, whichever process has it.
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
        for (index, labels, valid), part in run_steps(_queue(batches, step, chunks, prepare, draw)):
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


def load_batches(
    batches: Iterable[Batch], prepare: Callable | None = None
) -> Iterator[tuple[Callable[[], tuple], Any, int]]:
    """`(load, labels, valid)` of every batch, where `load()` gives its images, labels and `valid` for a step.

    They go to the device when the first step of a batch asks for them, and once for all its steps: never
    where other processes have all of these.
    """

    def load(images, labels, valid):
        x, y = split_batch((to_tensor(images), to_tensor(labels)))
        return x if prepare is None else prepare(x), y, np.int32(valid)

    for images, labels, valid in batches:
        yield functools.cache(functools.partial(load, images, labels, valid)), labels, valid


def _queue(
    batches: Iterable[Batch],
    step: Callable,
    chunks: list,
    prepare: Callable | None,
    draw: Callable[[Any, int, int], Any] | None,
) -> Iterator[tuple[tuple[int, Any, int], Callable]]:
    """The steps of a pass, batch by batch. What runs on which device is decided here alone."""

    def start(load, chunk):
        return step(*load(), chunk)

    for load, labels, valid in load_batches(batches, prepare):
        for index, chunk in enumerate(chunks):
            drawn = chunk if draw is None else draw(chunk, len(labels), valid)
            yield (index, labels, valid), functools.partial(start, load, drawn)


def _fill(group: list, size: int) -> list:
    return group + group[-1:] * (size - len(group))


def _add(total: Any, part: np.ndarray, labels: Any, valid: int) -> np.ndarray:
    return part.astype("float64") if total is None else total + part


def _start(start: Callable[[], Any]) -> Any:
    with processes.alone():
        return start()


def _arrive(
    waiting: list[tuple[int, Tag, Any]], count: int, own: int, fetch: bool
) -> Iterator[tuple[Tag, Any]]:
    if count == 1:
        for _, tag, result in waiting:
            yield tag, _fetch(result) if fetch else result
        return
    with processes.telling():
        results = [_fetch(result) for turn, _, result in waiting if turn % count == own]
    sizes, parts = zip(*processes.gather((len(waiting), results)), strict=True)
    if len(set(sizes)) > 1:
        raise RuntimeError(
            "Processes that are joined must come with the same steps, of the same data. "
            f"Received: {' and '.join(map(str, sizes))} of them at a time"
        )
    queues = [iter(part) for part in parts]
    for turn, tag, _ in waiting:
        yield tag, next(queues[turn % count])


def _fetch(result: Any) -> Any:
    return keras.tree.map_structure(
        lambda part: ops.convert_to_numpy(part) if ops.is_tensor(part) else part, result
    )
