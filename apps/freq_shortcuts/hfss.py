"""HFSS beside the ranking of single frequencies and its approximations; the degree of shortcut learning."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import ArrayLike

import keras_freq as kf
from apps.freq_shortcuts.config import Compare
from apps.freq_shortcuts.hfss_report import SAME, draw, kept, kept_by, report
from apps.freq_shortcuts.images import corrupted, load_images
from apps.freq_shortcuts.maps import count_forwards, journal, mean_of, measure_maps, search_images
from apps.lab import Run
from apps.lab.images import Images, as_floats
from apps.lab.train import trained

Found = kf.shortcuts.HFSSResult | kf.shortcuts.FrequencyImportance


def hfss(run: Run, config: Compare) -> None:
    images = load_images(run, config.data)
    searches = {seed: search_images(images, config.search, seed=seed) for seed in config.all_seeds}
    copies = {
        name: corrupted(run, images, name, config.severity, seed=config.seed) for name in config.corruptions
    }
    first = {}
    for seed in config.all_seeds:
        model, _ = trained(
            run,
            "network",
            config.training,
            images.train,
            classes=len(images.classes),
            seed=seed,
            record={"network": config.training.network},
        )
        sets = {"clean": images.test, **copies, **_attacked(run, config, images, model, seed)}
        found = {
            method: _search(run, config, model, method, searches[seed], seed) for method in config.methods
        }
        for method, cut in kept(config):
            maps = cut_maps(found, method, cut, dc=config.search.dc)
            for name, test in sets.items():
                measure_maps(
                    run,
                    f"{method}/{cut}/{name}/seed{seed}",
                    model,
                    test,
                    maps,
                    search=config.search,
                    classes=images.classes,
                    record={"method": method, "kept": cut, "set": name, "seed": seed},
                )
            if seed == config.seed and cut == kept_by(config, method):
                first[method] = maps
    draw(run, config, images, first)
    report(run, config, images, len(searches[config.seed][1]))


def _attacked(
    run: Run, config: Compare, images: Images, model: keras.Model, seed: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The test images attacked before any filter, where the settings say so."""
    if config.fgsm is None:
        return {}
    stored = run.arrays(f"fgsm/seed{seed}", _attack, model, images.test, config.fgsm)
    return {"fgsm": (stored["pixels"], images.test[1])}


def _attack(model: keras.Model, test: tuple[np.ndarray, np.ndarray], epsilon: float) -> dict[str, np.ndarray]:
    return {"pixels": kf.attacks.fgsm(model, as_floats(test[0]), test[1], epsilon=epsilon)}


def _search(
    run: Run,
    config: Compare,
    model: keras.Model,
    method: str,
    search: tuple[np.ndarray, np.ndarray],
    seed: int,
) -> Found:
    """What a method finds, and what it costs."""
    stage = f"{method}/search/seed{seed}"
    checkpoint = journal(run, f"search/{method}/seed{seed}")
    unbroken = not checkpoint.exists()
    options: dict[str, Any] = {"seed": seed, "checkpoint": checkpoint, "mean": mean_of(config.search)}
    found: Found
    if method == "hfss":
        found = run.result(
            stage, kf.shortcuts.hfss, model, *search, **dataclasses.asdict(config.stages), **options
        )
    else:
        options |= {"patch": config.search.patch, "mirror": config.search.mirror, "method": method}
        found = run.result(stage, kf.shortcuts.frequency_importance, model, *search, **options)
    # A search that went on after a kill took longer than can be told.
    seconds = run.measured(stage)[0]["seconds"] if unbroken else None
    record = {"method": method, "seed": seed, "n": len(search[1]), "seconds": 0.0}
    run.measure(f"{stage}/cost", _describe_search, found, seconds, record)
    return found


def _describe_search(found: Found, seconds: float | None, record: dict[str, Any]) -> list[dict]:
    ranking = found if isinstance(found, kf.shortcuts.FrequencyImportance) else None
    rows: dict[str, float] = {"forwards": count_forwards(ranking) if ranking else found.forwards}
    if seconds is not None:
        rows["minutes"] = seconds / 60
    if ranking and ranking.rank_correlation:
        rows["rank correlation"] = float(np.nanmean(ranking.rank_correlation))
    return [{**record, "measure": measure, "value": value} for measure, value in rows.items()]


def cut_maps(
    found: dict[str, Found], method: str, cut: str, *, dc: Literal["rank", "keep", "drop"] = "rank"
) -> kf.shortcuts.FrequencyMaps:
    """The maps of a method: those of HFSS, or the top of a ranking, as many bins as HFSS or a share."""
    own = found[method]
    if isinstance(own, kf.shortcuts.HFSSResult):
        return own.maps
    shares = shares_of(found["hfss"].maps) if cut == SAME else np.full(len(own.maps), float(cut))
    return kf.shortcuts.FrequencyMaps(cut_ranking(own.maps, shares, dc=dc), method, own.found_on)


def shares_of(masks: ArrayLike) -> np.ndarray:
    """The shares of the bins that give a ranking as many as each of the masks has."""
    masks = np.asarray(masks)
    bins = np.round(masks.sum(axis=(1, 2), dtype="float64"))
    # Half a bin more, so that rounding down gives the same number.
    return np.where(bins > 0, np.minimum((bins + 0.5) / masks[0].size, 1), 0)


def cut_ranking(
    scores: np.ndarray, shares: np.ndarray, *, dc: Literal["rank", "keep", "drop"] = "rank"
) -> np.ndarray:
    """A mask of each class with so large a share of the bins, whole pairs only."""
    return np.stack(
        [
            kf.shortcuts.dominant_frequency_map(scores[c : c + 1], share, ties="exact", dc=dc).masks[0]
            if share > 0
            else np.zeros(scores.shape[1:], "float32")
            for c, share in enumerate(shares)
        ]
    )
