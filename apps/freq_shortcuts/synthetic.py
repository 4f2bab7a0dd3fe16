"""Synthetic band sets: which class is learned first, and which survives when bands are removed."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

import keras_freq as kf
from apps.freq_shortcuts.config import Synthetic
from apps.freq_shortcuts.early import LEARNED, KeptEarlyLearning, tied, train_early
from apps.lab import Claim, Run
from apps.lab.networks import NETWORKS
from apps.lab.report import mean_and_range, write_report

STOPPED = tuple(itertools.combinations((1, 2, 3, 4), 2))


def synthetic(run: Run, config: Synthetic) -> None:
    found: dict[tuple, tuple[KeptEarlyLearning, kf.shortcuts.BandStopResult]] = {}
    examples: dict[str, np.ndarray] = {}
    spectra: dict[str, dict[str, np.ndarray]] = {}
    for seed in config.all_seeds:
        for band in config.bands:
            data = kf.data.synthetic_bands(
                band,
                train_per_class=config.train_per_class,
                test_per_class=config.test_per_class,
                overlap=config.overlap,
                seed=seed,
            )
            train, test = data.arrays("train"), data.arrays("test")
            if seed == config.seed:
                examples[f"B{band}"] = test[0][:4]
                spectra[f"C3 in B{band}"] = _average_spectra(test, data.classes)
            for network in config.networks:
                name, record = f"{network}/b{band}", {"network": network, "band": band}
                model, early = train_early(
                    run,
                    name,
                    dataclasses.replace(config.training, network=network),
                    train,
                    test,
                    classes=len(data.classes),
                    every=config.every,
                    seed=seed,
                    record=record,
                )
                stage = f"{name}/seed{seed}"
                stop = run.result(f"{stage}/band_stop", kf.shortcuts.band_stop, model, test, STOPPED)
                found[network, band, seed] = early, stop
                record |= {"seed": seed, "n": stop.n}
                run.measure(stage, _describe, early, stop, data.classes, record)
    _draw(run, config, found, examples, spectra, data.classes)
    _report(run, config, found, data.classes)


def _average_spectra(test: tuple, classes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Mean amplitude by radius of each class, DC apart."""
    pixels, labels = test
    return {
        name: kf.spectral.azimuthal_average(kf.spectral.amplitude(pixels[labels == label]).mean(axis=(0, 3)))[
            1:17
        ]
        for label, name in enumerate(classes)
    }


def _describe(
    early: KeptEarlyLearning, stop: kf.shortcuts.BandStopResult, classes: tuple[str, ...], record: dict
) -> list[dict]:
    """Place among the learned classes (0: not learned), last F1, and what each pair of bands leaves."""
    order = early.first_learned(LEARNED)
    rows = []
    for label, name in enumerate(classes):
        place = order.index(label) + 1 if label in order else 0
        values = {"learned": place, "f1": float(early.f1[-1, label])}
        for bands, rate in zip(STOPPED, stop.tpr[:, label], strict=True):
            values["without " + "+".join(f"B{b}" for b in bands)] = float(rate)
        rows += [{**record, "measure": key, "class": name, "value": value} for key, value in values.items()]
    return rows


def _draw(run: Run, config: Synthetic, found: dict, examples: dict, spectra: dict, classes: tuple) -> None:
    figure = kf.plots.image_rows(
        {f"C3 in {name}": images for name, images in examples.items()},
        captions={f"C3 in {next(iter(examples))}": classes},
        title=f"Synthetic sets, one test image of each class, seed {config.seed}",
    )
    run.figure("images", figure)
    figure = kf.plots.curves(
        spectra,
        x=range(1, 17),
        columns=len(spectra),
        xlabel="radius (index units)",
        ylabel="mean amplitude",
        limits=None,
        title=f"Spectra of the classes, n = {config.test_per_class} each, seed {config.seed}",
    )
    run.figure("spectra", figure)
    steps = next(iter(found.values()))[0].steps
    for network in config.networks:
        figure = kf.plots.curves(
            {
                f"C3 in B{band}": {
                    name: np.stack([found[network, band, seed][0].f1[:, label] for seed in config.all_seeds])
                    for label, name in enumerate(classes)
                }
                for band in config.bands
            },
            x=steps,
            columns=len(config.bands),
            xlabel="iteration",
            ylabel="F1 on test images",
            title=f"{NETWORKS[network].label}: F1 of each class over the first iterations",
        )
        run.figure(f"early_{network}", figure)
        for band in config.bands:
            figure = kf.plots.confusion_change(
                [found[network, band, seed][1] for seed in config.all_seeds],
                classes=classes,
                title=f"{NETWORKS[network].label}, C3 in B{band}: change of the confusion, "
                "mean over the seeds",
            )
            run.figure(f"band_stop_{network}_b{band}", figure)


def _report(run: Run, config: Synthetic, found: dict, classes: tuple[str, ...]) -> None:
    n = config.test_per_class * len(classes)
    head = ["network", "C3 in", "learned first", *(f"F1 {name}" for name in classes), "survives most"]
    rows = []
    for network in config.networks:
        for band in config.bands:
            kept = [found[network, band, seed] for seed in config.all_seeds]
            orders = [early.first_learned(LEARNED) for early, _ in kept]
            names = ", ".join(classes[order[0]] if order else "none" for order in orders)
            f1 = np.stack([early.f1[-1] for early, _ in kept])
            left = [stop.tpr.mean(axis=0) for _, stop in kept]
            most = ", ".join(classes[int(np.argmax(rates))] for rates in left)
            cells = [mean_and_range(f1[:, label], 2) for label in range(len(classes))]
            rows.append([NETWORKS[network].label, f"B{band}", names, *cells, most])
    title = (
        f"First class with F1 of {LEARNED:g}, by seed; F1 after {config.training.iterations} iterations; the "
        f"class recognized most with two bands removed, by seed; n = {n}"
    )
    claims = [*_early_claims(config, found, n), *_stop_claims(config, found, classes, n)]
    table = (title, head, rows)
    write_report(run, "Frequency shortcuts: synthetic band sets", claims, table, notes=f"{title}.")


def _early_claims(config: Synthetic, found: dict, n: int) -> Iterator[Claim]:
    for network in config.networks:
        counts, ties = {}, 0
        for band in config.bands:
            kept = [found[network, band, seed][0] for seed in config.all_seeds]
            leads = [early.f1 for early in kept if early.first_learned(LEARNED)[:1] == (3,)]
            counts[band] = len(leads)
            ties += sum(map(tied, leads))
        seen = ", ".join(f"B{band}: {count} of {config.seeds}" for band, count in counts.items())
        yield Claim(
            f"{NETWORKS[network].label} learns the class with the most distinctive frequencies, C3, "
            "first, whether its band is low or high",
            "in every set [2nd]",
            f"C3 first in {seen} seeds; in {ties} of these {sum(counts.values())} trainings another "
            f"class reached F1 {LEARNED:g} at the same measurement, with a lower F1",
            n,
            (f"{network}/",),
        )


def _stop_claims(config: Synthetic, found: dict, classes: tuple[str, ...], n: int) -> Iterator[Claim]:
    for network in config.networks:
        rates = np.array(
            [
                [found[network, band, seed][1].tpr.mean(axis=0) for band in config.bands]
                for seed in config.all_seeds
            ]
        ).mean(axis=1)
        shown = [f"{name} {mean_and_range(rates[:, label], 2)}" for label, name in enumerate(classes)]
        yield Claim(
            f"{NETWORKS[network].label}: what survives of our classes when two of the four bands are removed",
            "of theirs, C2 [2nd]",
            f"recognized, mean over sets and pairs of bands: {', '.join(shown)}",
            n,
            (f"{network}/",),
        )
