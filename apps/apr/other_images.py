"""Other test images: corrupted ones, of a folder, of TFDS or made once, and those of another set."""

from __future__ import annotations

import os

import numpy as np

import keras_freq as kf
from apps.apr.config import Detection, Table, TwoHeads
from apps.lab import Run, RunError
from apps.lab.images import Images, as_bytes
from apps.lab.settings import Data


def corrupted_source(run: Run, config: Table | TwoHeads | Detection, images: Images) -> str | os.PathLike:
    """What `keras_freq.evaluate.corruption_error` reads; nothing is written twice."""
    if config.corrupted is not None:
        # Before any training: the rest is looked at when it is read.
        try:
            kf.data.read_corrupted(
                config.corrupted, "gaussian_noise", config.severities[0], data_dir=config.data.data_dir
            )
        except FileNotFoundError as error:
            raise RunError(str(error)) from error
        return config.corrupted
    folder = run.folder / "corrupted"
    pixels, labels = images.test
    run.say(f"corrupted copies of the {len(labels)} test images: {folder}")
    kf.data.write_corrupted(as_bytes(pixels), labels, folder, severities=config.severities, seed=config.seed)
    return folder


def other_images(name: str, settings: Data, images: Images, *, limit: int | None) -> tuple[str, np.ndarray]:
    """The name of a set and its first `limit` test images, or all."""
    try:
        found = kf.data.load(name, data_dir=settings.data_dir, download=settings.download)
    except (FileNotFoundError, ImportError) as error:
        raise RunError(str(error)) from error
    if found.input_shape != images.shape:
        raise RunError(
            f"the images of {name} must have the shape of those of {images.name}, {images.shape}. "
            f"Received: {found.input_shape}"
        )
    if found.test is None:
        raise RunError(f"{name} must have a test split. Received: a training split alone")
    return found.name, found.arrays("test", limit=limit)[0]
