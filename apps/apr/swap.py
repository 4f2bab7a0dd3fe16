"""Which does the prediction follow, when one image lends its amplitude and another its phase?"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

import keras_freq as kf
from apps.apr.config import Swap
from apps.apr.networks import compare_rows, train_row
from apps.lab import Run, RunError
from apps.lab.augmentations import ROWS
from apps.lab.images import Images, check_counts, load_images, other_images
from apps.lab.networks import NETWORKS
from apps.lab.report import cells, write_report

MEASURES = {
    "follows_amplitude": "follows the amplitude",
    "follows_phase": "follows the phase",
    "follows_neither": "neither",
    "accuracy": "accuracy by the phase image",
}


def swap(run: Run, config: Swap) -> None:
    images = load_images(run, config.data)
    check_counts(images, pairs=config.pairs)
    donors: dict[str, np.ndarray | None] = {images.name: None}
    if config.donors is not None:
        name, others = other_images(config.donors, config.data, images, limit=len(images.test[1]))
        if name in donors:
            raise RunError(f"`donors` must be another set than {name}. Received: donors={config.donors}")
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
        [name, ROWS[row].label, *cells(run, MEASURES, donors_of=name, row=row)]
        for name in donors
        for row in config.rows
    ]
    claims = []
    for name in donors:
        for other in config.rows:
            if other == "apr_sp" or "apr_sp" not in config.rows:
                continue
            for measure, often in (("follows_amplitude", "less"), ("follows_phase", "more")):
                claims.append(
                    compare_rows(
                        run,
                        f"With amplitudes of {name}, APR-SP {MEASURES[measure]} {often} often than "
                        f"{ROWS[other].label}",
                        ("apr_sp", other),
                        {"donors_of": name, "measure": measure},
                        network=config.network,
                        published="pictures only",
                        higher="more often",
                        lower="less often",
                        n=n,
                    )
                )
    notes = (
        f"Network: {NETWORKS[config.network].label}. Shares of the pairs whose two images are predicted as "
        "different classes: predicted as the image that lends its amplitude, as the one that lends its "
        f"phase, or neither. Axes of the transform: {config.axes}. Pictures: the first seed."
    )
    table = (f"Phase of one image, amplitude of another, {n} pairs", head, rows)
    write_report(run, "APR: amplitude swap", claims, table, notes=notes)
