"""Which does the prediction follow, when one image lends its amplitude and another its phase?"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

import keras_freq as kf
from apps.apr.config import Swap
from apps.apr.networks import train_row
from apps.apr.other_sets import other_images
from apps.lab import Run, RunError
from apps.lab.augmentations import ROWS
from apps.lab.images import Images, load_images
from apps.lab.networks import NETWORKS
from apps.lab.report import compare, markdown, mean_and_range, print_table, values

MEASURES = {
    "follows_amplitude": "follows the amplitude",
    "follows_phase": "follows the phase",
    "follows_neither": "neither",
    "accuracy": "accuracy by the phase image",
}


def swap(run: Run, config: Swap) -> None:
    """Runs the experiment of `config` in the folder of `run`."""
    images = load_images(run, config.data)
    if config.pairs is not None and config.pairs > len(images.test[1]):
        raise RunError(
            f"`pairs` must be at most the number of test images, {len(images.test[1])}. "
            f"Received: pairs={config.pairs}"
        )
    donors: dict[str, np.ndarray | None] = {images.name: None}
    if config.donors is not None:
        name, others = other_images(config.donors, config.data, images)
        donors[name] = others
    shown: dict[str, dict[str, Any]] = {name: {} for name in donors}
    for row in config.rows:
        for seed in config.all_seeds:
            model = train_row(run, config.training, row, images, seed=seed)
            for name, pixels in donors.items():
                stage = f"{config.network}/{row}/seed{seed}/swap/{name}"
                record = {"row": row, "seed": seed, "donors_of": name}
                run.measure(stage, _measure_swap, config, model, images, pixels, record)
                if seed == config.seed:
                    shown[name][ROWS[row].label] = _swap(config, model, images, pixels, keep_images=True)
    for name, results in shown.items():
        figure = kf.plots.amplitude_swap(results, classes=images.classes, examples=config.examples)
        run.figure(f"swap_{name}", figure)
    _report(run, config, len(images.test[1]) if config.pairs is None else config.pairs, list(donors))


def _swap(
    config: Swap, model: keras.Model, images: Images, donors: np.ndarray | None, **options
) -> kf.evaluate.AmplitudeSwapResult:
    # The same pairs for every network: their seed is that of the run.
    return kf.evaluate.amplitude_swap(
        model, images.test, donors=donors, axes=config.axes, n=config.pairs, seed=config.seed, **options
    )


def _measure_swap(
    config: Swap, model: keras.Model, images: Images, donors: np.ndarray | None, record: dict
) -> list[dict]:
    result = _swap(config, model, images, donors)
    return [
        {**record, "measure": measure, "value": float(value), "n": result.n, "n_differ": result.n_differ}
        for measure in MEASURES
        if (value := getattr(result, measure)) is not None and math.isfinite(value)
    ]


def _report(run: Run, config: Swap, n: int, donors: list[str]) -> None:
    head = ["amplitudes of", "row", *MEASURES.values()]
    rows = [
        [
            name,
            ROWS[row].label,
            *(mean_and_range(values(run, donors_of=name, row=row, measure=m)) for m in MEASURES),
        ]
        for name in donors
        for row in config.rows
    ]
    print_table(f"Phase of one image, amplitude of another, {n} pairs", head, rows)
    claims = []
    for name in donors:
        for other in config.rows:
            if other == "apr_sp" or "apr_sp" not in config.rows:
                continue
            for measure in ("follows_amplitude", "follows_phase"):
                ours, theirs = (
                    values(run, donors_of=name, row=row, measure=measure) for row in ("apr_sp", other)
                )
                more = measure == "follows_phase"
                often = "more" if more else "less"
                claims.append(
                    compare(
                        f"With amplitudes of {name}, APR-SP {MEASURES[measure]} {often} often than "
                        f"{ROWS[other].label}",
                        ("APR-SP", ours),
                        (ROWS[other].label, theirs),
                        published="pictures only",
                        higher="APR-SP more often",
                        lower="APR-SP less often",
                        n=n,
                        stages=(f"{config.network}/apr_sp/", f"{config.network}/{other}/"),
                        seeds=config.all_seeds,
                    )
                )
    notes = (
        f"Network: {NETWORKS[config.network].label}. Shares of the pairs whose two images are predicted as "
        "different classes: predicted as the image that lends its amplitude, as the one that lends its "
        f"phase, or neither. Axes of the transform: {config.axes}. "
        "Pictures: the first seed.\n\n"
    )
    run.say(str(run.summary("APR: amplitude swap", claims, notes=notes + markdown(head, rows))))
