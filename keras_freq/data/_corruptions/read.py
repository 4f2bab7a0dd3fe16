"""Corrupted copies that are stored already: folders like CIFAR-10-C or ImageNet-C, and the sets of TFDS."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_freq._core.checks import show
from keras_freq._core.labels import class_indices
from keras_freq.data._corruptions.catalog import check_severities
from keras_freq.data._corruptions.tfds_corrupted import TFDS_CORRUPTED, check_prepared, load_corrupted
from keras_freq.data._corruptions.write import load_array, read_severities
from keras_freq.data._load import load


def read_corrupted(
    source: str | os.PathLike,
    name: str,
    severity: int,
    *,
    severities: Sequence[int] | None = None,
    data_dir: str | os.PathLike | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Reads one corruption at one severity from a folder like CIFAR-10-C or ImageNet-C, or from TFDS.

    Args:
        source: Folder with `NAME.npy` and `labels.npy`: CIFAR-10-C or CIFAR-100-C as published, or what
            `write_corrupted` wrote. Or folder with `NAME/SEVERITY/<class>/` and image files, which may stand
            in groups, `noise/NAME/...`: ImageNet-C as published; labels count the folders of all classes in
            alphabetical order. Or `"cifar10_corrupted"` or `"imagenet2012_corrupted"`, prepared by TFDS.
        name: A corruption, see `corrupt`: the name of the file without its ending.
        severity: One of `severities`.
        severities: What the `.npy` files of a folder hold, in order. By default what `write_corrupted`
            recorded, or 1 to 5 as published.
        data_dir: The folder of TFDS, see `load`.

    Returns:
        `(images, labels)`: uint8 `(n, height, width, channels)` and the labels `(n,)`. Those of `.npy` files
        are mapped and read when used; image files and TFDS are read into memory at once.

    Raises:
        FileNotFoundError: If the folder, a file or the prepared set is missing. Nothing is fetched.
        ValueError: If a file is no array of uint8 images, the lengths do not fit, or there is no such
            severity.

    Source: Hendrycks, Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and
        Perturbations, ICLR 2019; layout of the published CIFAR-10-C.

    Example:
        >>> written = kf.data.write_corrupted(images, labels, "copy", corruptions=["fog"])
        >>> foggy, classes = kf.data.read_corrupted("copy", "fog", severity=3)
        >>> foggy.shape, foggy.dtype, classes.tolist()
        ((8, 32, 32, 3), dtype('uint8'), [0, 1, 2, 3, 0, 1, 2, 3])
    """
    if isinstance(source, str) and source in TFDS_CORRUPTED:
        check_severities((severity,))
        check_prepared(source, name, severity, data_dir=data_dir)
        data = load_corrupted(source, name, severity, data_dir=data_dir)
        images, labels = data.arrays("test", dtype="uint8")
        return images, labels.astype("int64")
    folder = Path(source).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(
            f"The corrupted images must be a folder, or one of {', '.join(TFDS_CORRUPTED)}. "
            f"Received: {os.fspath(source)!r}, which is no folder"
        )
    path = folder / f"{name}.npy"
    if not path.exists() and (images_folder := _find_images(folder, name, severity)) is not None:
        images, labels = load(images_folder).arrays("test", dtype="uint8")
        return images, labels.astype("int64")
    severities = read_severities(folder) if severities is None else check_severities(severities)
    if isinstance(severity, bool) or severity not in severities:
        raise ValueError(
            f"`severity` must be one of {', '.join(map(str, severities))}. "
            f"Received: severity={show(severity)}"
        )
    if not path.is_file():
        found = sorted(file.stem for file in folder.glob("*.npy") if file.stem != "labels")
        raise FileNotFoundError(
            f"There is no {path.name} in {folder}, which holds {', '.join(found) or 'no .npy file'} and no "
            f"folder {name}. "
            f"Received: name={show(name)}"
        )
    images = load_array(path)
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError(
            f"{path} must hold uint8 images (n, height, width, channels). "
            f"Received: {images.dtype} of shape {images.shape}"
        )
    if not (folder / "labels.npy").is_file():
        raise FileNotFoundError(f"There is no labels.npy beside {path}. Received: folder={str(folder)!r}")
    labels = load_array(folder / "labels.npy")
    if len(images) == 0 or len(images) % len(severities) or labels.shape[:1] != images.shape[:1]:
        raise ValueError(
            f"{path.name} and labels.npy must have one length, a multiple of {len(severities)} severities. "
            f"Received: {len(images)} images, labels of shape {labels.shape} in {folder}"
        )
    count = len(images) // len(severities)
    first = severities.index(severity) * count
    return images[first : first + count], class_indices(labels[first : first + count])


def _find_images(folder: Path, name: str, severity: Any) -> Path | None:
    """The folder of one corruption at one severity, or `None` where the folder holds no image files."""
    if Path(name).name != name or not folder.is_dir():
        return None
    places = [path for path in (folder / name, *sorted(folder.glob(f"*/{name}"))) if path.is_dir()]
    if not places:
        return None
    found = places[0] / str(severity)
    if isinstance(severity, bool) or not found.is_dir():
        held = sorted(path.name for path in places[0].iterdir() if path.is_dir())
        raise ValueError(
            f"`severity` must be one of {', '.join(held)}, the folders in {places[0]}. "
            f"Received: severity={show(severity)}"
        )
    return found


def open_stored(
    source: str | os.PathLike,
    name: str,
    severity: int,
    *,
    data_dir: str | os.PathLike | None,
    batch_size: int | None,
) -> Callable[[], Any]:
    """Looks whether the images are there, and returns what opens them: a set may not fit into memory."""
    if isinstance(source, str) and source in TFDS_CORRUPTED:
        check_prepared(source, name, severity, data_dir=data_dir)
        return lambda: load_corrupted(source, name, severity, data_dir=data_dir, batch_size=batch_size).test
    folder = Path(source).expanduser()
    images_folder = None if (folder / f"{name}.npy").exists() else _find_images(folder, name, severity)
    if images_folder is not None:
        data = load(images_folder, batch_size=batch_size or 128)
        return lambda: data.test
    arrays = read_corrupted(source, name, severity)
    return lambda: arrays
