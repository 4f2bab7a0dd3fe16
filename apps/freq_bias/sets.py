"""The training sets of the experiments, made once and kept in the run folder; accuracy by band."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

import keras_freq as kf
from apps.freq_bias.config import Kernels
from apps.lab import Run
from apps.lab.images import Images, as_bytes
from apps.lab.kept import KeptHistory

LABELS = {"original": "original", "scr": "SCR", "wcr": "WCR", "hars": "HARS"}


class KeptSpectra(KeptHistory, kf.callbacks.GradientSpectrum):
    """Input-gradient spectra on the way, kept with the network; `watch` says what they are of."""

    def __init__(self, data: Any, **options: Any):
        super().__init__(data, **options)
        self.watch = {"measure": "input-gradient spectrum", "on": data, **options}


def measure_bands(
    model: keras.Model, test: tuple, radii: Sequence[float], record: dict[str, Any]
) -> list[dict]:
    """Accuracy on the test images and on their low- and high-passed copies, cast as the record says."""
    result = kf.evaluate.band_accuracy(model, test, radii=radii, rescale=record["cast"])
    numbers = {"clean": result.clean}
    for band in ("low", "high"):
        accuracies = zip(result.radii, getattr(result, band), strict=True)
        numbers |= {f"{band}_{radius:g}": value for radius, value in accuracies}
    return [{**record, "n": result.n, "measure": name, "value": value} for name, value in numbers.items()]


def name_bands(band: str, radii: Sequence[float]) -> list[str]:
    """The measures of a band by radius."""
    return [f"{band}_{radius:g}" for radius in radii]


def make_kernels(kernels: Kernels) -> kf.cdes.CDES:
    """Untrained kernels with the options of the settings."""
    names = ("filters", "kernel_size", "rho", "radius", "center", "bins", "masks", "noise", "similarity")
    return kf.cdes.CDES(**{name: getattr(kernels, name) for name in (*names, "reduction", "seed")})


def set_options(kernels: Kernels) -> dict[str, Any]:
    """What `make_scr` and `make_wcr` both take beyond the images."""
    names = ("epochs", "batch_size", "learning_rate", "momentum", "weight_decay", "decay_every", "shuffle")
    options = {name: getattr(kernels, name) for name in (*names, "include_test", "epoch")}
    return {**options, "noise": kernels.transform_noise, "cdes": make_kernels(kernels)}


def training_set(run: Run, kernels: Kernels, images: Images, name: str) -> Images:
    """Images of one kind, training and test: `original`, `scr`, `wcr`, or `hars` (of radius 12, high part).

    They are in the order of the originals and have their labels; the run keeps kernels and images.
    """
    if name == "original":
        return images
    make = _make_hars if name == "hars" else _make_enhanced
    arrays = run.arrays(f"sets/{name}", make, run, kernels, images, name)
    return dataclasses.replace(
        images,
        name=f"{images.name}_{name}",
        train=(arrays["train"] / np.float32(255), images.train[1]),
        test=(arrays["test"] / np.float32(255), images.test[1]),
    )


def stages_of(*names: str) -> tuple[str, ...]:
    """Beginnings of the stages of networks trained on these sets, the making of the sets among them."""
    return tuple(f"{part}{name}/" for name in names for part in ("", "sets/"))


def enhance(run: Run, kernels: Kernels, images: Images, name: str) -> kf.cdes.EnhancedImages:
    """The SCR or WCR copy; the kernels of each class are kept in the run folder as soon as they are trained.

    Where the settings bound the images that kernels train on, those are the first of each class.
    """
    make = kf.cdes.make_scr if name == "scr" else kf.cdes.make_wcr
    options = set_options(kernels) | {"folder": run.folder / "kernels" / name}
    if name == "scr":
        options["carry_over"] = kernels.carry_over
    return make(*images.train, test=images.test, train_limit=kernels.images_per_class, **options)


def _make_enhanced(run: Run, kernels: Kernels, images: Images, name: str) -> dict[str, np.ndarray]:
    made = enhance(run, kernels, images, name)
    assert made.test_images is not None  # they were asked for
    return {"train": as_bytes(made.images), "test": as_bytes(made.test_images)}


def _make_hars(run: Run, kernels: Kernels, images: Images, name: str) -> dict[str, np.ndarray]:
    train, test = (
        kf.cdes.make_hars(*part, radius=12, keep="high", seed=run.seed + number).images
        for number, part in enumerate((images.train, images.test))
    )
    return {"train": as_bytes(train), "test": as_bytes(test)}
