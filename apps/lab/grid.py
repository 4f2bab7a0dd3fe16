"""``python -m apps.lab grid GRID.yaml``: trainings and measurements of a grid, here or on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

import keras_freq as kf
from apps.lab.errors import RunError
from apps.lab.grid_settings import Grid
from apps.lab.grid_work import find_function, measure_unit, train_unit
from apps.lab.images import Images, load_images
from apps.lab.report import print_table
from apps.lab.run import Run
from apps.lab.shared import find_record
from apps.lab.store import describe, digest_of, open_network, origin_of
from apps.lab.train import follows_from
from apps.lab.units import Backlog, Unit, UnitStore, work_locally

WORK = "apps.lab.grid_work"
Outcomes: TypeAlias = Iterator[tuple[Unit, dict[str, Any]]]


def grid(run: Run, config: Grid) -> None:
    for measurement in config.measurements:
        find_function(measurement)  # before anything is trained
    images = load_images(run, config.data, most_bytes=0)  # bytes
    units = list(plan(config, images))
    _check_different(units)
    backlog = Backlog(
        [unit for unit in units if not run.measured(unit.name)], UnitStore(config.units), tries=config.tries
    )
    run.say(f"{len(units)} units of work, {len(backlog)} to do, {config.executor}")
    work = {"local": _locally, "ray": _on_ray}[config.executor]
    with run.bar(len(backlog), "grid") as bar:
        for unit, outcome in work(run, config, images, backlog):
            _record(run, unit, outcome)
            bar.update()
    _report(run, config, units)
    if backlog.failed:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in backlog.failed.items())
        raise RunError(
            f"{len(backlog.failed)} of {len(units)} units were given up, the rest is done; --resume tries "
            f"them again. Received: {reasons}",
            code=1,
        )


def plan(config: Grid, images: Images) -> Iterator[Unit]:
    """All units: first the trainings, then the measurements, each after the training of its network."""
    classes = len(images.classes)
    shown = digest_of({"images": images.test[0], "labels": np.asarray(images.test[1], "int64")})
    trainings = []
    for seed in config.all_seeds:
        for variant in config.networks:
            recipe = variant.recipe(config.training)
            follows = follows_from(recipe, images.train, classes=classes, seed=seed)
            label = f"{variant.name}/seed{seed}"
            work = {"training": recipe, "classes": classes, "seed": seed, "label": label}
            shared = find_record(origin_of(follows))  # taken in place of a training where it is here
            digest = digest_of(follows if shared is None else {**follows, "weights": shared.sha256})
            trainings.append(Unit(f"{label}/training", digest, {**work, "follows": follows}))
    yield from trainings
    for training in trainings:
        label = training.work["label"]
        for measurement in config.measurements:
            about = {"function": measurement.function, "options": describe(measurement.values)}
            digest = digest_of({"network": training.digest, "images": shown, **about})
            work = {
                **training.work,
                "measurement": measurement,
                "network": training.digest,
                "name": label.partition("/")[0],
            }
            yield Unit(f"{label}/{measurement.name}", digest, work, after=training.digest)


def _check_different(units: list[Unit]) -> None:
    """Two names of one thing: it would be done once, and one of them would never end."""
    names: dict[str, str] = {}
    for unit in units:
        other = names.setdefault(unit.digest, unit.name)
        if other != unit.name:
            raise RunError(
                "`networks` must differ in their recipes, and `measurements` in function or options. "
                f"Received: {other} and {unit.name}, which are the same"
            )


def _locally(run: Run, config: Grid, images: Images, backlog: Backlog) -> Outcomes:
    weights: dict[str, list[np.ndarray]] = {}  # of the network at hand

    def do(unit: Unit) -> dict[str, Any]:
        network = unit.work.get("network", unit.digest)
        outcome: dict[str, Any] = {}
        if network not in weights or "measurement" not in unit.work:
            about = _about(run, unit, images)
            outcome, kept = train_unit(unit.work, images.train, config.store, about, say=run.say)
            weights.clear()
            weights[network] = kept["weights"]
        if "measurement" in unit.work:
            outcome = measure_unit(unit.work, weights[network], images.train, images.test)
        return outcome

    return work_locally(backlog, do, say=run.say)


def _on_ray(run: Run, config: Grid, images: Images, backlog: Backlog) -> Outcomes:
    """Images and weights lie in the cluster's object store: they go to a node once, not with each unit."""
    from apps.lab.on_ray import call, cluster, environment, work_on_ray

    needs = {"CPU": config.cpus, "GPU": config.gpus, "memory": config.memory or 0}
    options: dict[str, Any] = {"num_cpus": config.cpus, "num_gpus": config.gpus, "max_retries": 0}
    options |= {"memory": config.memory} if config.memory else {}
    with cluster(config.address) as ray:
        shared = environment()
        train, test = ray.put(images.train), ray.put(images.test)
        remote = ray.remote(call).options(**options)
        weights: dict[str, Any] = {}

        def send(unit: Unit) -> Any:
            about, work = _about(run, unit, images), dict(unit.work)
            if "measurement" not in work:
                return remote.remote(shared, f"{WORK}:train_unit", work, train, config.store, about)
            network = work["network"]
            if network not in weights:  # trained before this run
                _, kept = train_unit(work, images.train, config.store, about, say=run.say)
                weights[network] = ray.put(kept["weights"])
            return remote.remote(shared, f"{WORK}:measure_unit", work, weights[network], train, test)

        def receive(unit: Unit, found: Any) -> dict[str, Any]:
            if "measurement" in unit.work:
                return found
            outcome, kept = found
            weights[unit.digest] = ray.put(kept["weights"])
            if not outcome["reference"]:
                _keep(config.store, unit, kept, _about(run, unit, images))
            return outcome

        yield from work_on_ray(ray, backlog, send, receive, needs=needs, say=run.say)


def _about(run: Run, unit: Unit, images: Images) -> dict[str, str]:
    return {"run": str(run.folder), "label": unit.work["label"], "data": images.name}


def _keep(store: str, unit: Unit, kept: dict[str, Any], about: dict[str, str]) -> None:
    """Keeps here what a worker trained, where its disk is another."""
    with open_network(store, unit.work["follows"], label=unit.work["label"]) as network:
        if not network.finished:
            network.begin(about)
            network.finish(kept["weights"], kept["history"], **kept["facts"])


def _record(run: Run, unit: Unit, outcome: dict[str, Any]) -> None:
    seconds = outcome.get("seconds", 0.0)
    if "measurement" in unit.work:
        run.result(unit.name, kf.evaluate.Result.from_json, outcome["result"], seconds=seconds)
        return
    label, seed = unit.work["label"], unit.work["seed"]
    rows = {"network": label.partition("/")[0], "measure": "training accuracy", "value": outcome["accuracy"]}
    rows |= {"seed": seed, "digest": unit.digest, "origin": outcome["origin"]}
    run.measure(unit.name, lambda: rows | {"training_minutes": outcome["minutes"], "seconds": seconds})


def _report(run: Run, config: Grid, units: list[Unit]) -> None:
    lines = []
    for unit in units:
        if "measurement" in unit.work and run.measured(unit.name):
            result = run.result(unit.name, kf.evaluate.Result.from_json, "")
            numbers = str(result).splitlines()[1:-1]
            lines.append([*unit.name.split("/"), "; ".join(line.strip() for line in numbers)])
    if lines:
        head = ("network", "seed", "measurement", "numbers")
        print_table(f"{len(lines)} measurements", head, lines, whole=True)
    names = ", ".join(variant.name for variant in config.networks)
    if len([unit for unit in units if run.measured(unit.name)]) == len(units):
        run.summary(f"Grid of {names}", [], notes=f"{len(units)} units of work. Results: [results](results)")
