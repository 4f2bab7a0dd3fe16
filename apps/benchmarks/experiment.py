"""The benchmarks: each compares one thing with the plain or the bare way of doing it."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import keras_freq as kf
from apps.benchmarks import evaluations, images, imports, shortcuts, training
from apps.benchmarks.config import Benchmarks
from apps.lab import Run
from apps.lab.files import write_whole
from apps.lab.versions import versions

COMPARISONS: dict[str, Callable[[Benchmarks, tuple], list[dict]]] = {
    "low_pass": images.low_pass,
    "apr_single": images.apr_single,
    "apr_sp_step": training.apr_sp_step,
    "band_accuracy": evaluations.band_accuracy,
    "pgd": evaluations.pgd,
    "frequency_importance": shortcuts.frequency_importance,
    "import": imports.import_time,
}


def benchmarks(run: Run, config: Benchmarks) -> None:
    """Runs every comparison and writes `benchmarks.md`."""
    data = kf.data.load("cifar10_mini", seed=config.seed, feed="pydataset")
    test = data.arrays("test")
    for name, compare in run.sweep(COMPARISONS.items(), "benchmarks"):
        run.measure(name, compare, config, test)
    text = table(run)
    write_whole(run.folder / "benchmarks.md", text)
    run.say(text)
    run.summary("Benchmarks", [], notes=text)


def table(run: Run) -> str:
    """All figures as a Markdown table, with the date, the machine and the versions."""
    made = versions()
    head = (
        f"Measured {datetime.date.today()} on {made['cpu_count']} CPU cores, {made['backend']} "
        f"{made['backend_version']}, keras {made['keras']}, numpy {made['numpy']}; medians of "
        f"{run.config.repeats} pairs of runs in turn.\n\n"
    )
    rows = ["| what | ours | the other way | ratio | target |", "|---|---|---|---|---|"]
    rows += [
        f"| {r['what']} | {r['ours']} | {r['other']} | {r['ratio']} | {r['target']} |" for r in run.records
    ]
    return head + "\n".join(rows) + "\n"
