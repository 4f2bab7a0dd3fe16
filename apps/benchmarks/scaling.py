"""What more workers save: units of work under Ray, timed with few workers and simulated for many."""

from __future__ import annotations

import heapq
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_freq as kf
from apps.benchmarks.config import Scaling
from apps.benchmarks.history import describe_machine
from apps.lab import Run
from apps.lab.files import hold
from apps.lab.on_ray import call, cluster, environment, work_on_ray
from apps.lab.report import markdown, print_table
from apps.lab.units import Backlog, Unit, UnitStore

# One thread a worker: two of them on two cores do not share what one of them uses.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
_core: list[Any] = []
_model: list[keras.Model] = []


def scaling(run: Run, config: Scaling) -> None:
    """Times the units with each number of workers, and simulates them, and a large grid with more workers."""
    rows = [run.measure(f"{count} workers", _time_workers, run, config, count)[0] for count in config.workers]
    costs = {name: rows[0][name] for name in ("start", "dispatch")}
    warm = {"start": 0.0, "dispatch": costs["dispatch"]}  # the workers that were timed had started before
    measured = [
        [
            f"{row['workers']}",
            f"{row['wall']:.1f}",
            f"{row['unit']:.2f}",
            f"{simulate([rows[0]['unit']] * config.units, workers=row['workers'], **warm):.1f}",
        ]
        for row in rows
    ]
    walls = _simulate_grid(config, costs)
    simulated = [
        [f"{count}", f"{wall / 3600:.2f}", f"{walls[0] / wall:.1f}"]
        for count, wall in zip(config.simulated, walls, strict=True)
    ]
    notes = _describe(config, rows[0])
    tables = (
        (f"{config.units} units under Ray", ("workers", "seconds", "a unit", "simulated"), measured),
        ("A grid, simulated", ("workers", "hours", "times as fast"), simulated),
    )
    for title, head, lines in tables:
        print_table(title, head, lines, whole=True)
    run.say(notes)
    run.figure("scaling", _draw(config, walls))
    run.summary(
        "Scaling", [], notes="\n\n".join([notes, *(markdown(head, lines) for _, head, lines in tables)])
    )


def _simulate_grid(config: Scaling, costs: dict[str, float]) -> list[float]:
    trainings = [config.training_minutes * 60] * config.trainings
    measurements = [config.measurement_minutes * 60] * config.measurements
    return [simulate(trainings, measurements, workers=count, **costs) for count in config.simulated]


def _describe(config: Scaling, row: dict[str, Any]) -> str:
    made = describe_machine()
    start, dispatch = row["start"], 1000 * row["dispatch"]
    return (
        f"A unit: band accuracy of {config.images} images at {config.radii} radii, a core for each worker; "
        f"{made['device']}, {made['cpu_count']} cores, {made['backend']} {made['backend_version']}. A worker "
        f"is ready after {start:.1f} s, the driver hands out a unit in {dispatch:.1f} ms. The model: workers "
        "take units in order, as fast as one alone; the driver hands out one unit after the other; "
        "measurements wait for the training of their network. "
        f"The grid: {config.trainings} trainings of {config.training_minutes:g} minutes, each followed by "
        f"{config.measurements} measurements of {config.measurement_minutes:g} minutes."
    )


def _draw(config: Scaling, walls: list[float]) -> Any:
    figure = kf.plots.curves(
        {"": {"as many times": list(config.simulated), "simulated": [walls[0] / wall for wall in walls]}},
        x=list(config.simulated),
        xlabel="workers",
        ylabel="times as fast as one",
        limits=None,
        title="A grid on many workers, simulated",
    )
    for axis in figure.axes:
        axis.set(xscale="log", yscale="log")
    return figure


def simulate(
    units: Sequence[float],
    after: Sequence[float] = (),
    *,
    workers: int,
    start: float,
    dispatch: float,
) -> float:
    """Seconds until all is done: units of so many seconds, each followed by those of `after`.

    A worker is ready after `start` seconds; the driver hands out one unit after the other, in `dispatch`
    seconds each.
    """
    ready = [(start, worker) for worker in range(workers)]
    heapq.heapify(ready)
    waiting: deque[tuple[float, bool]] = deque((seconds, True) for seconds in units)
    ended: list[tuple[float, int]] = []  # trainings, whose measurements become ready then
    driver = last = 0.0
    while waiting or ended:
        free, worker = heapq.heappop(ready)
        while ended and (ended[0][0] <= free or not waiting):
            moment, _ = heapq.heappop(ended)
            free = max(free, moment)
            waiting.extend((seconds, False) for seconds in after)
        if not waiting:
            break
        seconds, leads = waiting.popleft()
        driver = max(driver, free) + dispatch
        done = driver + seconds
        last = max(last, done)
        heapq.heappush(ready, (done, worker))
        if leads and after:
            heapq.heappush(ended, (done, worker))
    return last


def busy_unit(folder: str, images: int, radii: int) -> dict[str, float]:
    """In a worker: one measurement, on a core of its own, and its seconds."""
    begin = time.perf_counter()
    if not _core:
        _take_core(Path(folder))
    if not _model:
        _model.append(kf.models.small_resnet())
    rng = np.random.default_rng(0)
    data = rng.random((images, 32, 32, 3), "float32"), rng.integers(0, 10, images)
    kf.evaluate.band_accuracy(_model[0], data, radii=tuple(range(1, radii + 1)), progress=None)
    return {"seconds": time.perf_counter() - begin}


def _take_core(folder: Path) -> None:
    """Keeps this process on a core that no other worker has: JAX takes as many threads as it may use."""
    for core in sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else ():
        claim = hold(folder / f"core-{core}")
        if claim is not None:
            _core.append(claim)
            os.sched_setaffinity(0, {core})
            return


def empty_unit() -> dict[str, float]:
    """In a worker: nothing."""
    return {"seconds": 0.0}


def _time_workers(run: Run, config: Scaling, workers: int) -> dict[str, Any]:
    here = "apps.benchmarks.scaling"
    shared = environment() | ONE_THREAD
    with cluster(None, cpus=workers) as ray:
        remote = ray.remote(call).options(num_cpus=1)

        def work(name: str, count: int, function: str, *args: Any) -> tuple[float, list[float]]:
            folder = Path(run.folder) / "units" / f"{workers}-{name}"
            units = [Unit(f"{name} {i}", f"{name}-{i}", {}) for i in range(count)]
            backlog = Backlog(units, UnitStore(folder), tries=1)
            begin = time.perf_counter()
            outcomes: Iterator = work_on_ray(
                ray,
                backlog,
                lambda unit: remote.remote(shared, f"{here}:{function}", *args),
                lambda unit, found: found,
                needs={"CPU": 1},
                say=run.say,
            )
            seconds = [outcome["seconds"] for _, outcome in outcomes]
            return time.perf_counter() - begin, seconds

        busy = ("busy_unit", str(run.folder.resolve() / "cores" / str(workers)), config.images, config.radii)
        start, first = work("first", workers, *busy)
        empty, _ = work("empty", config.units, "empty_unit")
        wall, seconds = work("timed", config.units, *busy)
    unit = float(np.median(seconds))
    return {
        "measure": "seconds",
        "value": wall,
        "workers": workers,
        "wall": wall,
        "unit": unit,
        "start": start - unit,
        "first": max(first),
        "dispatch": empty / config.units,
    }
