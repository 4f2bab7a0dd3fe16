"""Which image files of a folder are of which split and class."""

from __future__ import annotations

import dataclasses
import itertools
import os
import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from keras_freq._core.checks import show
from keras_freq.data._image_files import image_endings

# The folders that hold a split, the first that is there.
SPLITS = {"train": ("train",), "test": ("test", "validation", "valid", "val")}
# Where Tiny ImageNet, as it is unpacked, says the classes of its validation images.
_ANNOTATIONS = Path("val") / "val_annotations.txt"


@dataclasses.dataclass(frozen=True)
class FolderLayout:
    """The files of a folder.

    Attributes:
        folder: The folder.
        classes: Names of the classes, in the order of their labels.
        files: Paths and labels `(n,)` of each split, the files of all classes in turn, one of each at a time:
            the first `n` hold every class alike.
        skipped: What stands beside the images and is none.
        roots: The folder of each split.
    """

    folder: Path
    classes: tuple[str, ...]
    files: dict[str, tuple[list[Path], np.ndarray]]
    skipped: tuple[Path, ...]
    roots: dict[str, Path]

    def warn_of_skipped(self) -> None:
        """One line on what is left out, by ending."""
        if not self.skipped:
            return
        kinds = Counter(path.suffix.lower() or "no ending" for path in self.skipped)
        some = ", ".join(f"{count} of {kind}" for kind, count in kinds.most_common(5))
        warnings.warn(
            f"{len(self.skipped)} entries of {self.folder} are left out, since they are no image files that "
            f"Pillow reads here: {some}; the first is {self.skipped[0]}",
            stacklevel=4,
        )


def is_folder(name: str | os.PathLike) -> bool:
    """Whether a name is that of a folder and not of a TFDS set.

    A path object is, a path of several parts, and a bare name of a folder that holds folders with images.
    """
    if os.fspath(name).lower().endswith(".npz"):
        return False
    if isinstance(name, os.PathLike) or name.startswith(("~", ".", os.sep)):
        return True
    path = Path(name)
    return path.is_dir() and (len(path.parts) > 1 or _holds_images(path))


def lay_out(name: str | os.PathLike, classes: tuple[str, ...] | None = None) -> FolderLayout:
    """What is where in `train/<class>/` and `test/<class>/`, in `<class>/`, or in Tiny ImageNet as unpacked.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it does not hold one folder for each class, or not one for each of `classes`.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no such folder. Received: name={str(name)!r}")
    outside = [own for own in classes or () if Path(own).name != own or own in (".", "..")]
    if outside:
        raise ValueError(
            f"`classes` must be names of folders, without a way out of theirs. Received: {outside[0]!r}"
        )
    roots = _find_splits(folder)
    found = {split: _list_classes(root) for split, root in roots.items()}
    if (folder / _ANNOTATIONS).is_file():
        roots["test"], found["test"] = folder / "val", _read_annotations(folder / _ANNOTATIONS)
    classes = classes or tuple(sorted(set().union(*found.values())))
    if not classes:
        raise ValueError(
            "A folder must hold train/<class>/ and test/<class>/ (or validation, valid, val), or <class>/, "
            f"with image files. Received: {folder} without folders of classes"
        )
    files, skipped = {}, []
    for split, by_class in found.items():
        for path in _list_visible(roots[split]):
            if path.is_file() and path.suffix.lower() in image_endings():
                skipped.append(path)  # of no class
        files[split] = _choose(by_class, classes, roots[split], skipped)
    return FolderLayout(folder, classes, files, tuple(skipped), {split: roots[split] for split in files})


def _find_splits(folder: Path) -> dict[str, Path]:
    splits = {}
    for split, own in SPLITS.items():
        root = next((folder / part for part in own if (folder / part).is_dir()), None)
        if root is not None:
            splits[split] = root
    return splits or {"test": folder}  # one split is something to measure on


def _list_visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _list_classes(root: Path) -> dict[str, list[Path]]:
    """What is in the folder of each class, or in a folder `images` of it."""
    by_class = {}
    for folder in _list_visible(root):
        if folder.is_dir():
            inner = folder / "images"
            by_class[folder.name] = _list_visible(inner if inner.is_dir() else folder)
    return by_class


def _read_annotations(path: Path) -> dict[str, list[Path]]:
    """Files by class, of lines that begin with the name of a file and its class."""
    by_class: dict[str, list[Path]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        parts = line.split("\t")
        if len(parts) < 2 or Path(parts[0]).name != parts[0]:
            raise ValueError(
                f"Every line must hold the name of a file and its class. Received: line {number} of {path}"
            )
        by_class.setdefault(parts[1], []).append(path.parent / "images" / parts[0])
    return by_class


def _choose(
    by_class: dict[str, list[Path]], classes: tuple[str, ...], root: Path, skipped: list[Path]
) -> tuple[list[Path], np.ndarray]:
    """The image files of the classes in turn, with their labels; what is none goes to `skipped`."""
    columns: list[list[tuple[Path, int]]] = []
    for label, name in enumerate(classes):
        taken: list[Path] = []
        for path in by_class.get(name, []):
            # A pipe or a device is not opened.
            (taken if path.suffix.lower() in image_endings() and path.is_file() else skipped).append(path)
        if not taken:
            raise ValueError(
                "Every class must have a folder with images in every split; the data are the folder above "
                f"those of the classes, or above train/ and test/. Received: none for {show(name)} in {root}"
            )
        columns.append([(path, label) for path in taken])
    in_turn = [pair for row in itertools.zip_longest(*columns) for pair in row if pair is not None]
    return [path for path, _ in in_turn], np.array([label for _, label in in_turn], "int32")


def _holds_images(folder: Path) -> bool:
    """Whether there are image files in folders of the folder, or of one of its splits."""
    roots = (folder, *(folder / part for own in SPLITS.values() for part in own))
    entries: Iterable[Path] = (
        path for root in roots if root.is_dir() for part in _list_classes(root).values() for path in part
    )
    return any(path.suffix.lower() in image_endings() for path in entries)
