"""Feature discrimination: networks trained on original, SCR and WCR images, tested by frequency."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import keras_freq as kf
from apps.freq_bias.config import Discrimination
from apps.freq_bias.sets import LABELS, KeptSpectra, measure_bands, name_bands, stages_of, training_set
from apps.lab import Claim, Run
from apps.lab.images import Images, load_images
from apps.lab.report import cells, compare, lines, mean_and_range, order, values, write_report
from apps.lab.train import trained

# Accuracy on high-passed test images by radius, in percent [author]; on which test images is not stated.
PUBLISHED: dict[str, dict[float, float]] = {
    "scr": {10: 79.0, 12: 68.2, 14: 42.4, 16: 30.4, 18: 30.9},
    "original": {10: 43.2, 12: 27.2, 14: 14.3, 16: 10.5, 18: 8.3},
    "wcr": {10: 20.4, 12: 15.5, 14: 12.8, 16: 10.0, 18: 10.0},
}
TESTED = {"plain": "original test images", "own": "SCR or WCR test images"}


def discrimination(run: Run, config: Discrimination) -> None:
    images = load_images(run, config.data, radii=config.radii)
    sets = {name: training_set(run, config.kernels, images, name) for name in config.sets}
    n = min(config.measured_images or len(images.test[1]), len(images.test[1]))
    measured = tuple(part[:n] for part in images.test)
    maps = {}
    for seed in config.all_seeds:
        for name in config.sets:
            spectra = KeptSpectra(measured, every=config.every)
            model, _ = trained(
                run,
                name,
                config.training,
                sets[name].train,
                classes=len(images.classes),
                seed=seed,
                callbacks=[spectra],
                watch=spectra.watch,
            )
            maps[name, seed] = spectra.result()
            for tested in _tests_of(name):
                test = images.test if tested == "plain" else sets[name].test
                for cast in config.eval_cast:
                    record = {"network": name, "tested": tested, "cast": cast, "seed": seed}
                    stage = f"{name}/seed{seed}/{tested}/{cast}"
                    run.measure(stage, measure_bands, model, test, config.radii, record)
    _draw(run, config, sets, maps)
    _report(run, config, maps, images)


def _tests_of(name: str) -> tuple[str, ...]:
    """Which test images a network sees; those of the originals are one and the same."""
    return ("plain",) if name == "original" else ("plain", "own")


def _draw(run: Run, config: Discrimination, sets: dict[str, Images], maps: dict) -> None:
    for cast in config.eval_cast:
        suffix = "" if cast == "none" else f"_{cast}"
        note = "" if cast == "none" else f" ({cast})"
        figure = kf.plots.curves(
            {
                f"{band}-passed, {words}": _lines(run, config, band, tested, cast)
                for band in ("high", "low")
                for tested, words in TESTED.items()
                if any(tested in _tests_of(name) for name in config.sets)
            },
            x=sorted(config.radii),
            columns=2,
            xlabel="radius (index units)",
            ylabel="accuracy",
            chance=1 / len(sets[config.sets[0]].classes),
            title=f"Accuracy by frequency of networks trained on three kinds of images{note}",
        )
        run.figure(f"discrimination{suffix}", figure)
    first = config.seed
    figure = kf.plots.gradient_spectrum(
        {f"trained on {LABELS[name]}": maps[name, first] for name in config.sets},
        title=f"Spectrum of the input gradients on original test images, seed {first}, "
        f"n = {maps[config.sets[0], first].n}",
    )
    run.figure("gradient_spectra", figure)


def _lines(run: Run, config: Discrimination, band: str, tested: str, cast: str) -> dict[str, np.ndarray]:
    measures = name_bands(band, sorted(config.radii))
    return {
        f"trained on {LABELS[name]}": lines(run, measures, network=name, tested=tested, cast=cast)
        for name in config.sets
        if tested in _tests_of(name)
    }


def _report(run: Run, config: Discrimination, maps: dict, images: Images) -> None:
    n = len(images.test[1])
    tables = []
    for band in ("high", "low"):
        head = ["trained on", "tested on", "cast", "clean"]
        head += [f"{band[0].upper()}{r:g}" for r in config.radii]
        title = f"Accuracy on {band}-passed images, n = {n}, over the seeds"
        tables.append((title, head, _rows(run, config, band)))
    claims = [*_accuracy_claims(run, config, n), *_gradient_claims(config, maps, min(images.shape[:2]))]
    write_report(run, "Frequency bias: feature discrimination", claims, *tables)


def _rows(run: Run, config: Discrimination, band: str) -> list[list[str]]:
    rows, measures = [], ["clean", *name_bands(band, config.radii)]
    for name in config.sets:
        for tested in _tests_of(name):
            for cast in config.eval_cast:
                found = cells(run, measures, 2, network=name, tested=tested, cast=cast)
                rows.append([LABELS[name], tested, cast, *found])
        if band == "high":
            published = [PUBLISHED[name].get(r) for r in config.radii]
            shown = ["-" if p is None else f"{p / 100:.3f}" for p in published]
            rows.append([LABELS[name], "not stated", "published [author]", "-", *shown])
    return rows


def _accuracy_claims(run: Run, config: Discrimination, n: int) -> Iterator[Claim]:
    """The order SCR > original > WCR at each radius with published numbers, where all three are there."""
    if set(config.sets) != set(PUBLISHED):
        return
    for tested, words in TESTED.items():
        for cast in config.eval_cast:
            for radius in filter(PUBLISHED["original"].get, config.radii):
                found, wanted = {}, {"cast": cast, "measure": f"high_{radius:g}"}
                for name in config.sets:
                    # The originals are tested on themselves: that is their own kind.
                    kind = tested if tested in _tests_of(name) else "plain"
                    found[name] = values(run, network=name, tested=kind, **wanted)
                first = order(
                    found["scr"], found["original"], higher="SCR above original", lower="SCR below original"
                )
                second = order(
                    found["original"], found["wcr"], higher="original above WCR", lower="original below WCR"
                )
                ours = ", ".join(f"{LABELS[name]} {mean_and_range(v, 2)}" for name, v in found.items())
                published = ", ".join(f"{LABELS[k]} {PUBLISHED[k][radius] / 100:.3f}" for k in found)
                suffix = "" if cast == "none" else f", {cast.replace('_', ' ')}"
                yield Claim(
                    f"On high-passed images SCR > original > WCR (r = {radius:g}; {words}{suffix})",
                    f"{published} [author]",
                    f"{ours}: {first}; {second}",
                    n,
                    stages_of(*found),
                )


def _gradient_claims(config: Discrimination, maps: dict, side: int) -> Iterator[Claim]:
    """How much of the gradient spectra lies in the high bands at the end of training."""
    edge = side / 4  # as `GradientSpectrum` has it

    def high(name: str, measure: str) -> np.ndarray:
        found = [maps[name, seed] for seed in config.all_seeds]
        rings = [(m.spectra[-1], np.asarray(m.radii) >= edge) for m in found]
        if measure == "share":
            return np.array([spectrum[ring].sum() / spectrum.sum() for spectrum, ring in rings])
        return np.array([spectrum[ring].mean() for spectrum, ring in rings])

    measures = {
        "share": "their share of the spectrum summed over the bands",
        "mean": "their mean, each image scaled to [0, 1]",
    }
    for name in config.sets if "original" in config.sets else ():
        if name == "original":
            continue
        label, says = LABELS[name], "raises" if name == "scr" else "does not raise"
        for measure, words in measures.items():
            yield compare(
                f"Training on {label} {says} the use of high bands: radius {edge:g} and above in the "
                f"input-gradient spectrum on original test images, {words}",
                (label, high(name, measure)),
                ("original", high("original", measure)),
                published="pictures only [author]",
                higher=f"{label} higher",
                lower=f"{label} lower",
                n=maps[name, config.seed].n,
                stages=stages_of(name, "original"),
            )
