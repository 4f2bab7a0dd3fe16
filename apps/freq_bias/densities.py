"""Experiment 5, densities: spectral density of images against the spectrum of the input gradients on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

import keras_freq as kf
from apps.freq_bias.config import Densities
from apps.freq_bias.sets import LABELS, stages_of, training_set
from apps.lab import Claim, Run
from apps.lab.images import Images, load_images
from apps.lab.report import markdown, mean_and_range, order, print_table, values
from apps.lab.train import trained

PUBLISHED = "figure only [author]"
# By class, None for all images.
Spectra = dict[int | None, kf.evaluate.GradientSpectrumResult]


def densities(run: Run, config: Densities) -> None:
    images = load_images(run, config.data)
    chosen = _first_of_each_class(images.test[1], config.images_per_class)
    classes = [label for label in range(len(images.classes)) if (images.test[1][chosen] == label).any()]
    bands: dict[str, Any] = {"center": config.center, "bins": config.bins}
    density, gradients = {}, {}
    for name in config.sets:
        own: Images = training_set(run, config.kernels, images, name)
        test = own.test[0][chosen], own.test[1][chosen]
        density[name] = kf.data.image_spectral_density(test, **bands)
        density[name].to_csv(run.folder / "spectra" / f"{name}-images.csv")
        for seed in config.all_seeds:
            stage = f"{name}/seed{seed}"
            model, _ = trained(run, name, config.training, own.train, classes=len(images.classes), seed=seed)
            spectra = gradients[name, seed] = _measure_gradients(run, stage, model, test, classes, bands)
            record = {"network": name, "seed": seed}
            run.measure(
                f"{stage}/densities", _compare_densities, density[name], spectra, images.classes, record
            )
    _draw(run, config, images, classes, density, gradients)
    shares = {
        name: np.array([_high_share(gradients[name, seed][None]) for seed in config.all_seeds])
        for name in config.sets
    }
    _report(run, config, images, classes, shares, len(chosen))


def _first_of_each_class(labels: np.ndarray, count: int | None) -> np.ndarray:
    """Places of the first images of each class, in the order of the images."""
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:count] for label in np.unique(labels)]))


def _measure_gradients(
    run: Run, stage: str, model: keras.Model, test: tuple, classes: list[int], bands: dict
) -> Spectra:
    """Input-gradient spectra over all images (under None) and over each class."""
    images, labels = test
    parts: dict[int | None, np.ndarray] = {None: np.ones(len(labels), bool)}
    parts |= {label: labels == label for label in classes}
    # One size of batch, so that one compiled step serves all classes.
    size = min(128, *(int(part.sum()) for part in parts.values()))
    return {
        label: run.result(
            f"{stage}/gradients/{'all' if label is None else label}",
            kf.evaluate.input_gradient_spectrum,
            model,
            (images[part], labels[part]),
            batch_size=size,
            **bands,
        )
        for label, part in parts.items()
    }


def _compare_densities(
    density: kf.data.SpectralDensityResult, gradients: Spectra, names: tuple[str, ...], record: dict
) -> list[dict]:
    rows = []
    for label, spectrum in gradients.items():
        images = density if label is None else density.of_class(label)
        agreement = float("nan")
        if np.isfinite(spectrum.mean).all():
            agreement = kf.evaluate.rank_correlation(images.mean, spectrum.mean)
        numbers = {
            "rank correlation": agreement,
            "high bands of images": images.ring_means()["high"],
            "high bands of gradients": spectrum.ring_means()["high"],
        }
        common = {**record, "class": "all" if label is None else names[label], "n": images.n}
        rows += [{**common, "measure": measure, "value": float(value)} for measure, value in numbers.items()]
    return rows


def _draw(
    run: Run, config: Densities, images: Images, classes: list[int], density: dict, gradients: dict
) -> None:
    def over_seeds(name: str, label: int | None) -> Sequence[kf.evaluate.GradientSpectrumResult]:
        return [gradients[name, seed][label] for seed in config.all_seeds]

    n = density[config.sets[0]].n
    count = len(config.all_seeds)
    seeds = f"{count} seeds" if count > 1 else "1 seed"
    figure = kf.plots.spectral_density(
        {
            LABELS[name]: {"images": density[name], "input gradients": over_seeds(name, None)}
            for name in config.sets
        },
        columns=min(4, len(config.sets)),
        ylabel="mean, 0 to 1 by image",
        title=f"Spectral density of test images, and spectrum of the input gradients on them\n"
        f"n = {n}, gradients over {seeds}; shaded: one standard deviation over images",
    )
    run.figure("densities", figure)
    by_class = {
        f"{LABELS[name]}, images": {images.classes[label]: density[name].of_class(label) for label in classes}
        for name in config.sets
    } | {
        f"{LABELS[name]}, gradients": {images.classes[label]: over_seeds(name, label) for label in classes}
        for name in config.sets
    }
    figure = kf.plots.spectral_density(
        by_class,
        band=False,
        columns=len(config.sets),
        ylabel="mean over images",
        title=f"Spectral density of images (above) and spectrum of input gradients (below) by class\n"
        f"gradients over {seeds}",
    )
    run.figure("classes", figure)


def _high_share(spectrum: kf.evaluate.GradientSpectrumResult) -> float:
    """Share of the high bands, from 1/4 cycles per pixel, in the gradient spectrum summed over the bands."""
    mean, high = np.asarray(spectrum.mean), np.asarray(spectrum.radii) >= min(spectrum.size) / 4
    return float(mean[high].sum() / mean.sum())


def _report(
    run: Run, config: Densities, images: Images, classes: list[int], shares: dict[str, np.ndarray], n: int
) -> None:
    def pick(name: str, measure: str, label: str = "all") -> np.ndarray:
        return values(run, network=name, measure=measure, **{"class": label})

    names = [images.classes[label] for label in classes]
    head = ["set", "rank correlation", "the same within classes", "high bands of images", "of gradients"]
    head.append("their share of the gradients")
    rows = []
    for name in config.sets:
        within = np.mean([pick(name, "rank correlation", label) for label in names], axis=0)
        cells = (
            pick(name, "rank correlation"),
            within,
            # The images are the same for all seeds.
            pick(name, "high bands of images")[:1],
            pick(name, "high bands of gradients"),
            shares[name],
        )
        rows.append([LABELS[name], *map(mean_and_range, cells)])
    print_table(f"Densities of images and gradients, n = {n}, over the seeds", head, rows)
    titles = {
        "rank correlation": "Rank correlation between image density and gradient spectrum over the bands",
        "high bands of gradients": "Mean of the high bands of the gradient spectrum",
    }
    tables = []
    for measure, title in titles.items():
        lines = [
            [label, *(mean_and_range(pick(name, measure, label)) for name in config.sets)] for label in names
        ]
        tables.append(f"{title}:\n\n" + markdown(["class", *(LABELS[name] for name in config.sets)], lines))
    notes = "\n\n".join(
        [
            markdown(head, rows),
            "Each network is measured on the test images of its own set. Every profile is scaled to [0, 1] "
            "image by image; high bands are those from 1/4 cycles per pixel, and every band counts once. "
            "The spectra of the images: [spectra](spectra).",
            *tables,
        ]
    )
    claims = list(_claims(config, pick, shares, n)) if "original" in config.sets else []
    run.summary("Frequency bias: densities of images and gradients", claims, notes=notes)


def _claims(
    config: Densities, pick: Callable[[str, str], np.ndarray], shares: dict[str, np.ndarray], n: int
) -> Iterator[Claim]:
    for name, words in (("scr", "raise"), ("wcr", "do not raise")):
        if name not in config.sets:
            continue
        label, pair = LABELS[name], (name, "original")
        means = {kind: pick(kind, "high bands of gradients") for kind in pair}
        of_images = [mean_and_range(pick(kind, "high bands of images")[:1]) for kind in pair]
        for measure, numbers in (
            ("their share of the spectrum summed over the bands", shares),
            ("their mean, each image scaled to [0, 1]", means),
        ):
            own, base = numbers[name], numbers["original"]
            verdict = order(own, base, higher=f"{label} is higher", lower="original is higher")
            yield Claim(
                f"Hypothesis I: {label} images {words} the use of high bands of the gradient spectrum, "
                f"{measure}",
                PUBLISHED,
                f"{label} {mean_and_range(own)}, original {mean_and_range(base)}: {verdict}; high bands of "
                f"the images themselves {of_images[0]} against {of_images[1]}",
                n,
                stages_of(name, "original"),
            )
