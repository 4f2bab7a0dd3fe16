"""Experiment 7: networks that train on filtered images alone, with and without batch normalization."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

import keras_freq as kf
from apps.hfc.config import BNStudy
from apps.lab import Claim, Run
from apps.lab.images import load_images
from apps.lab.report import cells, compare, mean_and_range, values, write_report
from apps.lab.train import trained

NAMES = {"vanilla": "without batch normalization", "batch_norm": "with batch normalization"}
FILTERS = {"low": kf.spectral.low_pass, "high": kf.spectral.high_pass}
# Beyond half a bin lies everything but the mean of each channel: the whole image without its constant.
WHOLE = 0.5
SPEED, ORIGINAL, FILTERED = "mean over epochs", "original images", "filtered images"


def bn_study(run: Run, config: BNStudy) -> None:
    images = load_images(run, config.data, radii=(*config.low_radii, *config.radii))
    curves, n = {}, len(images.train[1])

    def rescale(pixels):
        return kf.spectral.rescale(pixels, config.rescale)

    for part, radius in _parts(config):

        def change(pixels, part=part, radius=radius):
            return kf.spectral.rescale(FILTERS[part](pixels, radius), config.rescale)

        train = change(images.train[0]), images.train[1]
        for seed in config.all_seeds:
            for name in NAMES:
                kind = "none" if name == "vanilla" else config.batch_norm
                record = {"network": name, "part": part, "radius": radius, "seed": seed}
                model, history = trained(
                    run,
                    f"{name}/{part}{radius:g}",
                    dataclasses.replace(config.training, normalization=kind),
                    train,
                    classes=len(images.classes),
                    seed=seed,
                    record=record,
                )
                curve = curves[name, part, radius, seed] = history["accuracy"]
                stage = f"{name}/{part}{radius:g}/seed{seed}/speed"
                tests = {FILTERED: change, ORIGINAL: rescale}
                run.measure(stage, _measure_speed, model, images.test, tests, curve, n, record)
    _draw(run, config, curves, 1 / len(images.classes))
    _report(run, config, n, len(images.test[1]))


def _parts(config: BNStudy) -> list[tuple[str, float]]:
    """What networks are trained on, by filter and radius."""
    return [*(("low", radius) for radius in config.low_radii), *(("high", r) for r in (WHOLE, *config.radii))]


def _name(part: str, radius: float) -> str:
    return "all but the mean" if (part, radius) == ("high", WHOLE) else f"{part}-passed, r = {radius:g}"


def _measure_speed(
    model: keras.Model,
    data: tuple[np.ndarray, np.ndarray],
    tests: dict[str, Callable],
    curve: list[float],
    n: int,
    record: dict,
) -> list[dict]:
    """Training accuracy, mean over the epochs and last; test accuracy on filtered and on original images."""
    # The transform acts behind the check that originals lie in [0, 1], where filtered ones do not.
    found = {name: kf.evaluate.accuracy(model, data, transform=change) for name, change in tests.items()}
    return [
        record | {"measure": SPEED, "value": float(np.mean(curve)), "n": n},
        record | {"measure": "last epoch", "value": float(curve[-1]), "n": n},
        *(record | {"measure": name, "value": one.accuracy, "n": one.n} for name, one in found.items()),
    ]


def _draw(run: Run, config: BNStudy, curves: dict, chance: float) -> None:
    for part, file in (("high", "bn_study"), ("low", "bn_study_low")):
        panels = {
            _name(part, radius): {
                label: np.stack([curves[name, part, radius, seed] for seed in config.all_seeds])
                for name, label in NAMES.items()
            }
            for found, radius in _parts(config)
            if found == part
        }
        title = f"Learning from {part} frequencies alone"
        figure = kf.plots.curves(panels, ylabel="training accuracy", chance=chance, title=title)
        run.figure(file, figure)


def _report(run: Run, config: BNStudy, n: int, tested: int) -> None:
    def pair(measure: str, part: str, radius: float) -> tuple[np.ndarray, np.ndarray]:
        """Without and with batch normalization, over the seeds."""
        first, second = (
            values(run, network=name, part=part, radius=radius, measure=measure) for name in NAMES
        )
        return first, second

    def gain(measure: str, part: str, radius: float) -> np.ndarray:
        without, normalized = pair(measure, part, radius)
        return normalized - without

    def stages(*parts: tuple[str, float]) -> tuple[str, ...]:
        return tuple(f"{name}/{part}{radius:g}/" for part, radius in parts for name in NAMES)

    claims = []
    for radius in config.low_radii:
        without, normalized = pair(FILTERED, "low", radius)
        whole = mean_and_range(gain(ORIGINAL, "low", radius))
        claim = compare(
            f"Trained on low-passed images, batch normalization reads them better (r = {radius:g})",
            ("with", normalized),
            ("without", without),
            published="not always, least at r = 4 [2nd]",
            higher="better with",
            lower="worse with",
            n=tested,
            stages=stages(("low", radius)),
        )
        claims.append(dataclasses.replace(claim, ours=f"{claim.ours}; gain on originals {whole}"))
    if len(config.low_radii) > 1:
        claims.append(_least_at_the_smallest(config, gain, stages, tested))
    for radius in config.radii:
        without, normalized = pair(SPEED, "high", radius)
        claims.append(
            compare(
                f"High-passed images are learned faster with batch normalization (r = {radius:g}, mean "
                f"training accuracy over {config.training.epochs} epochs)",
                ("with", normalized),
                ("without", without),
                published="no figure that can be compared",
                higher="faster with",
                lower="slower with",
                n=n,
                stages=stages(("high", radius)),
            )
        )
        claims.append(
            compare(
                f"What batch normalization gains in speed is peculiar to high frequencies (r = {radius:g})",
                ("high-passed", gain(SPEED, "high", radius)),
                ("all but the mean", gain(SPEED, "high", WHOLE)),
                published="no figure that can be compared",
                higher="more on high-passed images",
                lower="less on high-passed images",
                n=n,
                stages=stages(("high", radius), ("high", WHOLE)),
            )
        )
    measures = (SPEED, "last epoch", FILTERED, ORIGINAL)
    head = ["trained on", "network", "training accuracy, mean over epochs", "last epoch"]
    head += ["test images so filtered", "original test images"]
    rows = [
        [_name(part, radius), label, *cells(run, measures, network=name, part=part, radius=radius)]
        for part, radius in _parts(config)
        for name, label in NAMES.items()
    ]
    title = f"Learning from filtered images, n = {n} to train and {tested} to test, over the seeds"
    notes = f"Network: {config.training.network}."
    write_report(run, "HFC: batch normalization study", claims, (title, head, rows), notes=notes)


def _least_at_the_smallest(config: BNStudy, gain, stages, tested: int) -> Claim:
    """The paper's order: batch normalization gains least where least of the image is left."""
    smallest, *others = sorted(config.low_radii)
    mean = np.mean([gain(FILTERED, "low", radius) for radius in others], axis=0)
    return compare(
        f"On low-passed test images batch normalization gains least at r = {smallest:g}",
        (f"gain at r = {smallest:g}", gain(FILTERED, "low", smallest)),
        (f"mean gain at r = {', '.join(f'{radius:g}' for radius in others)}", mean),
        published="least at r = 4 [2nd]",
        higher="more there",
        lower="less there",
        n=tested,
        stages=stages(*(("low", radius) for radius in config.low_radii)),
    )
