"""Which does the prediction follow, when one image lends its amplitude and another its phase?"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

import keras_freq as kf
from apps.apr.config import Swap
from apps.apr.networks import LABELS as NETWORKS
from apps.apr.networks import trained
from apps.apr.other_sets import other_images
from apps.apr.rows import LABELS
from apps.lab import Claim, Run, RunError
from apps.lab.images import Images, load_images
from apps.lab.report import markdown, mean_and_range, order, print_table, values

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
        name, pixels = other_images(config.donors, config.data, images)
        donors[name] = pixels
    shown: dict[str, dict[str, Any]] = {name: {} for name in donors}
    for row in config.rows:
        for seed in config.all_seeds:
            model = trained(run, config, config.network, row, images, seed=seed)
            for name, pixels in donors.items():
                run.measure(
                    f"{config.network}/{row}/seed{seed}/swap/{name}",
                    lambda model=model, name=name, pixels=pixels, row=row, seed=seed: _measured(
                        config, model, images, pixels, row=row, seed=seed, donors_of=name
                    ),
                )
                if seed == config.seed:
                    shown[name][LABELS[row]] = _swapped(config, model, images, pixels, keep_images=True)
    for name, results in shown.items():
        figure = kf.plots.amplitude_swap(results, classes=images.classes, examples=config.examples)
        run.figure(f"swap_{name}", figure)
    _report(run, config, len(images.test[1]) if config.pairs is None else config.pairs, list(donors))


def _swapped(
    config: Swap, model: keras.Model, images: Images, donors: np.ndarray | None, **options
) -> kf.evaluate.AmplitudeSwapResult:
    # The same pairs for every network: their seed is that of the run.
    return kf.evaluate.amplitude_swap(
        model, images.test, donors=donors, axes=config.axes, n=config.pairs, seed=config.seed, **options
    )


def _measured(
    config: Swap, model: keras.Model, images: Images, donors: np.ndarray | None, **record
) -> list[dict]:
    result = _swapped(config, model, images, donors)
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
            LABELS[row],
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
                verdict = order(
                    ours if more else theirs,
                    theirs if more else ours,
                    higher=f"APR-SP {'more' if more else 'less'} often",
                    lower=f"APR-SP {'less' if more else 'more'} often",
                )
                claims.append(
                    Claim(
                        f"With amplitudes of {name}, APR-SP {MEASURES[measure]} "
                        f"{'more' if more else 'less'} often than {LABELS[other]}",
                        "pictures only",
                        f"APR-SP {mean_and_range(ours)}, {LABELS[other]} {mean_and_range(theirs)}: {verdict}",
                        n,
                        (f"{config.network}/apr_sp/", f"{config.network}/{other}/"),
                        config.all_seeds,
                    )
                )
    notes = (
        f"Network: {NETWORKS[config.network]}. Shares of the pairs whose two images are predicted as "
        "different classes: predicted as the image that lends its amplitude, as the one that lends its "
        f"phase, or neither. Axes of the transform: {config.axes}. "
        "Pictures: the first seed.\n\n"
    )
    run.say(str(run.summary("APR: amplitude swap", claims, notes=notes + markdown(head, rows))))
