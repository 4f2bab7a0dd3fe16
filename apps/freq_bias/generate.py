"""Writes the SCR and the WCR copy of a data set and shows what became of its images and their densities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import keras_freq as kf
from apps.freq_bias.config import Generate
from apps.freq_bias.copies import SPLITS, chunks, copies_folder, copy_name, read_back, read_copy, write_copy
from apps.freq_bias.sets import LABELS
from apps.lab import Claim, Run
from apps.lab.images import Images, load_images
from apps.lab.report import markdown, print_table

SHOWN = 10  # classes in the figures


def generate(run: Run, config: Generate) -> None:
    images = load_images(run, config.data)
    folder = copies_folder(run, config, images)
    for name in config.sets:
        run.measure(f"{name}/written", write_copy, run, config, images, name, folder)
        run.measure(f"{name}/read", read_back, config, images, name, folder)
    densities = {}
    for name in ("original", *config.sets):
        copy = images if name == "original" else read_copy(images, name, folder)
        densities[name] = run.arrays(f"densities/{name}", _measure_densities, run, config, copy, name)
        run.measure(f"{name}/density", _list_distances, config, images, densities[name], name)
    _draw(run, config, images, densities, folder)
    _report(run, config, images, folder)


def _target(config: Generate, images: Images) -> tuple[np.ndarray, np.ndarray]:
    """Radii of the bands, and the density that the kernels are trained towards."""
    kernels, (height, width) = config.kernels, images.shape[:2]
    radii, _ = kf.spectral.azimuthal_radii(height, width, center=kernels.center, bins=kernels.bins)
    return radii, kf.cdes.target_density(len(radii), size=min(height, width), rho=kernels.rho)


def _measure_densities(run: Run, config: Generate, images: Images, name: str) -> dict[str, np.ndarray]:
    """Mean density of each class, and the distance of every image: root of the mean square over bands."""
    radii, target = _target(config, images)
    bands: dict[str, Any] = {"center": config.kernels.center, "bins": config.kernels.bins}
    above = radii > config.kernels.radius
    if not above.any():  # the radius of the whole spectrum
        above = np.ones(len(radii), bool)
    found: dict[str, np.ndarray] = {}
    for split in SPLITS:
        x, y = getattr(images, split)
        label = f"densities, {LABELS[name]}, {split}"
        density = np.concatenate(
            [kf.spectral.spectral_density(x[rows], **bands) for rows in run.sweep(chunks(len(x)), label)]
        )
        squares = np.square(density - target)
        present = np.unique(y)
        found |= {
            f"{split}_distance": np.sqrt(squares.mean(axis=1)),
            f"{split}_above": np.sqrt(squares[:, above].mean(axis=1)),
            f"{split}_classes": present,
            f"{split}_mean": np.stack([density[y == k].mean(axis=0) for k in present]),
        }
    return found


def _list_distances(
    config: Generate, images: Images, densities: dict[str, np.ndarray], name: str
) -> list[dict]:
    records = []
    for split in SPLITS:
        labels = getattr(images, split)[1]
        for label in (None, *densities[f"{split}_classes"]):
            rows = slice(None) if label is None else labels == label
            distance, above = densities[f"{split}_distance"][rows], densities[f"{split}_above"][rows]
            records.append(
                {"set": name, "measure": "distance to the target", "value": float(distance.mean())}
                | {"above the radius": float(above.mean()), "split": split}
                | {"class": "all" if label is None else images.classes[label]}
                | {"n": len(distance), "seed": config.kernels.seed}
            )
    return records


def _draw(run: Run, config: Generate, images: Images, densities: dict, folder: Path) -> None:
    names = ("original", *config.sets)
    stored = {name: read_copy(images, name, folder).test[0] for name in config.sets}
    pixels, labels = {"original": images.test[0], **stored}, images.test[1]
    classes = np.unique(labels)[:SHOWN]
    for number in range(config.examples):
        shown = np.concatenate([np.flatnonzero(labels == label)[number:][:1] for label in classes])
        if not len(shown):
            break
        figure = kf.plots.image_rows(
            {LABELS[name]: pixels[name][shown] for name in names},
            captions={LABELS["original"]: [images.classes[label] for label in labels[shown]]},
            title="Test images and their copies with other high frequencies",
        )
        run.figure("images" if number == 0 else f"images {number + 1}", figure)
    radii, target = _target(config, images)
    panels = {
        images.classes[label]: {
            **{LABELS[name]: densities[name]["test_mean"][row] for name in names},
            "target of the kernels": target,
        }
        for row, label in enumerate(classes)
    }
    figure = kf.plots.curves(
        panels,
        x=radii.tolist(),
        xlabel="radius (index units)",
        ylabel="spectral density",
        columns=min(5, len(panels)) if len(panels) > 4 else None,
        title="Mean spectral density of the test images by class",
    )
    run.figure("densities", figure)


def _report(run: Run, config: Generate, images: Images, folder: Path) -> None:
    names = ("original", *config.sets)
    found = [r for r in run.records if r["measure"] == "distance to the target"]
    means = {(r["set"], r["split"], r["class"]): (r["value"], r["above the radius"]) for r in found}
    classes = list(dict.fromkeys(r["class"] for r in found if r["split"] == "test"))
    columns = [(name, split) for split in SPLITS for name in names]
    head = ["class", *(f"{LABELS[name]}, {split}" for name, split in columns)]
    rows = [[c, *(_cell(means.get((*column, c))) for column in columns)] for c in classes]
    print_table(
        "Distance of the density to the target (above the radius), mean over test images",
        ["class", *(LABELS[name] for name in names)],
        [[c, *(_cell(means[name, "test", c]) for name in names)] for c in classes],
    )
    seeds, n = (config.kernels.seed,), len(images.test[1])
    claims = [_claim_move(name, means, classes[1:], seeds, n) for name in config.sets]
    claims += [_claim_order(run, name, seeds, len(images.train[1]) + n) for name in config.sets]
    copies = ", ".join(f"`{copy_name(images, name)}`" for name in config.sets)
    tfds = " and a TFDS set (`data_dir` is that folder)" if config.tfds else ""
    notes = (
        f"Copies: {copies} in `{folder}`, each `NAME.npz`{tfds}. Kernels: `kernels/`.\n\n"
        "The label of a test image chooses the kernels that make its SCR copy.\n\n"
        "Distance of the spectral density of an image to the target, mean over the images: root of the mean "
        f"square over the bands, in brackets over those above radius {config.kernels.radius:g}, where the "
        f"kernels take effect.\n\n{markdown(head, rows)}"
    )
    run.summary("Frequency bias: SCR and WCR copies", claims, notes=notes)


def _claim_move(name: str, means: dict, classes: list[str], seeds: tuple[int, ...], n: int) -> Claim:
    before, after = means["original", "test", "all"], means[name, "test", "all"]
    nearer = [
        sum(means[name, "test", c][k] < means["original", "test", c][k] for c in classes) for k in (0, 1)
    ]
    return Claim(
        f"The kernels move the density of the images toward the target ({LABELS[name]}, test images)",
        "a figure, no number",
        f"distance {before[0]:.3f} before and {after[0]:.3f} after, smaller in {nearer[0]} of {len(classes)} "
        f"classes; above the radius {before[1]:.3f} and {after[1]:.3f}, smaller in {nearer[1]} of "
        f"{len(classes)}",
        n,
        (f"{name}/", "original/"),
        seeds,
    )


def _claim_order(run: Run, name: str, seeds: tuple[int, ...], n: int) -> Claim:
    shares: dict[str, list[float]] = {}
    for record in run.records:
        if record["stage"] == f"{name}/read":
            shares.setdefault(record["measure"], []).append(record["value"])
    return Claim(
        f"Labels and order are those of the originals ({LABELS[name]}, read back; share of the images)",
        "labels lost, order shuffled [code]" if name == "wcr" else "-",
        ", ".join(f"{measure} {min(values):.4g}" for measure, values in shares.items()),
        n,
        (f"{name}/read",),
        seeds,
    )


def _cell(value: tuple[float, float] | None) -> str:
    return "-" if value is None else f"{value[0]:.3f} ({value[1]:.3f})"
