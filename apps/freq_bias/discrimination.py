"""Feature discrimination: networks trained on original, SCR and WCR images, tested by frequency."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

import keras_freq as kf
from apps.freq_bias.config import Discrimination
from apps.freq_bias.sets import LABELS, training_set
from apps.freq_bias.spectra import KeptSpectra
from apps.lab import Claim, Run
from apps.lab.images import Images, load_images
from apps.lab.report import compare, markdown, mean_and_range, order, print_table, values
from apps.lab.train import trained

# Accuracy on high-passed test images by radius, in percent [author]; on which test images is not stated.
PUBLISHED: dict[str, dict[float, float]] = {
    "scr": {10: 79.0, 12: 68.2, 14: 42.4, 16: 30.4, 18: 30.9},
    "original": {10: 43.2, 12: 27.2, 14: 14.3, 16: 10.5, 18: 8.3},
    "wcr": {10: 20.4, 12: 15.5, 14: 12.8, 16: 10.0, 18: 10.0},
}
TESTED = {"plain": "original test images", "own": "SCR or WCR test images"}


def discrimination(run: Run, config: Discrimination) -> None:
    """Runs the experiment of `config` in the folder of `run`."""
    images = load_images(run, config.data, radii=config.radii)
    sets = {name: training_set(run, config.kernels, images, name) for name in config.sets}
    n = min(config.measured_images or len(images.test[1]), len(images.test[1]))
    measured = tuple(part[:n] for part in images.test)
    maps = {}
    for seed in config.all_seeds:
        for name in config.sets:
            stage = f"{name}/seed{seed}"
            spectra = KeptSpectra(measured, every=config.every)
            model, _ = trained(
                run,
                config.training,
                sets[name].train,
                classes=len(images.classes),
                seed=seed,
                label=stage,
                record={"network": name},
                callbacks=[spectra],
                watch=spectra.watch,
            )
            maps[name, seed] = spectra.result()
            for tested in _tests_of(name):
                test = images.test if tested == "plain" else sets[name].test
                for cast in config.eval_cast:
                    record = {"network": name, "tested": tested, "cast": cast, "seed": seed}
                    run.measure(f"{stage}/{tested}/{cast}", _measure_bands, model, test, config, record)
    _draw(run, config, sets, maps)
    _report(run, config, maps, images)


def _tests_of(name: str) -> tuple[str, ...]:
    """Which test images a network sees; those of the originals are one and the same."""
    return ("plain",) if name == "original" else ("plain", "own")


def _measure_bands(
    model: keras.Model, test: tuple, config: Discrimination, record: dict[str, Any]
) -> list[dict]:
    result = kf.evaluate.band_accuracy(model, test, radii=config.radii, rescale=record["cast"])
    record = {**record, "n": result.n}
    rows = [{**record, "measure": "clean", "value": result.clean}]
    for band in ("low", "high"):
        for radius, value in zip(result.radii, getattr(result, band), strict=True):
            rows.append({**record, "measure": f"{band}_{radius:g}", "value": value})
    return rows


def _draw(run: Run, config: Discrimination, sets: dict[str, Images], maps: dict) -> None:
    for cast in config.eval_cast:
        suffix = "" if cast == "none" else f"_{cast}"
        note = "" if cast == "none" else f" ({cast})"
        run.figure(
            f"discrimination{suffix}",
            kf.plots.curves(
                {
                    f"{band}-passed, {words}": _lines(run, config, band, tested, cast)
                    for band in ("high", "low")
                    for tested, words in TESTED.items()
                    if any(tested in _tests_of(name) for name in config.sets)
                },
                x=config.radii,
                columns=2,
                xlabel="radius (index units)",
                ylabel="accuracy",
                chance=0.1,
                title=f"Accuracy by frequency of networks trained on three kinds of images{note}",
            ),
        )
    first = config.all_seeds[0]
    run.figure(
        "gradient_spectra",
        kf.plots.gradient_spectrum(
            {f"trained on {LABELS[name]}": maps[name, first] for name in config.sets},
            title=f"Spectrum of the input gradients on original test images, seed {first}, "
            f"n = {maps[config.sets[0], first].n}",
        ),
    )


def _lines(run: Run, config: Discrimination, band: str, tested: str, cast: str) -> dict[str, np.ndarray]:
    return {
        f"trained on {LABELS[name]}": np.stack(
            [
                values(run, network=name, tested=tested, cast=cast, measure=f"{band}_{r:g}")
                for r in config.radii
            ],
            axis=1,
        )
        for name in config.sets
        if tested in _tests_of(name)
    }


def _high(run: Run, name: str, tested: str, cast: str, radius: float) -> np.ndarray:
    return values(run, network=name, tested=tested, cast=cast, measure=f"high_{radius:g}")


def _report(run: Run, config: Discrimination, maps: dict, images: Images) -> None:
    n = len(images.test[1])
    tables = []
    for band in ("high", "low"):
        head = [
            "trained on",
            "tested on",
            "cast",
            "clean",
            *(f"{band[0].upper()}{r:g}" for r in config.radii),
        ]
        rows = _rows(run, config, band)
        print_table(f"Accuracy on {band}-passed images, n = {n}, over the seeds", head, rows)
        tables.append(markdown(head, rows))
    path = run.summary(
        "Frequency bias: feature discrimination",
        [*_accuracy_claims(run, config, n), *_gradient_claims(config, maps, min(images.shape[:2]))],
        notes="\n\n".join(tables),
    )
    run.say(str(path))


def _rows(run: Run, config: Discrimination, band: str) -> list[list[str]]:
    rows = []
    for name in config.sets:
        for tested in _tests_of(name):
            for cast in config.eval_cast:
                found = {"network": name, "tested": tested, "cast": cast}
                measures = ("clean", *(f"{band}_{r:g}" for r in config.radii))
                cells = [mean_and_range(values(run, **found, measure=measure), 2) for measure in measures]
                rows.append([LABELS[name], tested, cast, *cells])
        if band == "high":
            published = [PUBLISHED[name].get(r) for r in config.radii]
            cells = ["-" if p is None else f"{p / 100:.3f}" for p in published]
            rows.append([LABELS[name], "not stated", "published [author]", "-", *cells])
    return rows


def _accuracy_claims(run: Run, config: Discrimination, n: int) -> list[Claim]:
    claims = []
    for tested, words in TESTED.items():
        for cast in config.eval_cast:
            for radius in config.radii:
                if radius not in PUBLISHED["original"]:
                    continue
                # The originals are tested on themselves: that is their own kind.
                found = {
                    name: _high(run, name, tested if tested in _tests_of(name) else "plain", cast, radius)
                    for name in config.sets
                }
                claims += _ordered(found, radius, words, cast, n, config)
    return claims


def _ordered(
    found: dict[str, np.ndarray], radius: float, words: str, cast: str, n: int, config: Discrimination
) -> list[Claim]:
    """One claim of the order SCR > original > WCR where all three are there."""
    if set(found) != {"original", "scr", "wcr"}:
        return []
    first = order(found["scr"], found["original"], higher="SCR above original", lower="SCR below original")
    second = order(found["original"], found["wcr"], higher="original above WCR", lower="original below WCR")
    ours = ", ".join(f"{LABELS[name]} {mean_and_range(v, 2)}" for name, v in found.items())
    published = ", ".join(f"{LABELS[name]} {PUBLISHED[name][radius] / 100:.3f}" for name in found)
    cast = "" if cast == "none" else f", {cast.replace('_', ' ')}"
    return [
        Claim(
            f"On high-passed images SCR > original > WCR (r = {radius:g}; {words}{cast})",
            f"{published} [author]",
            f"{ours}: {first}; {second}",
            n,
            tuple(f"{name}/" for name in found),
            config.all_seeds,
        )
    ]


def _gradient_claims(config: Discrimination, maps: dict, side: int) -> list[Claim]:
    """How much of the gradient spectra lies in the high bands at the end of training."""
    first = maps[config.sets[0], config.all_seeds[0]]
    edge = side / 4  # as `GradientSpectrum` has it

    def high(name, measure):
        found = [maps[name, seed] for seed in config.all_seeds]
        rings = [(m.spectra[-1], np.asarray(m.radii) >= edge) for m in found]
        if measure == "share":
            return np.array([spectrum[ring].sum() / spectrum.sum() for spectrum, ring in rings])
        return np.array([spectrum[ring].mean() for spectrum, ring in rings])

    measures = {
        "share": "their share of the spectrum summed over the bands",
        "mean": "their mean, each image scaled to [0, 1]",
    }
    claims = []
    for name in config.sets:
        if name == "original" or "original" not in config.sets:
            continue
        says = "raises" if name == "scr" else "does not raise"
        for measure, words in measures.items():
            ours, others = high(name, measure), high("original", measure)
            label = LABELS[name]
            claims.append(
                compare(
                    f"Training on {label} {says} the use of high bands: radius {edge:g} and above in the "
                    f"input-gradient spectrum on original test images, {words}",
                    (label, ours),
                    ("original", others),
                    published="pictures only [author]",
                    higher=f"{label} higher",
                    lower=f"{label} lower",
                    n=first.n,
                    stages=(f"{name}/", "original/"),
                    seeds=config.all_seeds,
                )
            )
    return claims
