"""A folder of image files as a data set: one folder for each class, read with Pillow."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from keras_freq.data._image_data import ImageData
from keras_freq.data._tfds_sets import ExampleForm, SourceBatches, read_rows

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
# The folders that hold a split, the first that is there.
SPLITS = {"train": ("train",), "test": ("test", "validation", "val")}


def is_folder(name: str | os.PathLike) -> bool:
    """Whether a name is that of a folder and not of a TFDS set: a path object, or a path of several parts."""
    if os.fspath(name).endswith(".npz"):
        return False
    if isinstance(name, os.PathLike):
        return True
    if name.startswith(("~", ".", os.sep)):
        return True
    return len(Path(name).parts) > 1 and Path(name).is_dir()


@dataclasses.dataclass(frozen=True)
class ImageFiles:
    """The files of one split, decoded when asked for, as the examples of a TFDS source are.

    Attributes:
        paths: The files, in the stored order.
        labels: Their classes.
        size: `(height, width)` that all must have, None where they will be resized.
    """

    paths: Sequence[Path]
    labels: np.ndarray
    size: tuple[int, int] | None

    def __len__(self) -> int:
        return len(self.paths)

    def __getitems__(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        paths = [self.paths[row] for row in rows]
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:  # Pillow decodes without the lock
            images = list(threads.map(self._read, paths))
        return [{"image": x, "label": self.labels[row]} for x, row in zip(images, rows, strict=True)]

    def _read(self, path: Path) -> np.ndarray:
        image = read_image(path)
        if self.size not in (None, image.shape[:2]):
            raise ValueError(
                "The images of a folder vary in size: pass image_size=, a side or (height, width). Received: "
                f"{image.shape[0]} x {image.shape[1]} in {path}, {self.size[0]} x {self.size[1]} in the first"
            )
        return image


def read_image(path: Path) -> np.ndarray:
    """A file as uint8 `(height, width, 3)`.

    Raises:
        ValueError: If the file is no image, or is cut short.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    # Pillow raises SyntaxError for broken PNG files.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"Every file must be a whole image. Received: {path} ({reason})") from error


def open_folder(
    name: str | os.PathLike,
    classes: tuple[str, ...] | None,
    size: tuple[int, int] | None,
    *,
    batch_size: int,
    seed: int,
) -> ImageData:
    """The folder as `load` gives it.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it does not hold one folder for each class, or not one for each of `classes`.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no such folder. Received: name={str(name)!r}")
    splits = {}
    for split, own in SPLITS.items():
        root = next((folder / part for part in own if (folder / part).is_dir()), None)
        if root is not None:
            splits[split] = root
    if not splits:
        splits = {"test": folder}  # one split is something to measure on
    if classes is None:
        classes = tuple(sorted({part.name for root in splits.values() for part in _list_folders(root)}))
    if len(classes) < 1:
        raise ValueError(
            "A folder must hold train/<class>/ and test/<class>/ (or validation, val), or <class>/, with "
            f"image files. Received: {folder} without folders of classes"
        )
    files = {split: _list_files(root, classes) for split, root in splits.items()}
    height, width = size or read_image(next(iter(files.values()))[0][0]).shape[:2]
    form = ExampleForm("image", "label", (height, width, 3), size)
    sources = {
        split: ImageFiles(paths, labels, None if size else (height, width))
        for split, (paths, labels) in files.items()
    }
    feeds: dict[str, SourceBatches | None] = dict.fromkeys(SPLITS)
    for split, source in sources.items():
        feeds[split] = SourceBatches(source, form, batch_size=batch_size, shuffle=split == "train", seed=seed)

    def read(split: str, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
        source = sources[split]
        return read_rows(source, np.arange(min(len(source), limit or len(source))), form)

    return ImageData(folder.resolve().name, classes, form.shape, **feeds, _read=read)


def _list_folders(root: Path) -> list[Path]:
    return [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _list_files(root: Path, classes: tuple[str, ...]) -> tuple[list[Path], np.ndarray]:
    """The files of all classes in turn, one of each at a time: the first `n` hold every class alike."""
    by_class: list[list[tuple[Path, int]]] = []
    for name in classes:
        folder = root / name
        paths = sorted(folder.iterdir()) if folder.is_dir() else []
        paths = [p for p in paths if p.suffix.lower() in ENDINGS and not p.name.startswith(".")]
        if not paths:
            raise ValueError(
                f"Every class must have a folder with images ({', '.join(ENDINGS)}) in every split. "
                f"Received: none for {name!r} in {root}"
            )
        by_class.append([(path, len(by_class)) for path in paths])
    in_turn = [pair for row in itertools.zip_longest(*by_class) for pair in row if pair is not None]
    return [path for path, _ in in_turn], np.array([label for _, label in in_turn], "int32")
