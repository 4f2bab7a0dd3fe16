"""Experiment 1, learning priority: the spectrum of the input gradients after every epoch."""

from __future__ import annotations

from typing import Any

import numpy as np

import keras_freq as kf
from apps.freq_bias.config import Priority
from apps.freq_bias.sets import KeptSpectra
from apps.lab import Claim, Run, RunError
from apps.lab.images import check_counts, load_images
from apps.lab.report import cells, compare, mean_and_range, values, write_report
from apps.lab.train import trained

RINGS = ("low", "mid", "high")
PUBLISHED = "heat maps only, no numbers"
Named = tuple[str, np.ndarray]


def priority(run: Run, config: Priority) -> None:
    images = load_images(run, config.data)
    check_counts(images, measured_images=config.measured_images)
    n = config.measured_images or len(images.test[1])
    if config.every > config.training.epochs:
        raise RunError(
            f"`every` must be at most `training.epochs`, {config.training.epochs}, for something to be "
            f"measured. Received: every={config.every}"
        )
    options = {"center": config.center, "bins": config.bins, "every": config.every, "n": n}
    spectra: dict[int, KeptSpectra] = {}
    for seed in config.all_seeds:
        kept = spectra[seed] = KeptSpectra(images.test, **options)
        trained(
            run,
            "original",
            config.training,
            images.train,
            classes=len(images.classes),
            seed=seed,
            callbacks=[kept],
            watch=kept.watch,
        )
        run.measure(f"original/seed{seed}/gradients", _compare_first_and_last, kept, seed)
        kept.result().to_csv(run.folder / "spectra" / f"seed{seed}.csv")
    _draw(run, config, spectra)
    _report(run, config, n)


def _compare_first_and_last(spectra: KeptSpectra, seed: int) -> list[dict]:
    """Ring means of the first and the last measurement, and how each ring goes with the epochs."""
    rings = [result.ring_means() for _, result in spectra.history]
    n = spectra.history[0][1].n
    rows = [
        {"measure": f"gradient {ring}", "moment": moment, "epoch": spectra.epochs[place]}
        | {"value": rings[place][ring], "seed": seed, "n": n}
        for moment, place in (("first", 0), ("last", -1))
        for ring in RINGS
    ]
    if len(rings) > 1:
        for ring in RINGS:
            means = [mean[ring] for mean in rings]
            finite = np.isfinite(means).all()
            trend = kf.evaluate.rank_correlation(spectra.epochs, means) if finite else float("nan")
            rows.append(
                {"measure": f"trend {ring}", "moment": "all", "epoch": spectra.epochs[-1]}
                | {"value": trend, "seed": seed, "n": n}
            )
    return rows


def _draw(run: Run, config: Priority, spectra: dict[int, KeptSpectra]) -> None:
    measured = {f"seed {seed}": kept.result() for seed, kept in spectra.items()}
    first = next(iter(measured.values()))
    maps: dict[str, Any] = {**measured}
    if len(measured) > 1:
        maps = {f"mean over {len(measured)} seeds": list(measured.values()), **maps}
    title = f"Spectrum of the input gradients of test images while a network learns\nn = {first.n}"
    run.figure("priority", kf.plots.gradient_spectrum(maps, title=title))
    lines = {
        f"{ring} ({where})": [
            [result.ring_means()[ring] for _, result in kept.history] for kept in spectra.values()
        ]
        for ring, where in zip(RINGS, _where(spectra), strict=True)
    }
    drawn = {label: line for label, line in lines.items() if np.isfinite(line).all()}
    if drawn:
        figure = kf.plots.curves(
            {"": drawn},
            x=first.epochs,
            ylabel="mean of the bands, 0 to 1 by image",
            title="Input gradients of test images by frequency",
        )
        run.figure("rings", figure)


def _where(spectra: dict[int, KeptSpectra]) -> list[str]:
    """The radii of the rings, in the units of the spectra."""
    first = next(iter(spectra.values())).history[0][1]
    side = first.size[0] if first.units == "index" else 1
    return [f"r < {side / 8:g}", f"{side / 8:g} to {side / 4:g}", f"r ≥ {side / 4:g}"]


def _report(run: Run, config: Priority, n: int) -> None:
    first, last = (
        {ring: values(run, measure=f"gradient {ring}", moment=moment) for ring in RINGS}
        for moment in ("first", "last")
    )
    epochs = [next(r["epoch"] for r in run.records if r.get("moment") == m) for m in ("first", "last")]
    head = ["epoch", *(f"{ring} bands" for ring in RINGS), "high over low"]
    rows = [
        [str(epoch), *(mean_and_range(rings[ring]) for ring in RINGS), mean_and_range(_ratio(rings))]
        for epoch, rings in zip(epochs, (first, last), strict=True)
    ]
    several = epochs[0] < epochs[1]
    if several:
        trends = cells(run, [f"trend {ring}" for ring in RINGS])
        rows.append(["rank correlation with the epoch", *trends, ""])

    def claim(text: str, one: Named, other: Named, up: str, down: str) -> Claim:
        return compare(
            text, one, other, published=PUBLISHED, higher=up, lower=down, n=n, stages=("original/",)
        )

    claims = [
        claim(
            f"The network learns low frequencies first: in epoch {epochs[0]} the input gradients are larger "
            "in the low bands than in the high ones",
            ("low", first["low"]),
            ("high", first["high"]),
            "low is higher",
            "high is higher",
        )
    ]
    if several:
        then, before = f"epoch {epochs[1]}", f"epoch {epochs[0]}"
        text = "High frequencies follow: "
        one, other = (f"high in {then}", last["high"]), (f"in {before}", first["high"])
        claims.append(
            claim(f"{text}the high bands are larger in {then} than in {before}", one, other, "grows", "falls")
        )
        one, other = (then, _ratio(last)), (before, _ratio(first))
        claims.append(
            claim(f"{text}high bands over low ones, {then} against {before}", one, other, "grows", "falls")
        )
    notes = (
        "Each image's profile is scaled to [0, 1] before the mean over images; low, middle and high bands "
        "are divided at 1/8 and 1/4 cycles per pixel, and every band counts once. "
        "The spectra of all epochs: [spectra](spectra)."
    )
    title = f"Input gradients of {n} test images, mean of the bands, over the seeds"
    write_report(run, "Frequency bias: learning priority", claims, (title, head, rows), notes=notes)


def _ratio(rings: dict[str, np.ndarray]) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return rings["high"] / rings["low"]
