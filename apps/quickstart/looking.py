"""What the quickstart measures of a network, each with one function of the package."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import keras
import numpy as np

import keras_freq as kf
from apps.lab import Run
from apps.lab.images import Images
from apps.quickstart.config import Quickstart

Result = TypeVar("Result", bound=kf.evaluate.Result)

STEPS = ("bands", "heat_map", "swap", "corruptions", "importance", "shortcuts", "disks", "attack")


def look(run: Run, config: Quickstart, name: str, network: keras.Model, images: Images) -> dict[str, Any]:
    """The results of the network by `STEPS`, measured once a run."""
    settings, found = config.measure, dict[str, Any]()
    pixels, labels = images.test

    def result(step: str, measure: Callable[..., Result], *data: Any, **options: Any) -> None:
        found[step] = run.result(f"{name}/{step}", measure, network, *data, **options)

    def first(count: int) -> tuple[np.ndarray, np.ndarray]:
        return pixels[:count], labels[:count]

    for step in run.sweep(STEPS, f"looking at {name}"):
        if step == "bands":
            result(step, kf.evaluate.band_accuracy, first(settings.images), radii=settings.radii)
        elif step == "heat_map":
            result(step, kf.evaluate.fourier_heat_map, first(settings.heat_map_images), progress=False)
        elif step == "swap":
            result(step, kf.evaluate.amplitude_swap, first(settings.images), seed=config.seed)
        elif step == "corruptions":
            result(
                step,
                kf.evaluate.corruption_error,
                first(settings.corrupted_images),
                severities=(settings.severity,),
                seed=config.seed,
                progress=False,
            )
        elif step == "importance":
            searched = [part[: settings.search_images] for part in images.train]
            # First order: one backward pass for all frequencies.
            result(step, kf.shortcuts.frequency_importance, *searched, method="gradient", progress=False)
        elif step == "shortcuts":
            result(step, kf.shortcuts.shortcut_report, first(settings.images), maps_of(found, config))
        elif step == "disks":
            maps = maps_of(found, config)
            result(step, kf.shortcuts.shortcut_report, first(settings.images), _disks(maps))
        else:
            result(
                step,
                kf.evaluate.adversarial_accuracy,
                first(settings.attack_images),
                epsilons=(settings.epsilon / 255,),
                steps=settings.attack_steps,
                engine="own",
                seed=config.seed,
                progress=False,
            )
    return found


def maps_of(found: dict[str, Any], config: Quickstart) -> kf.shortcuts.FrequencyMaps:
    """The dominant frequencies of each class: as many as the setting says, whole pairs."""
    return kf.shortcuts.dominant_frequency_map(found["importance"], config.measure.share, ties="exact")


def _disks(maps: kf.shortcuts.FrequencyMaps) -> np.ndarray:
    """For each class the disk of low frequencies that keeps as many."""
    height, width = maps.masks.shape[-2:]
    radii = [math.sqrt(share * height * width / math.pi) for share in maps.share]
    return np.stack([kf.spectral.disk_mask(height, width, radius) for radius in radii])
