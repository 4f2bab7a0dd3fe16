"""Training against shortcuts: how much of them is left, and do networks with fewer of them err less?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

import keras_freq as kf
from apps.freq_shortcuts.config import Cure
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
from apps.lab.images import Images
from apps.lab.report import cells, write_report
from apps.lab.settings import Training
from apps.lab.statistics import rank_interval
from apps.lab.train import trained

ERRORS = {
    "clean error": "clean error",
    "corruption error": "error under corruptions",
    "added error": "error under corruptions less that on clean images",
    "attack error": "error under PGD",
}


def cure(run: Run, config: Cure) -> None:
    images = load_images(run, config.data)
    count = len(images.classes)
    search = choose_balanced(*images.train, config.search_per_class, count)
    test = choose_balanced(*images.test, config.test_per_class, count)
    for seed in range(config.seed, config.seed + config.seeds):
        first: np.ndarray | None = None
        for row in config.rows:
            stage = f"{row}-seed{seed}"
            kept = read_cured(config, images.name, row, seed)
            if kept is None:
                first = _train_and_look(run, config, images, row, seed, first, search, test)
                known = _list(numbers_of(run, row, seed), {"network": row, "seed": seed})
                maps = first if row == "standard" else None
                write_cured(config, images.name, row, seed, Cured(known, maps))
            else:
                if not run.measured(f"{stage}/errors"):  # by this run itself, before it was cut short
                    run.measure(f"{stage}/kept", lambda kept=kept: kept.records)
                first = first if kept.maps is None else kept.maps
            shown = {f"shortcuts {name}" for name in config.methods} | {"clean error", "corruption error"}
            found = numbers_of(run, row, seed)
            run.say(f"{stage}: " + ", ".join(f"{name} {found[name]:.3f}" for name in found if name in shown))
    _draw(run, config)
    _report(run, config, len(test[1]))


def _train_and_look(
    run: Run,
    config: Cure,
    images: Images,
    row: str,
    seed: int,
    first: np.ndarray | None,
    search: Data,
    test: Data,
) -> np.ndarray | None:
    """Trains a network and records its numbers; the maps of `standard` of its seed."""
    stage, share, record = f"{row}-seed{seed}", f"{config.share:g}", {"network": row, "seed": seed}
    recipe = _recipe(config, row, first)
    model, _ = trained(run, row, recipe, images.train, classes=len(images.classes), seed=seed)
    methods = dict.fromkeys((config.maps, *config.methods) if row == "standard" else config.methods)
    searches = list_methods(dataclasses.replace(config, seed=seed))
    masks = {
        method: run.arrays(
            f"{stage}-{method}-masks", find_masks, searches[method], run, stage, model, search
        )[share]
        for method in methods
    }
    if row == "standard":
        first = masks[config.maps]
    for name in config.methods:
        run.measure(f"{stage}/{name}", _look, run, f"{stage}-{name}", model, test, masks[name], name, record)
    assert first is not None  # `standard` comes first
    run.measure(f"{stage}/first", _look, run, f"{stage}-first", model, test, first, "first", record)
    minutes = {"minutes of training": run.measured(f"{row}/seed{seed}/training")[0]["training_minutes"]}
    run.measure(f"{stage}/errors", _list, _err(run, config, stage, model, test) | minutes, record)
    return first


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


def _draw(run: Run, config: Cure) -> None:
    for method in config.methods:
        across, up = numbers(run, f"shortcuts {method}"), numbers(run, "added error")
        groups: dict[str, tuple[list[float], list[float]]] = {}
        for (row, seed), x in across.items():
            points = groups.setdefault(ROWS[row].label, ([], []))
            points[0].append(x)
            points[1].append(up[row, seed])
        figure = kf.plots.scatter(
            groups,
            xlabel=f"TPR - FPR under maps of {100 * config.share:g} %, {method}",
            ylabel="error added by corruptions",
            title=f"Shortcut learning and what corruptions cost, {len(across)} networks",
        )
        run.figure(f"cure_{method}", figure)


def _report(run: Run, config: Cure, n: int) -> None:
    looks = [f"shortcuts {name}" for name in (*config.methods, "first")]
    head = ["trained with", *looks, *ERRORS, "minutes"]
    rows = [
        [
            ROWS[row].label,
            *cells(run, [*looks, *ERRORS], 3, network=row),
            *cells(run, ["minutes of training"], 1, network=row),
        ]
        for row in config.rows
    ]
    count = len(config.rows) * config.seeds
    related = []
    for look in looks if count > 2 else ():
        across = numbers(run, look)
        for measure, words in ERRORS.items():
            up = numbers(run, measure)
            pair = np.array([[across[key], up[key]] for key in across]).T
            value = kf.evaluate.rank_correlation(*pair)
            low, high = rank_interval(*pair, seed=config.seed)
            related.append([look, words, f"{value:+.2f} ({low:+.2f} to {high:+.2f})"])
    write_report(
        run,
        "Training against shortcuts",
        [],
        (f"TPR - FPR under maps of {100 * config.share:g} %, and errors, n = {n}", head, rows),
        (f"Spearman's correlation over {count} networks", ("shortcut learning", "with", "95 %"), related),
    )
