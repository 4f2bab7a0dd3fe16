"""Test images of another set, of the size of ours."""

from __future__ import annotations

import numpy as np

import keras_freq as kf
from apps.lab import RunError
from apps.lab.images import Images
from apps.lab.settings import Data


def other_images(name: str, settings: Data, images: Images) -> tuple[str, np.ndarray]:
    """The name of a set and its first test images, at most as many as there are of ours."""
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
    return found.name, found.arrays("test", limit=len(images.test[1]))[0]
