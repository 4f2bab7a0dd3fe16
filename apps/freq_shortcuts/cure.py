"""Training against shortcuts: how much of them is left, and do networks with fewer of them err less?"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

import keras_freq as kf
from apps.freq_shortcuts.config import CONTROLS, Cure
from apps.freq_shortcuts.cured import Cured, read_cured, write_cured
from apps.freq_shortcuts.frontier import (
    Data,
    choose_balanced,
    find_masks,
    list_methods,
    mean_rates,
    take_images,
)
from apps.freq_shortcuts.images import load_images
from apps.lab import Run
from apps.lab.augmentations import ROWS, write_maps
from apps.lab.images import Images, other_images
from apps.lab.report import cells, write_report
from apps.lab.settings import Training
from apps.lab.statistics import RankCorrelation, rank_correlation
from apps.lab.train import trained

ERRORS = {
    "clean error": "clean error",
    "corruption error": "error under corruptions",
    "added error": "error under corruptions less that on clean images",
    "attack error": "error under PGD",
}


class Sets(NamedTuple):
    """All images, those that maps are found on, and those that networks are measured on.

    `name`: what numbers of the set are kept by. `outside`: the name of a set of unknown classes, and images
    of it.
    """

    name: str
    images: Images
    search: Data
    test: Data
    outside: tuple[str, np.ndarray] | None

    @property
    def errors(self) -> dict[str, str]:
        """What networks are measured by, and how it is told."""
        return ERRORS if self.outside is None else {**ERRORS, f"1 - AUROC, {self.outside[0]}": "1 - AUROC"}


def cure(run: Run, config: Cure) -> None:
    images = load_images(run, config.data)
    count = len(images.classes)
    search = choose_balanced(*images.train, config.search_per_class, count)
    test = choose_balanced(*images.test, config.test_per_class, count)
    outside = None
    if config.outside is not None:
        outside = other_images(config.outside, config.data, images, limit=len(test[1]))
    name = images.name
    if "/" in config.data.name or config.data.name.endswith(".npz"):  # which may be others of that name
        name += f" {run.measured('data')[0]['digest']}"
    sets = Sets(name, images, search, test, outside)
    for seed in range(config.seed, config.seed + config.seeds):
        first: np.ndarray | None = None  # maps of `standard`, which comes first
        for row in config.rows:
            first = _complete(run, config, sets, row, seed, first)
            found, shown = numbers_of(run, row, seed), (*map(_look_of, config.methods), *sets.errors)
            run.say(f"{row}-seed{seed}: " + ", ".join(f"{name} {found[name]:.3f}" for name in shown))
    beside = {name in CONTROLS for name in config.methods}
    exceeding = run.measure("beyond the controls", _exceed, run, config) if len(beside) == 2 else []
    beyond = list(dict.fromkeys(one["measure"] for one in exceeding))
    _draw(run, config, beyond)
    _report(run, config, sets, beyond)


def _complete(
    run: Run, config: Cure, sets: Sets, row: str, seed: int, first: np.ndarray | None
) -> np.ndarray | None:
    """Records the numbers of a network, those that are kept and those that are not; the maps for training."""
    stage = f"{row}-seed{seed}"
    kept = read_cured(config, sets.name, row, seed)
    if kept is not None:
        first = first if kept.maps is None else kept.maps
        if not run.measured(f"{stage}/errors"):  # by this run itself, before it was cut short
            run.measure(f"{stage}/kept", lambda: kept.records)
    known = () if kept is None else {one["measure"] for one in kept.records}
    lacking = [name for name in config.methods if _look_of(name) not in known]
    told_apart = set(sets.errors) <= {*ERRORS, *known}
    if kept is not None and not lacking and told_apart:
        return first
    record = {"network": row, "seed": seed}
    recipe = _recipe(config, row, first)
    model, _ = trained(run, row, recipe, sets.images.train, classes=len(sets.images.classes), seed=seed)
    if row == "standard" and first is None:
        first = _search(run, config, stage, model, sets.search, seed, config.maps)
    assert first is not None
    for name in lacking:
        masks = _search(run, config, stage, model, sets.search, seed, name)
        run.measure(f"{stage}/{name}", _look, run, f"{stage}-{name}", model, sets.test, masks, name, record)
    if kept is None:
        run.measure(f"{stage}/first", _look, run, f"{stage}-first", model, sets.test, first, "first", record)
        minutes = {"minutes of training": run.measured(f"{row}/seed{seed}/training")[0]["training_minutes"]}
        errors = _err(run, config, stage, model, sets.test)
        run.measure(f"{stage}/errors", _list, errors | minutes, record)
    if not told_apart:
        run.measure(f"{stage}/outside", _tell_apart, model, sets, record)
    found = _list(numbers_of(run, row, seed), record)
    write_cured(config, sets.name, row, seed, Cured(found, first if row == "standard" else None))
    return first


def _search(
    run: Run, config: Cure, stage: str, model: keras.Model, search: Data, seed: int, method: str
) -> np.ndarray:
    """Maps that a method finds for a network."""
    masks = list_methods(dataclasses.replace(config, seed=seed))[method]
    return run.arrays(f"{stage}-{method}-masks", find_masks, masks, run, stage, model, search)[
        f"{config.share:g}"
    ]


def _recipe(config: Cure, row: str, masks: np.ndarray | None) -> Training:
    """How a row trains, with the maps that it needs."""
    strengths = config.training.augmentations
    if ROWS[row].mapped:
        assert masks is not None  # `standard`, which has them, comes first
        strengths = dataclasses.replace(strengths, maps=write_maps(masks))
    return dataclasses.replace(config.training, augmentation=row, augmentations=strengths)


def _look(
    run: Run,
    stage: str,
    model: keras.Model,
    test: Data,
    masks: np.ndarray,
    name: str,
    record: Mapping[str, Any],
) -> list[dict]:
    """What is left of each class under its mask."""
    taken = run.arrays(stage, take_images, model, test[0], masks, label=stage)["taken"]
    right, mistaken = mean_rates(taken, test[1])
    values = {f"TPR {name}": right, f"FPR {name}": mistaken, f"shortcuts {name}": right - mistaken}
    return _list(values, record)


def _err(run: Run, config: Cure, stage: str, model: keras.Model, test: Data) -> dict[str, float]:
    """Errors on the test images."""
    corrupted = run.result(
        f"{stage}/corruptions", kf.evaluate.corruption_error, model, test, severities=(config.severity,)
    )
    chosen = np.random.default_rng(config.seed).permutation(len(test[1]))[: config.attacked]
    attacked = run.result(
        f"{stage}/attack",
        kf.evaluate.adversarial_accuracy,
        model,
        (test[0][chosen], test[1][chosen]),
        attack="linf_pgd",
        epsilons=(config.epsilon,),
        seed=config.seed,
    )
    return {
        "clean error": corrupted.clean_error,
        "corruption error": corrupted.mean,
        "added error": corrupted.mean - corrupted.clean_error,
        "attack error": 1 - float(attacked.accuracy[-1]),
    }


def _look_of(method: str) -> str:
    """The measure of shortcut learning under the maps of a method."""
    return f"shortcuts {method}"


def _exceed(run: Run, config: Cure) -> list[dict[str, Any]]:
    """By how much a network does better under its maps than under the better of the controls."""
    controls = [numbers(run, _look_of(name)) for name in config.methods if name in CONTROLS]
    return [
        {
            "network": row,
            "seed": seed,
            "measure": f"{name} beyond {' and '.join(one for one in config.methods if one in CONTROLS)}",
            "value": value - max(control[row, seed] for control in controls),
        }
        for name in config.methods
        if name not in CONTROLS
        for (row, seed), value in numbers(run, _look_of(name)).items()
    ]


def _tell_apart(model: keras.Model, sets: Sets, record: Mapping[str, Any]) -> list[dict]:
    """How badly unknown images are told from the test images, by the largest logit."""
    assert sets.outside is not None
    name, unknown = sets.outside
    scores = [kf.evaluate.ood_scores(model, images, score="max_logit") for images in (sets.test, unknown)]
    return _list({f"1 - AUROC, {name}": 1 - kf.evaluate.ood_metrics(*scores).auroc}, record)


def _list(values: Mapping[str, float], record: Mapping[str, Any]) -> list[dict]:
    return [{**record, "measure": measure, "value": value} for measure, value in values.items()]


def numbers_of(run: Run, row: str, seed: int) -> dict[str, float]:
    """All measures of one network."""
    own = [one for one in run.records if one["stage"].startswith(f"{row}-seed{seed}/") and "network" in one]
    return {one["measure"]: float(one["value"]) for one in own}


def numbers(run: Run, measure: str) -> dict[tuple[str, int], float]:
    """A measure of every network, by row and seed."""
    return {
        (one["network"], one["seed"]): float(one["value"]) for one in run.records if one["measure"] == measure
    }


def _draw(run: Run, config: Cure, beyond: Iterable[str]) -> None:
    for look in (*map(_look_of, config.methods), *beyond):
        across, up = numbers(run, look), numbers(run, "added error")
        groups: dict[str, tuple[list[float], list[float]]] = {}
        for (row, seed), x in across.items():
            points = groups.setdefault(ROWS[row].label, ([], []))
            points[0].append(x)
            points[1].append(up[row, seed])
        figure = kf.plots.scatter(
            groups,
            xlabel=f"TPR - FPR under maps of {100 * config.share:g} %, {look.removeprefix('shortcuts ')}",
            ylabel="error added by corruptions",
            title=f"Shortcut learning and what corruptions cost, {len(across)} networks",
        )
        run.figure("cure_" + look.removeprefix("shortcuts ").replace(" ", "_"), figure)


def _report(run: Run, config: Cure, sets: Sets, beyond: Iterable[str]) -> None:
    looks = [*map(_look_of, (*config.methods, "first")), *beyond]
    head = ["trained with", *looks, *sets.errors, "minutes"]
    rows = [
        [
            ROWS[row].label,
            *cells(run, [*looks, *sets.errors], 3, network=row),
            *cells(run, ["minutes of training"], 1, network=row),
        ]
        for row in config.rows
    ]
    seeds = range(config.seed, config.seed + config.seeds)
    count = len(config.rows) * config.seeds
    related = []
    grids = {
        name: np.array([[found[row, seed] for seed in seeds] for row in config.rows])
        for name in (*looks, *sets.errors)
        if (found := numbers(run, name))
    }
    for look in looks if count > 2 else ():
        for measure, words in sets.errors.items():
            pair = grids[look], grids[measure]
            plain = rank_correlation(*pair, seed=config.seed)
            alike = rank_correlation(*pair, given=grids["clean error"], seed=config.seed)
            related.append([look, words, _tell(plain), "-" if measure == "clean error" else _tell(alike)])
    write_report(
        run,
        "Training against shortcuts",
        [],
        (
            f"TPR - FPR under maps of {100 * config.share:g} %, and errors, n = {len(sets.test[1])}",
            head,
            rows,
        ),
        (
            f"Spearman's correlation over {count} networks (95 %)",
            ("shortcut learning", "with", "correlation", "given the clean error"),
            related,
        ),
    )


def _tell(found: RankCorrelation) -> str:
    return f"{found.value:+.2f} ({found.low:+.2f} to {found.high:+.2f})"
