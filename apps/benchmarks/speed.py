"""How fast the package is: every row beside its limit, or beside the way that does without the package."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import keras_freq as kf
from apps.benchmarks import (
    attacks,
    corruptions,
    feeds,
    history,
    imports,
    layers,
    limits,
    memory,
    peers,
    sweeps,
    training,
)
from apps.benchmarks.config import Speed
from apps.benchmarks.report import as_markdown, as_text, describe_run
from apps.lab import Run, RunError
from apps.lab.config import as_dict
from apps.lab.files import write_json, write_whole

# group, what is unique in it, function and its arguments
Stage = tuple[str, str, Callable[..., list[dict]], tuple]


def speed(run: Run, config: Speed) -> None:
    """Measures every row, and writes `benchmarks.md` and `benchmarks.json`, which the history has too."""
    if config.device == "gpu" and history.accelerator_name() is None:
        raise RunError(f"there must be a GPU for device=gpu. Received: {history.device_name()}", code=1)
    old = None if config.against is None else history.read(config.against)
    begin = time.perf_counter()
    images, labels = kf.data.load("cifar10_mini", seed=config.seed, feed="pydataset").arrays("test")
    rows: list[dict] = []
    stages = list_stages(config, images, labels)
    for stage in run.sweep(stages, "benchmarks"):
        rows += _measure(run, config, stage)
    document = history.make_document(as_dict(config), rows, history.describe_machine())
    text = f"{describe_run(document)}\n{as_text(rows)}"
    compared = "" if old is None else _compare(run, config, stages, old, document)
    run.say(f"{text}\n{compared}" if compared else text)
    minutes = (time.perf_counter() - begin) / 60
    notes = "\n\n".join(filter(None, [describe_run(document), compared, as_markdown(rows)]))
    write_whole(run.folder / "benchmarks.md", notes)
    write_json(run.folder / "benchmarks.json", document)
    kept = history.append(config.history, document)
    run.say(f"{minutes:.1f} minutes; for the next run: --against {kept}")
    run.summary("Benchmarks", [], notes=notes)


def list_stages(config: Speed, images: Any, labels: Any) -> list[Stage]:
    """All that the settings ask for, in its order."""
    return [stage for group in config.groups for stage in _GROUPS[group](config, images, labels)]


def _limits(config: Speed, images: Any, labels: Any) -> Iterator[Stage]:
    yield "limits", "bandwidth", limits.bandwidth, ()
    for batch in _batches(config, images):
        yield "limits", f"fft/{limits.shape_of(batch)}", limits.transforms, (batch,)


def _layers(config: Speed, images: Any, labels: Any) -> Iterator[Stage]:
    policies = ("float32", layers.MIXED) if config.full else ("float32",)
    for batch in _batches(config, images):
        for policy in policies:
            # Those of one limit stand together.
            for name, _ in sorted(layers.LAYERS.items(), key=lambda item: not item[1].spectral):
                for way in layers.WAYS:
                    key = f"{name}/{way}/{limits.shape_of(batch)}/{policy}"
                    yield "layers", key, layers.time_layer, (name, way, policy, batch)


def _sweeps(config: Speed, images: Any, labels: Any) -> Iterator[Stage]:
    few = images[: config.images], labels[: config.images]
    for name in sweeps.SWEEPS:
        yield "sweeps", name, sweeps.time_sweep, (name, *few)


def _attacks(config: Speed, images: Any, labels: Any) -> Iterator[Stage]:
    few = images[: config.attack_images], labels[: config.attack_images]
    for name in (*attacks.ATTACKS, *(attacks.SLOW if config.full else ())):
        yield "attacks", name, attacks.time_attack, (name, *few)
    yield "attacks", "foolbox", attacks.pgd_and_foolbox, few


def _corruptions(config: Speed, images: Any, labels: Any) -> Iterator[Stage]:
    for place, batch in enumerate(_batches(config, images)):
        for name in corruptions.choose_corruptions(config, large=place > 0):
            yield (
                "corruptions",
                f"{name}/{limits.shape_of(batch)}",
                corruptions.time_corruption,
                (name, batch),
            )


def _feeds(config: Speed, images: Any, labels: Any) -> Iterator[Stage]:
    few = images[: config.images], labels[: config.images]
    for name in feeds.choose_feeds():
        yield "feeds", name, feeds.time_feed, (name, *few)


def _training(config: Speed, images: Any, labels: Any) -> Iterator[Stage]:
    few = images[: config.batch_size], labels[: config.batch_size]
    for name in training.choose_rows(config):
        yield "training", name, training.time_training, (name, *few)
    yield "training", "fit", training.time_fit, few


def _peers(config: Speed, images: Any, labels: Any) -> Iterator[Stage]:
    for name, compute in peers.PEERS.items():
        count = len(images) if name == "ranking" else config.batch_size
        yield "peers", name, compute, (images[:count], labels[:count])


def _memory(config: Speed, images: Any, labels: Any) -> Iterator[Stage]:
    cases = memory.choose_cases(config)
    if cases:
        yield "memory", "peaks", memory.measure_memory, (cases,)


def _import(config: Speed, images: Any, labels: Any) -> Iterator[Stage]:
    yield "import", "import", imports.import_time, ()


_GROUPS = {
    "limits": _limits,
    "layers": _layers,
    "sweeps": _sweeps,
    "attacks": _attacks,
    "corruptions": _corruptions,
    "feeds": _feeds,
    "training": _training,
    "peers": _peers,
    "memory": _memory,
    "import": _import,
}


def _measure(run: Run, config: Speed, stage: Stage, suffix: str = "") -> list[dict]:
    """The rows of a stage, without what the run adds to its records."""
    group, name, compute, arguments = stage
    found = run.measure(f"{group}/{name}{suffix}", _in_group, group, compute, config, *arguments)
    added = ("stage", "stage_records", "seed", "seconds")
    return [{key: value for key, value in record.items() if key not in added} for record in found]


def _compare(run: Run, config: Speed, stages: list[Stage], old: dict, new: dict) -> str:
    """What changed, in words. What became slower is measured again: a busy machine slows this and that."""
    suspects, again = history.slower_rows(old, new), []
    for stage in stages:
        rows = [history.name_of(row) for row in _measure(run, config, stage)]  # as measured before
        if suspects.intersection(rows):
            again += _measure(run, config, stage, "/again")
    return history.tell(old, new, again)


def _batches(config: Speed, images: Any) -> list:
    """128 images of 32 pixels, and with `full` 16 of 224."""
    small = images[: config.batch_size]
    return [small, layers.enlarge(images[: config.large_batch], 224)] if config.full else [small]


def _in_group(group: str, compute: Callable[..., list[dict]], config: Speed, *arguments: Any) -> list[dict]:
    return [{"group": group, **row} for row in compute(config, *arguments)]
