"""Experiment 3: training on the low or the high part of the images alone, testing on the originals."""

from __future__ import annotations

import keras
import numpy as np

import keras_freq as kf
from apps.hfc.config import Components
from apps.hfc.networks import classifier, train
from apps.runner import Claim, Run
from apps.runner.images import Images, load_images
from apps.runner.repetitions import markdown, mean_and_range, order, print_table, values

FILTERS = {"low": kf.layers.LowPass, "high": kf.layers.HighPass}


def components(run: Run, config: Components) -> None:
    """Runs the experiment of `config` in the folder of `run`."""
    images = load_images(run, config.data, radii=config.radii)
    x, y = images.train
    if config.rescale != "none":
        x = kf.spectral.rescale(x, config.rescale)
    parts = [("all", None), *((band, radius) for radius in config.radii for band in FILTERS)]
    for seed in config.all_seeds:
        for band, radius in parts:
            name = band if radius is None else f"{band}{radius:g}"
            model = classifier(config.network, images, seed=seed, name=name)
            trained = model if radius is None else _on_band(model, band, radius, config)
            train(run, f"{name}/seed{seed}", trained, (x, y), training=config.training, seed=seed)
            run.measure(
                f"{name}/seed{seed}/test",
                lambda name=name, seed=seed, model=model: _tested(model, images, name, seed),
            )
    _draw(run, config)
    _report(run, config, len(images.test[1]))


def _on_band(model: keras.Model, band: str, radius: float, config: Components) -> kf.training.BandModel:
    part = FILTERS[band](radius)
    if config.rescale != "none":
        mode = config.rescale
        inputs = keras.Input(model.input_shape[1:])
        part = keras.Model(inputs, kf.spectral.rescale(part(inputs), mode))
    return kf.training.BandModel(model, part, name=f"{model.name}_training")


def _tested(model: keras.Model, images: Images, name: str, seed: int) -> dict:
    result = kf.evaluate.accuracy(model, images.test)
    return {"network": name, "measure": "test", "value": result.accuracy, "seed": seed, "n": result.n}


def _draw(run: Run, config: Components) -> None:
    radii = sorted(config.radii)
    lines = {
        f"trained on the {words} part": np.stack(
            [values(run, network=f"{band}{r:g}", measure="test") for r in radii], axis=1
        )
        for band, words in (("low", "low"), ("high", "high"))
    }
    whole = values(run, network="all", measure="test")
    lines["trained on the originals"] = np.repeat(whole[:, None], len(config.radii), axis=1)
    figure = kf.plots.curves(
        {"": lines},
        x=radii,
        xlabel="radius of the split (index units)",
        ylabel="accuracy on original test images",
        chance=0.1,
        title="Training on one part of the spectrum",
    )
    run.figure("components", figure)


def _report(run: Run, config: Components, n: int) -> None:
    rows = []
    for name in ("all", *(f"{band}{r:g}" for band in FILTERS for r in config.radii)):
        trained = values(run, network=name, measure="training accuracy")
        rows.append(
            [name, mean_and_range(trained), mean_and_range(values(run, network=name, measure="test"))]
        )
    head = ["trained on", "training accuracy on that part", "accuracy on original test images"]
    print_table(f"Training on one component, n = {n}, over the seeds", head, rows)
    claims = []
    for radius in config.radii:
        low, high = (values(run, network=f"{band}{radius:g}", measure="test") for band in FILTERS)
        verdict = order(low, high, higher="low is higher", lower="high is higher")
        claims.append(
            Claim(
                f"A network trained on the low part reads originals better than one trained on the high part "
                f"(r = {radius:g})",
                "no figure that can be compared",
                f"low {mean_and_range(low)}, high {mean_and_range(high)}: {verdict}",
                n,
                (f"low{radius:g}/", f"high{radius:g}/"),
                config.all_seeds,
            )
        )
    run.say(str(run.summary("HFC: training on one component", claims, notes=markdown(head, rows))))
