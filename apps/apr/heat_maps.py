"""Fourier heat maps of networks that were trained in different ways."""

from __future__ import annotations

import math

import keras
import numpy as np

import keras_freq as kf
from apps.apr.config import HeatMaps
from apps.apr.networks import compare_rows, train_row
from apps.lab import Run
from apps.lab.augmentations import ROWS
from apps.lab.images import Images, check_counts, load_images
from apps.lab.networks import NETWORKS
from apps.lab.report import cells, values, write_report

PHASES: dict[str, float | str] = {"0": 0.0, "pi/4": math.pi / 4, "random": "random"}
# Rings of the table: up to 1/8, up to 1/4 and from 1/4 cycle per pixel (radii 4 and 8 at 32 px).
RINGS = {"low": "low", "mid": "middle", "high": "high"}


def heat_maps(run: Run, config: HeatMaps) -> None:
    images = load_images(run, config.data)
    check_counts(images, images=config.images)
    maps = {}
    for row in config.rows:
        results = []
        for seed in config.all_seeds:
            name = f"{config.network}/{row}/seed{seed}"
            model = train_row(run, config.training, row, images, seed=seed)
            result = run.result(f"{name}/heat_map", _measure_map, run, config, model, images, name)
            run.measure(f"{name}/errors", _list_errors, result, {"row": row, "seed": seed})
            results.append(result)
        error = np.mean([result.error for result in results], axis=0)
        published = error.shape == (32, 32) and config.window is None
        maps[ROWS[row].label] = kf.evaluate.published_geometry(error, "31x31") if published else error
    title = (
        f"{NETWORKS[config.network].label}: error by frequency, epsilon {config.epsilon:g}, "
        f"n = {config.images}, mean over {config.seeds} seeds"
    )
    run.figure("heat_maps", kf.plots.heat_map(maps, title=title))
    _report(run, config)


def _measure_map(
    run: Run, config: HeatMaps, model: keras.Model, images: Images, name: str
) -> kf.evaluate.FourierHeatMapResult:
    run.say(f"{name}: Fourier heat map")
    return kf.evaluate.fourier_heat_map(
        model,
        images.test,
        epsilon=config.epsilon,
        phase=PHASES[config.phase],
        n=config.images,
        window=config.window,
        coverage=config.coverage,
        seed=config.seed,  # the same signs for every network
        checkpoint=run.folder / "arrays" / f"{name.replace('/', '-')}-passes.jsonl",
    )


def _list_errors(result: kf.evaluate.FourierHeatMapResult, record: dict) -> list[dict]:
    rows = [{"measure": "clean error", "value": result.clean_error}]
    for ring, error in result.ring_means().items():
        if math.isfinite(error):
            rows.append({"measure": f"error, {RINGS[ring]}", "value": error})
    return [{**record, **row, "n": result.n} for row in rows]


def _report(run: Run, config: HeatMaps) -> None:
    measures = ["clean error", *(f"error, {ring}" for ring in RINGS.values())]
    measures = [m for m in measures if len(values(run, measure=m))]
    rows = [[ROWS[row].label, *cells(run, measures, row=row)] for row in config.rows]
    claims = []
    for other in config.rows:
        for measure in measures[1:] if other != "apr_sp" and "apr_sp" in config.rows else ():
            band = measure.removeprefix("error, ")
            published = "Standard .7 to .8 off the axes, APR-SP mostly below .4 [author]"
            claims.append(
                compare_rows(
                    run,
                    f"APR-SP has a lower error than {ROWS[other].label} with a {band} frequency added",
                    ("apr_sp", other),
                    {"measure": measure},
                    network=config.network,
                    published=published if other == "standard" else "-",
                    n=config.images,
                )
            )
    notes = (
        f"Low: below 1/8 cycle per pixel (radius 4 at 32 px), middle: below 1/4 (radius 8), high: the rest. "
        f"Phase {config.phase}."
    )
    table = (f"Error by band of the added frequency, n = {config.images}", ["row", *measures], rows)
    write_report(run, "APR: Fourier heat maps", claims, table, notes=notes)
