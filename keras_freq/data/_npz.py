"""Image data in one `.npz` file: the bundled sample, plain arrays, and residual-coded images."""

from __future__ import annotations

import importlib.resources
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from keras_freq._core.checks import check_labeled_images
from keras_freq.data._check_splits import Splits

CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


def read_sample() -> tuple[Splits, tuple[str, ...]]:
    """The bundled `cifar10_mini`: uint8 images, int32 labels, class names."""
    sample = importlib.resources.files("keras_freq.data").joinpath("samples", "cifar10_mini.npz")
    with sample.open("rb") as file, np.load(file) as archive:
        return _read_splits(archive, "cifar10_mini"), CIFAR10_CLASSES


def read_npz(path: str) -> tuple[Splits, tuple[str, ...]]:
    """The splits of a file and the names of its classes; uint8 images stay uint8.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no archive of the two forms, or its arrays are no images and labels.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f"There is no such .npz file. Received: name={path!r}")
    try:
        archive = np.load(file)
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"The file must be an .npz archive of NumPy arrays. Received: name={path!r}"
        ) from error
    with archive:
        splits = _read_splits(archive, path)
        names = archive["classes"] if "classes" in archive.files else None
    count = 1 + max(int(labels.max()) for _, labels in splits.values())
    if names is not None and len(names) < count:
        raise ValueError(
            "`classes` must name every label. "
            f"Received: {len(names)} names, largest label {count - 1}, in {path}"
        )
    return splits, tuple(map(str, range(count) if names is None else names))


def decode_residuals(residuals: np.ndarray) -> np.ndarray:
    """Residuals `(3, n, height, width)` as images `(n, height, width, 3)`; uint8, exact.

    Undoes, modulo 256, the differences to the left and to the upper neighbor, and then the subtraction of
    green from red and blue.
    """
    if residuals.ndim != 4 or len(residuals) != 3 or residuals.dtype != np.uint8:
        raise ValueError(
            "Residuals must be uint8 of shape (3, n, height, width). "
            f"Received: {residuals.dtype} of shape {residuals.shape}"
        )
    planes = residuals.cumsum(-1, dtype=np.uint8).cumsum(-2, dtype=np.uint8)
    planes[0] += planes[1]
    planes[2] += planes[1]
    return np.ascontiguousarray(planes.transpose(1, 2, 3, 0))


def _read_splits(archive: Any, path: str) -> Splits:
    keys = set(archive.files)
    splits: Splits = {}
    # A file without split names holds one split, which is something to measure on.
    for split, suffix in (("train", "_train"), ("test", "_test"), ("test", "")):
        if split in splits or f"y{suffix}" not in keys or not {f"x{suffix}", f"r{suffix}"} & keys:
            continue
        try:
            plain = f"x{suffix}" in keys
            images = archive[f"x{suffix}"] if plain else decode_residuals(archive[f"r{suffix}"])
            labels = archive[f"y{suffix}"]
        except ValueError as error:
            if "pickle" not in str(error):
                raise
            raise ValueError(
                f"Arrays must hold numbers, not objects. Received: split {split!r} of {path}"
            ) from error
        if images.ndim == 3:  # gray images without an axis of channels
            images = images[..., None]
        images, labels = check_labeled_images(images, labels, unit=True)
        if images.dtype != np.uint8:
            images = images.astype("float32", copy=False)
        splits[split] = images, labels.astype("int32")
    if not splits:
        raise ValueError(
            "An .npz file must hold x_train, y_train, x_test, y_test (plain images), or r_train, y_train, "
            "r_test, y_test (residuals), or one split as x, y or r, y. "
            f"Received: {path} with the keys {sorted(keys)}"
        )
    return splits
