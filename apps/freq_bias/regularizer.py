"""Input gradients driven towards low or high frequencies, and what the network withstands then."""

from __future__ import annotations

import dataclasses
from typing import Literal

import keras
import numpy as np

import keras_freq as kf
from apps.freq_bias.config import Regularizer
from apps.lab import Claim, Run
from apps.lab.augmentations import ROWS
from apps.lab.images import Images, load_images
from apps.lab.report import cells, compare, mean_and_range, values, write_report
from apps.lab.train import trained

# The corruptions that add noise, most of which lies in high frequencies, and those that change low ones.
KINDS = {"noise": ("gaussian_noise", "shot_noise", "impulse_noise"), "fog and contrast": ("fog", "contrast")}
SHARES: dict[str, Literal["low", "high"]] = {"energy beyond N/6": "low", "energy below N/3": "high"}
ERRORS = ("clean error", "corruption error", *(f"error under {kind}" for kind in KINDS))


def regularizer(run: Run, config: Regularizer) -> None:
    images = load_images(run, config.data, radii=config.radii)
    for seed in config.all_seeds:
        for row in config.rows:
            model, _ = trained(
                run,
                row,
                dataclasses.replace(config.training, augmentation=row),
                images.train,
                classes=len(images.classes),
                seed=seed,
                record={"row": row},
            )
            run.measure(f"{row}/seed{seed}/look", _look, config, model, images, row, seed)
    _draw(run, config)
    _report(run, config, len(images.test[1]))


def _look(config: Regularizer, model: keras.Model, images: Images, row: str, seed: int) -> list[dict]:
    record = {"row": row, "seed": seed, "n": len(images.test[1])}
    found = {name: _share(model, images, towards) for name, towards in SHARES.items()}
    errors = kf.evaluate.corruption_error(
        model, images.test, severities=config.severities, seed=config.seed, progress=False
    )
    found |= {"clean error": errors.clean_error, "corruption error": errors.mean}
    for kind, names in KINDS.items():
        found[f"error under {kind}"] = float(np.mean([errors.by_corruption[name] for name in names]))
    rows = [{**record, "measure": measure, "value": value} for measure, value in found.items()]
    bands = kf.evaluate.band_accuracy(model, images.test, radii=config.radii)
    for band in ("low", "high"):
        for radius, value in zip(bands.radii, getattr(bands, band), strict=True):
            place = {"band": band, "radius": float(radius)}
            rows.append({**record, "measure": "accuracy", **place, "value": value})
    return rows


def _share(model: keras.Model, images: Images, towards: Literal["low", "high"]) -> float:
    """Mean share of the input gradients' energy that the penalty weighs, over the test images."""
    penalty = kf.training.SpectralRegularizer(model, towards=towards).penalty
    pixels, labels = images.test
    shares = [
        keras.ops.convert_to_numpy(penalty(pixels[i : i + 100], labels[i : i + 100]))
        for i in range(0, len(labels), 100)
    ]
    return float(np.concatenate(shares).mean(dtype="float64"))


def _draw(run: Run, config: Regularizer) -> None:
    radii = sorted(map(float, config.radii))
    panels = {
        f"{band}-passed": {
            ROWS[row].label: np.stack(
                [values(run, row=row, measure="accuracy", band=band, radius=radius) for radius in radii],
                axis=1,
            )
            for row in config.rows
        }
        for band in ("low", "high")
    }
    title = f"Accuracy on filtered test images, {config.seeds} seeds"
    run.figure("regularizer", kf.plots.curves(panels, x=radii, xlabel="radius in index units", title=title))


def _report(run: Run, config: Regularizer, n: int) -> None:
    measures = (*SHARES, *ERRORS)
    rows = [[ROWS[row].label, *cells(run, measures, row=row)] for row in config.rows]
    filtered = [
        [
            ROWS[row].label,
            *(
                mean_and_range(values(run, row=row, measure="accuracy", band=band, radius=float(radius)))
                for band in ("low", "high")
                for radius in config.radii
            ),
        ]
        for row in config.rows
    ]

    def claim(text: str, row: str, measure: str) -> Claim:
        both = ((ROWS[one].label, values(run, row=one, measure=measure)) for one in (row, "standard"))
        return compare(text, *both, n=n, stages=(f"{row}/", "standard/"))

    claims = []
    if {"standard", "spectral_low"} <= set(config.rows):
        claims += [
            claim(
                "Driven towards low frequencies, input gradients have less energy beyond N/6",
                *("spectral_low", "energy beyond N/6"),
            ),
            claim(
                "and the network withstands noise better (error under noise)",
                "spectral_low",
                "error under noise",
            ),
        ]
    if {"standard", "spectral_high"} <= set(config.rows):
        claims += [
            claim(
                "Driven towards high frequencies, input gradients have less energy below N/3",
                *("spectral_high", "energy below N/3"),
            ),
            claim(
                "and the network withstands fog and loss of contrast better (error under them)",
                *("spectral_high", "error under fog and contrast"),
            ),
        ]
    notes = (
        "Energy: mean share over the test images of the energy of the input gradient, summed over channels, "
        "DC left out. N: side of the images. Errors: means over severities "
        f"{', '.join(map(str, config.severities))}; noise: {', '.join(KINDS['noise'])}. "
        f"Weight of the penalty: {config.training.augmentations.regularizer:g}."
    )
    bands = [f"{band} {radius:g}" for band in ("low", "high") for radius in config.radii]
    write_report(
        run,
        "Frequency bias: regularized input gradients",
        claims,
        (f"Input gradients and errors, {n} test images", ["network", *measures], rows),
        ("Accuracy on low- and high-passed test images, by radius", ["network", *bands], filtered),
        notes=notes,
    )
