"""Corrupted test images: of a folder, of TFDS, or made once."""

from __future__ import annotations

import os

import keras_freq as kf
from apps.apr.config import Detection, Table, TwoHeads
from apps.lab import Run, RunError
from apps.lab.images import Images, as_bytes


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
