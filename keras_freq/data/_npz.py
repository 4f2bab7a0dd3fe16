"""Arrays of images in an `.npz` file or in `.npy` files: the bundled sample, plain and residual-coded."""

from __future__ import annotations

import dataclasses
import importlib.resources
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from keras_freq._core.archive import Archive
from keras_freq._core.checks import check_labeled_images, show
from keras_freq.data._check_splits import Splits

# Split, names of the images, of which the first that is there is taken, and of the labels: our own, those of
# MedMNIST, and a single split, which is something to measure on.
FORMS = (
    ("train", ("x_train", "r_train"), "y_train"),
    ("test", ("x_test", "r_test"), "y_test"),
    ("train", ("train_images",), "train_labels"),
    ("test", ("test_images",), "test_labels"),
    ("test", ("val_images",), "val_labels"),
    ("test", ("x", "r"), "y"),
    ("test", ("images",), "labels"),
)
_KEYS = (
    "x_train, y_train, x_test, y_test (plain images), or r_train, y_train, r_test, y_test (residuals), or "
    "train_images, train_labels, test_images, test_labels, or one split as x, y or r, y or images, labels"
)
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


@dataclasses.dataclass(frozen=True)
class StoredArrays:
    """Splits, whose uint8 images stay uint8, names of the classes, and where each split was taken from."""

    splits: Splits
    classes: tuple[str, ...]
    taken: dict[str, str]


def read_sample() -> StoredArrays:
    """The bundled `cifar10_mini`: uint8 images, int32 labels, class names."""
    sample = importlib.resources.files("keras_freq.data").joinpath("samples", "cifar10_mini.npz")
    with sample.open("rb") as file, np.load(file) as archive:
        splits, taken = _read_splits(archive, "cifar10_mini")
        return StoredArrays(splits, CIFAR10_CLASSES, taken)


def is_array_folder(folder: Path) -> bool:
    """Whether a folder holds the `.npy` files of a data set."""
    return any(
        (folder / f"{labels}.npy").is_file() and any((folder / f"{key}.npy").is_file() for key in images)
        for _, images, labels in FORMS
    )


def read_arrays(path: str) -> StoredArrays:
    """What an `.npz` file, or a folder of `.npy` files or one of them, holds.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no archive of the known forms, or its arrays are no images and labels.
    """
    file = Path(path).expanduser()
    if file.is_dir() or file.suffix.lower() == ".npy":
        folder = file if file.is_dir() else file.parent
        if file != folder and not file.is_file():
            raise FileNotFoundError(f"There is no such .npy file. Received: name={show(path)}")
        if not is_array_folder(folder):
            raise ValueError(
                f"Images in .npy files must have their labels beside them, {_KEYS}. "
                f"Received: name={show(path)}"
            )
        return _read(_Files(folder, None if file == folder else file.stem), path)
    if not file.is_file():
        raise FileNotFoundError(f"There is no such .npz file. Received: name={show(path)}")
    try:
        with Archive(file) as archive:
            return _read(archive, path)
    except ValueError as error:
        if "Received: " in str(error):
            if str(path) in str(error):
                raise
            raise ValueError(f"{error}, in {path}") from error
        raise ValueError(
            f"The file must be a whole .npz archive of NumPy arrays. Received: name={show(path)} ({error})"
        ) from error


def _read(arrays: Any, path: str) -> StoredArrays:
    splits, taken = _read_splits(arrays, path)
    names = arrays["classes"] if "classes" in arrays.files else None
    count = 1 + max(int(labels.max()) for _, labels in splits.values())
    if names is None:
        _warn_of_no_class_0(splits, path)
    known = tuple(map(str, range(count))) if names is None else _check_names(names, count, path)
    return StoredArrays(splits, known, taken)


class _Files:
    """The arrays of a folder of `.npy` files, mapped; only the split of one file where that is asked for."""

    def __init__(self, folder: Path, only: str | None):
        self._folder = folder
        chosen = [form for form in FORMS if only is None or only in (*form[1], form[2])]
        keys = {key for _, images, labels in chosen for key in (*images, labels)} | {"classes"}
        self.files = sorted(path.stem for path in folder.glob("*.npy") if path.stem in keys)

    def __getitem__(self, key: str) -> np.ndarray:
        path = self._folder / f"{key}.npy"
        try:
            return np.load(path, mmap_mode=None if key == "classes" else "r", allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ValueError(
                f"{path} must be a whole .npy file. Received: one that is not ({reason})"
            ) from error


def _check_names(names: np.ndarray, count: int, path: str) -> tuple[str, ...]:
    if names.ndim != 1 or names.dtype.kind not in "UST":
        raise ValueError(
            f"`classes` must be one row of text. Received: {names.dtype} of shape {names.shape}, in {path}"
        )
    known = tuple(name.decode("utf-8") if isinstance(name, bytes) else str(name) for name in names.tolist())
    if len(known) < count:
        raise ValueError(
            "`classes` must name every label. "
            f"Received: {len(known)} names, largest label {count - 1}, in {path}"
        )
    twice = [name for name in known if known.count(name) > 1]
    if twice:
        raise ValueError(f"`classes` must differ. Received: {twice[0]!r} twice, in {path}")
    return known


def _warn_of_no_class_0(splits: Splits, path: str) -> None:
    if all(len(labels) and labels.min() > 0 for _, labels in splits.values()):
        warnings.warn(
            f"Class 0 has no image in {path}: labels that begin at 1 are one too large",
            stacklevel=4,
        )


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


def _read_splits(archive: Any, path: str) -> tuple[Splits, dict[str, str]]:
    keys = set(archive.files)
    splits: Splits = {}
    taken = {}
    for split, image_keys, label_key in FORMS:
        chosen = next((key for key in image_keys if key in keys), None)
        if split in splits or label_key not in keys or chosen is None:
            continue
        images, labels = archive[chosen], archive[label_key]
        if chosen.startswith("r"):
            images = decode_residuals(images)
        if images.ndim == 3:  # gray images without an axis of channels
            images = images[..., None]
        images, labels = check_labeled_images(images, labels, unit=True)
        if images.dtype != np.uint8:
            images = images.astype("float32", copy=False)
        splits[split], taken[split] = (images, labels.astype("int32")), chosen
    if not splits:
        raise ValueError(
            f"An .npz file or a folder of .npy files must hold {_KEYS}. "
            f"Received: {path} with the keys {sorted(keys)}"
        )
    return splits, taken
