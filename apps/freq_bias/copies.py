"""The SCR and the WCR copy of a data set as files: where they go, writing them, and what is read back."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import keras_freq as kf
from apps.freq_bias.config import Generate
from apps.freq_bias.sets import LABELS, enhance
from apps.lab import Run, RunError
from apps.lab.images import Images

SPLITS = ("train", "test")
CHUNK = 500


def copy_name(images: Images, name: str) -> str:
    """Name of a copy, which is one that TFDS takes: `cifar10_scr`."""
    plain = re.sub(r"[^a-z0-9]+", "_", images.name.lower()).strip("_")
    return f"{plain if plain[:1].isalpha() else f'images_{plain}'}_{name}"


def copies_folder(run: Run, config: Generate, images: Images) -> Path:
    """Where the copies go. What this run finds there when it begins is another's, and stops it."""
    if config.tfds:
        for module in ("tensorflow", "tensorflow_datasets"):
            if importlib.util.find_spec(module) is None:
                raise RunError(
                    f"writing TFDS sets needs {module}: install it, or take tfds=false. Received: tfds=true"
                )
    (record,) = run.measure("folder", _claim_folder, config, images)
    return Path(record["value"])


def _claim_folder(config: Generate, images: Images) -> dict:
    folder = Path(config.folder).expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"`folder` must be one that can be made ({error.strerror}). Received: folder={config.folder}"
        ) from error
    if not os.access(folder, os.W_OK):
        raise RunError(f"`folder` must be one that can be written to. Received: folder={config.folder}")
    for name in config.sets:
        stem = copy_name(images, name)
        for path in (folder / f"{stem}.npz", *([folder / stem] if config.tfds else [])):
            if path.exists():
                raise RunError(
                    f"{path} is there already: choose another folder with folder=NAME, or delete it. "
                    f"Received: folder={config.folder}"
                )
    return {"measure": "folder", "value": str(folder), "n": 0}


def write_copy(run: Run, config: Generate, images: Images, name: str, folder: Path) -> list[dict]:
    """Makes a copy, writes it, and tells the counts and how the kernels' loss fell."""
    made = enhance(run, config.kernels, images, name)
    parts: dict[str, Any] = {
        "train": (made.images, images.train[1]),
        "test": (made.test_images, images.test[1]),
        "classes": images.classes,
    }
    stem = copy_name(images, name)
    # What is there now was left by an earlier process of this run.
    kf.data.write_npz(folder / f"{stem}.npz", **parts, overwrite=True)
    if config.tfds:
        description = (
            f"{LABELS[name]} copy of {images.name}: images with the high frequencies "
            f"(d > {config.kernels.radius:g}) that spectral-density kernels (CDES) make of them, after Lin, "
            "Gao and Sang, IJCAI 2022; labels and order are those of the originals."
        )
        kf.data.write_tfds(stem, folder, **parts, description=description, overwrite=True)
    start = {"set": name, "seed": config.kernels.seed}
    rows = [
        start | {"measure": f"{split} images", "value": len(labels), "n": len(labels)}
        for split, labels in (("train", images.train[1]), ("test", images.test[1]))
    ]
    for label, kernels in zip(made.classes, made.kernels, strict=True):
        loss = kernels.history["loss"]
        of_class = "all" if label is None else images.classes[label]
        rows.append(
            start
            | {"measure": "loss of the kernels", "value": loss[-1], "first epoch": loss[0], "class": of_class}
        )
    return rows


def read_copy(images: Images, name: str, folder: Path) -> Images:
    """A copy as its file holds it."""
    stem = copy_name(images, name)
    data = kf.data.load(folder / f"{stem}.npz")
    return Images(stem, data.classes, data.arrays("train"), data.arrays("test"))


def read_back(config: Generate, images: Images, name: str, folder: Path) -> list[dict]:
    """Whether labels and order are those of the originals in the file, and the TFDS set equals the file."""
    stored = read_copy(images, name, folder)
    again = kf.data.load(copy_name(images, name), data_dir=folder) if config.tfds else None
    rows = []
    for split in SPLITS:
        (x, y), (copies, labels) = getattr(images, split), getattr(stored, split)
        kept = {
            "labels kept": float((labels == y).mean()),
            "places kept": places_kept(x, copies, config.kernels.radius),
        }
        if again is not None:
            pixels, numbers = again.arrays(split)
            equal = np.array_equal(pixels, copies) and np.array_equal(numbers, labels)
            kept["TFDS equals the file"] = float(equal)
        rows += [
            {"set": name, "measure": measure, "value": value, "split": split}
            | {"n": len(y), "seed": config.kernels.seed}
            for measure, value in kept.items()
        ]
    return rows


def places_kept(originals: np.ndarray, copies: np.ndarray, radius: float) -> float:
    """Share of the copies whose low frequencies are those of the original at the same place, to a factor.

    The copies keep the low frequencies of their originals, each channel on a scale of its own, so that a
    correlation of .95 without DC is that of the same image. Images with no detail there count as kept.
    """
    inside = max(2.0, radius - 1)  # the published masks are half a bin off
    right = 0
    for rows in chunks(len(originals)):
        low = [kf.spectral.low_pass(part[rows], inside) for part in (originals, copies)]
        a, b = (part - part.mean(axis=(1, 2), keepdims=True) for part in low)
        of_a, of_b = (a * a).sum(axis=(1, 2)), (b * b).sum(axis=(1, 2))
        correlation = (a * b).sum(axis=(1, 2)) / np.sqrt(of_a * of_b + 1e-12)
        flat = (of_a < 1e-6).all(axis=-1)
        right += int((flat | (np.median(correlation, axis=-1) > 0.95)).sum())
    return right / len(originals)


def chunks(length: int) -> Iterator[slice]:
    """Rows of so many images as are measured at once."""
    return (slice(start, start + CHUNK) for start in range(0, length, CHUNK))
