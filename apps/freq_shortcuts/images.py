"""The images of an experiment: some classes of a set, at one size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import keras_freq as kf
from apps.freq_shortcuts.config import LabeledImages
from apps.lab import Run, RunError
from apps.lab import images as lab_images
from apps.lab.images import Images, as_floats

# Beyond this a split stays uint8: CIFAR-10 is float32, the ImageNet-10 images at 224 pixels are not.
MOST_BYTES = 1 << 30


def load_images(run: Run, settings: LabeledImages) -> Images:
    """As `apps.lab.images.load_images`; a split that would take more than 1 GiB stays uint8."""
    size, classes = settings.image_size, settings.classes
    return lab_images.load_images(run, settings, image_size=size, classes=classes, most_bytes=MOST_BYTES)


def corrupted(
    run: Run, images: Images, name: str, severity: int, *, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The test images under a corruption, made once."""
    known = (*kf.data.CORRUPTIONS, *kf.data.EXTRA_CORRUPTIONS)
    if name not in known:
        raise RunError(f"`corruptions` must be some of {', '.join(known)}. Received: {name}")
    pixels, labels = images.test
    kept = run.arrays(f"corrupted-{name}", _corrupt, pixels, name, severity, seed)
    return kept["pixels"], labels


def _corrupt(pixels: np.ndarray, name: str, severity: int, seed: int) -> dict[str, np.ndarray]:
    return {"pixels": kf.data.corrupt(pixels, name, severity, seed=seed)}


def first_of_each(test: tuple[np.ndarray, np.ndarray], classes: int) -> np.ndarray | None:
    """The first image of each class as floats; None where a class has none."""
    pixels, labels = test
    there = [np.flatnonzero(labels == label) for label in range(classes)]
    return np.stack([as_floats(pixels[rows[0]]) for rows in there]) if all(map(len, there)) else None


def filter_each(
    images: np.ndarray, maps: kf.shortcuts.FrequencyMaps, mean: Sequence[float] | float
) -> np.ndarray:
    """What the map of each class leaves of its image; where that is without DC, it lies about `mean`."""
    fill = np.asarray(mean, "float32")
    pairs = zip(images - fill, maps.masks, strict=True)
    return np.stack([kf.spectral.apply_mask(*pair) for pair in pairs]) + fill
