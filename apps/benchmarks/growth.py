"""How time and peak memory of every sweep grow from 1 to 16 times the images, frequencies and classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from apps.benchmarks.child import ask
from apps.benchmarks.config import Growth
from apps.benchmarks.history import describe_machine
from apps.benchmarks.sweeps import BY_CLASS, BY_FREQUENCY, SWEEPS
from apps.lab import Run
from apps.lab.report import markdown, print_table

HEAD = ("sweep", "along", "sizes", "ms", "slope", "of CPU", "peak, MiB", "added, MiB", "verdict")


def growth(run: Run, config: Growth) -> None:
    """Measures each sweep along each axis in a process of its own, and writes the table."""
    cases = list_cases(config)
    lines = []
    for sweep, axis in run.sweep(cases, "growth"):
        records = run.measure(f"{sweep}/{axis}", measure, config, sweep, axis)
        lines.append(make_line(config, sweep, axis, records))
    made = describe_machine()
    where = f"{made['device']}, {made['cpu_count']} cores, {made['backend']} {made['backend_version']}"
    failed = [line for line in lines if line[-1] != "as hoped"]
    notes = (
        f"{where}, keras {made['keras']}. Slope: least squares of log(ms) over log(size), by the clock, and "
        "of the CPU time of all threads, which other processes do not stretch; at most "
        f"{config.slope:g} hoped for, of one of the two. Memory: growth of the process's peak from the "
        f"smallest size to the largest, less that of the images, at most {config.megabytes:g} MiB hoped for. "
        f"{len(failed)} of {len(lines)} rows miss time or memory."
    )
    print_table(where, HEAD, lines, whole=True)
    run.say(notes)
    run.summary("Growth", [], notes=f"{notes}\n\n{markdown(HEAD, lines)}")


def list_cases(config: Growth) -> list[tuple[str, str]]:
    """What grows with what: some sweeps have no frequencies, one no classes."""
    having = {"images": tuple(SWEEPS), "frequencies": BY_FREQUENCY, "classes": BY_CLASS}
    wanted = config.sweeps or tuple(SWEEPS)
    return [(sweep, axis) for sweep in wanted for axis in config.axes if sweep in having[axis]]


def measure(config: Growth, sweep: str, axis: str) -> list[dict]:
    """One sweep along one axis: a row for each size."""
    names = ("factor", "repeats", "images", "frequencies", "classes")
    rows = ask("growth", sweep=sweep, axis=axis, **{name: getattr(config, name) for name in names})
    return [{"sweep": sweep, "axis": axis, **row} for row in rows]


def find_slope(sizes: Sequence[float], times: Sequence[float]) -> float:
    """Least squares of log(time) over log(size)."""
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def make_line(config: Growth, sweep: str, axis: str, records: list[dict]) -> list[str]:
    """A row of the table."""
    sizes, times, cpu = ([record[key] for record in records] for key in ("size", "ms", "cpu_ms"))
    first, last = records[0], records[-1]
    slopes = find_slope(sizes, times), find_slope(sizes, cpu)
    grown = last["peak"] - first["peak"] - (last["images_mib"] - first["images_mib"])
    found = (("time", min(slopes) > config.slope), ("memory", grown > config.megabytes))
    missed = [word for word, bad in found if bad]
    return [
        sweep,
        axis,
        f"{sizes[0]} to {sizes[-1]}",
        f"{times[0]:.0f} to {times[-1]:.0f}",
        *(f"{slope:.2f}" for slope in slopes),
        f"{first['peak']:.0f} to {last['peak']:.0f}",
        f"{grown:+.0f}",
        f"more {' and '.join(missed)}" if missed else "as hoped",
    ]
