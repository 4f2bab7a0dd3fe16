"""Experiment 3: training on the low or the high part of the images alone, testing on the originals."""

from __future__ import annotations

import keras
import numpy as np

import keras_freq as kf
from apps.hfc.config import Components
from apps.lab import Run
from apps.lab.images import Images, load_images
from apps.lab.report import cells, compare, values, write_report
from apps.lab.train import trained

FILTERS = {"low": kf.spectral.low_pass, "high": kf.spectral.high_pass}


def components(run: Run, config: Components) -> None:
    images = load_images(run, config.data, radii=config.radii)
    x, y = images.train
    x = kf.spectral.rescale(x, config.rescale)
    parts = [("all", None), *((band, radius) for radius in config.radii for band in FILTERS)]
    for band, radius in parts:
        name = band if radius is None else f"{band}{radius:g}"
        part = x if radius is None else kf.spectral.rescale(FILTERS[band](x, radius), config.rescale)
        for seed in config.all_seeds:
            model, _ = trained(run, name, config.training, (part, y), classes=len(images.classes), seed=seed)
            run.measure(f"{name}/seed{seed}/test", _test, model, images, name, seed)
    _draw(run, config, 1 / len(images.classes))
    _report(run, config, len(images.test[1]))


def _test(model: keras.Model, images: Images, name: str, seed: int) -> dict:
    result = kf.evaluate.accuracy(model, images.test)
    return {"network": name, "measure": "test", "value": result.accuracy, "seed": seed, "n": result.n}


def _draw(run: Run, config: Components, chance: float) -> None:
    radii = sorted(config.radii)
    drawn = {
        f"trained on the {band} part": np.stack(
            [values(run, network=f"{band}{r:g}", measure="test") for r in radii], axis=1
        )
        for band in FILTERS
    }
    whole = values(run, network="all", measure="test")
    drawn["trained on the originals"] = np.repeat(whole[:, None], len(config.radii), axis=1)
    figure = kf.plots.curves(
        {"": drawn},
        x=radii,
        xlabel="radius of the split (index units)",
        ylabel="accuracy on original test images",
        chance=chance,
        title="Training on one part of the spectrum",
    )
    run.figure("components", figure)


def _report(run: Run, config: Components, n: int) -> None:
    rows = []
    for name in ("all", *(f"{band}{r:g}" for band in FILTERS for r in config.radii)):
        rows.append([name, *cells(run, ("training accuracy", "test"), network=name)])
    head = ["trained on", "training accuracy on that part", "accuracy on original test images"]
    claims = []
    for radius in config.radii:
        low, high = (values(run, network=f"{band}{radius:g}", measure="test") for band in FILTERS)
        claims.append(
            compare(
                f"A network trained on the low part reads originals better than one trained on the high part "
                f"(r = {radius:g})",
                ("low", low),
                ("high", high),
                published="no figure that can be compared",
                higher="low is higher",
                lower="high is higher",
                n=n,
                stages=(f"low{radius:g}/", f"high{radius:g}/"),
            )
        )
    title = f"Training on one component, n = {n}, over the seeds"
    write_report(run, "HFC: training on one component", claims, (title, head, rows))
