"""Peak memory of sweeps and training steps, each in a process of its own."""

from __future__ import annotations

import concurrent.futures
import importlib.util

from apps.benchmarks.child import ask
from apps.benchmarks.config import Speed
from apps.benchmarks.sweeps import SWEEPS
from apps.benchmarks.training import choose_rows

FEW = ("band_accuracy", "frequency_importance", "apr_sp")


def choose_cases(config: Speed) -> tuple[str, ...]:
    """A few; with `full` every sweep and every row of training. None where the system cannot tell."""
    if importlib.util.find_spec("resource") is None:  # Windows
        return ()
    return (*SWEEPS, *choose_rows(config)[1:]) if config.full else FEW


def measure_memory(config: Speed, cases: tuple[str, ...]) -> list[dict]:
    """MiB after the bare way, after the case, and their difference. Two processes at a time."""

    def measure(case):
        options = {"images": config.images, "batch_size": min(config.batch_size, config.images)}
        return ask("peak", case=case, **options)[0]

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        found = list(pool.map(measure, cases))
    return [
        {
            "case": case,
            "other": "the bare forward (or backward) of a batch"
            if case in SWEEPS
            else "the step of Standard",
            "shape": f"{config.images if case in SWEEPS else config.batch_size} x 32 x 32",
            "dtype": "float32",
            "peak_mib": row["after"],
            "bare_peak_mib": row["before"],
            "added_mib": round(row["after"] - row["before"], 1),
        }
        for case, row in zip(cases, found, strict=True)
    ]
