"""Synthetic band sets: which class is learned first, and which survives when bands are removed."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

import keras_freq as kf
from apps.freq_shortcuts.config import Synthetic
from apps.freq_shortcuts.early import LEARNED, early, first, tied, timed
from apps.freq_shortcuts.networks import LABELS as NETWORKS
from apps.lab import Claim, Run
from apps.lab.report import markdown, mean_and_range, print_table

STOPPED = tuple(itertools.combinations((1, 2, 3, 4), 2))


def synthetic(run: Run, config: Synthetic) -> None:
    """Runs the experiment of `config` in the folder of `run`."""
    found: dict[tuple, dict[str, np.ndarray]] = {}
    examples: dict[str, np.ndarray] = {}
    spectra: dict[str, dict[str, np.ndarray]] = {}
    for seed in config.all_seeds:
        for band in config.bands:
            data = kf.data.synthetic_bands(
                band, train_per_class=config.train_per_class, test_per_class=config.test_per_class, seed=seed
            )
            train, test = data.arrays("train"), data.arrays("test")
            if seed == config.seed:
                examples[f"B{band}"] = test[0][:4]
                spectra[f"C3 in B{band}"] = _spectra(test, data.classes)
            for network in config.networks:
                training = dataclasses.replace(config.training, network=network)
                stage = f"{network}/b{band}/seed{seed}"
                found[network, band, seed] = kept = early(
                    run,
                    stage,
                    train,
                    test,
                    len(data.classes),
                    training=training,
                    iterations=config.iterations,
                    every=config.every,
                    seed=seed,
                    after=lambda model, test=test: _band_stop(model, test),
                )
                run.measure(
                    stage,
                    lambda k=kept, c=data.classes, r=(network, band, seed): _records(
                        k, c, 4 * config.test_per_class, *r
                    ),
                )
    _draw(run, config, found, examples, spectra, data.classes)
    _report(run, config, found, data.classes)


def _band_stop(model, test: tuple) -> dict[str, np.ndarray]:
    result = kf.shortcuts.band_stop(model, test, STOPPED)
    return {"change": result.change, "survives": result.tpr}


def _spectra(test: tuple, classes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Mean amplitude by radius of each class, DC apart."""
    pixels, labels = test
    return {
        name: kf.spectral.azimuthal_average(kf.spectral.amplitude(pixels[labels == label]).mean(axis=(0, 3)))[
            1:17
        ]
        for label, name in enumerate(classes)
    }


def _records(
    kept: dict[str, np.ndarray], classes: tuple[str, ...], n: int, network: str, band: int, seed: int
) -> list[dict]:
    record = {"network": network, "band": band, "seed": seed, "n": n}
    order = first(kept)
    rows = [
        {
            **record,
            "measure": "learned",
            "class": name,
            "value": order.index(label) + 1 if label in order else 0,
        }
        for label, name in enumerate(classes)
    ]
    for label, name in enumerate(classes):
        rows.append({**record, "measure": "f1", "class": name, "value": float(kept["f1"][-1, label])})
        for bands, rate in zip(STOPPED, kept["survives"][:, label], strict=True):
            what = "without " + "+".join(f"B{b}" for b in bands)
            rows.append({**record, "measure": what, "class": name, "value": float(rate)})
    return timed(rows, kept)


def _places(order: list[int], classes: int) -> list[int]:
    return [order.index(label) + 1 if label in order else 0 for label in range(classes)]


def _draw(run: Run, config: Synthetic, found: dict, examples: dict, spectra: dict, classes: tuple) -> None:
    run.figure(
        "images",
        kf.plots.image_rows(
            {f"C3 in {name}": images for name, images in examples.items()},
            captions={f"C3 in {next(iter(examples))}": classes},
            title=f"Synthetic sets, one test image of each class, seed {config.seed}",
        ),
    )
    run.figure(
        "spectra",
        kf.plots.curves(
            spectra,
            x=range(1, 17),
            columns=len(spectra),
            xlabel="radius (index units)",
            ylabel="mean amplitude",
            limits=None,
            title=f"Spectra of the classes, n = {config.test_per_class} each, seed {config.seed}",
        ),
    )
    steps = next(iter(found.values()))["steps"]
    for network in config.networks:
        run.figure(
            f"early_{network}",
            kf.plots.curves(
                {
                    f"C3 in B{band}": {
                        name: np.stack([found[network, band, s]["f1"][:, label] for s in config.all_seeds])
                        for label, name in enumerate(classes)
                    }
                    for band in config.bands
                },
                x=steps,
                columns=len(config.bands),
                xlabel="iteration",
                ylabel="F1 on test images",
                title=f"{NETWORKS[network]}: F1 of each class over the first iterations",
            ),
        )
        for band in config.bands:
            change = np.mean([found[network, band, seed]["change"] for seed in config.all_seeds], axis=0)
            run.figure(
                f"band_stop_{network}_b{band}",
                kf.plots.confusion_change(
                    _Change(change, STOPPED),
                    classes=classes,
                    title=f"{NETWORKS[network]}, C3 in B{band}: change of the confusion, mean over the seeds",
                ),
            )


@dataclasses.dataclass(frozen=True)
class _Change:
    """Means over the seeds, as the figure takes a result."""

    change: np.ndarray
    stopped: tuple[tuple[int, ...], ...]


def _report(run: Run, config: Synthetic, found: dict, classes: tuple[str, ...]) -> None:
    n = config.test_per_class * len(classes)
    head = ["network", "C3 in", "learned first", *(f"F1 {name}" for name in classes), "survives most"]
    rows = []
    for network in config.networks:
        for band in config.bands:
            kept = [found[network, band, seed] for seed in config.all_seeds]
            orders = [first(k) for k in kept]
            names = ", ".join(classes[order[0]] if order else "none" for order in orders)
            f1 = np.stack([k["f1"][-1] for k in kept])
            left = [k["survives"].mean(axis=0) for k in kept]
            most = ", ".join(classes[int(np.argmax(rates))] for rates in left)
            cells = [mean_and_range(f1[:, label], 2) for label in range(len(classes))]
            rows.append([NETWORKS[network], f"B{band}", names, *cells, most])
    title = (
        f"First class with F1 of {LEARNED:g}, by seed; F1 after {config.iterations} iterations; the class "
        f"recognised most with two bands removed, by seed; n = {n}"
    )
    print_table(title, head, rows)
    path = run.summary(
        "Frequency shortcuts: synthetic band sets",
        [*_early_claims(config, found, classes, n), *_stop_claims(config, found, classes, n)],
        notes=f"{title}.\n\n{markdown(head, rows)}",
    )
    run.say(str(path))


def _early_claims(config: Synthetic, found: dict, classes: tuple[str, ...], n: int) -> list[Claim]:
    claims = []
    for network in config.networks:
        counts, ties = {}, 0
        for band in config.bands:
            kept = [found[network, band, seed] for seed in config.all_seeds]
            leads = [k for k in kept if first(k)[:1] == [3]]
            counts[band] = len(leads)
            ties += sum(map(tied, leads))
        seen = ", ".join(f"B{band}: {count} of {config.seeds}" for band, count in counts.items())
        claims.append(
            Claim(
                f"{NETWORKS[network]} learns the class with the most distinctive frequencies, C3, first, "
                "whether its band is low or high",
                "in every set [2nd]",
                f"C3 first in {seen} seeds; in {ties} of these {sum(counts.values())} trainings another "
                f"class reached F1 {LEARNED:g} at the same measurement, with a lower F1",
                n,
                (f"{network}/",),
                config.all_seeds,
            )
        )
    return claims


def _stop_claims(config: Synthetic, found: dict, classes: tuple[str, ...], n: int) -> list[Claim]:
    claims = []
    for network in config.networks:
        rates = np.stack(
            [
                np.mean(
                    [found[network, band, seed]["survives"].mean(axis=0) for band in config.bands], axis=0
                )
                for seed in config.all_seeds
            ]
        )
        cells = ", ".join(
            f"{name} {mean_and_range(rates[:, label], 2)}" for label, name in enumerate(classes)
        )
        claims.append(
            Claim(
                f"{NETWORKS[network]}: C2 survives when two of the four bands are removed",
                "C2 survives [2nd]",
                f"recognised, mean over sets and pairs of bands: {cells}",
                n,
                (f"{network}/",),
                config.all_seeds,
            )
        )
    return claims
