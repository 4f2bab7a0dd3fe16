"""A folder of image files as a data set: one folder for each class, read with Pillow."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from keras_freq._core.progress import progress_bar
from keras_freq.data._folder_layout import SPLITS, lay_out
from keras_freq.data._image_data import ImageData
from keras_freq.data._image_files import read_image
from keras_freq.data._tfds_sets import ExampleForm, SourceBatches, read_rows


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
    layout = lay_out(name, classes)
    layout.warn_of_skipped()
    height, width = size or read_image(next(iter(layout.files.values()))[0][0]).shape[:2]
    form = ExampleForm("image", "label", (height, width, 3), size)
    sources = {
        split: ImageFiles(paths, labels, None if size else (height, width))
        for split, (paths, labels) in layout.files.items()
    }
    feeds: dict[str, SourceBatches | None] = dict.fromkeys(SPLITS)
    for split, source in sources.items():
        feeds[split] = SourceBatches(source, form, batch_size=batch_size, shuffle=split == "train", seed=seed)

    def read(split: str, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
        source = sources[split]
        return read_rows(source, np.arange(min(len(source), limit or len(source))), form)

    return ImageData(
        name=layout.folder.resolve().name,
        classes=layout.classes,
        input_shape=form.shape,
        **feeds,
        taken={split: root.name for split, root in layout.roots.items()},
        _read=read,
    )


def check(name: str | os.PathLike, *, progress: bool | None = None) -> list[str]:
    """Reads every image of a folder, and says which files are broken, before a training stumbles over them.

    Args:
        name: The folder, as `load` takes it.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        One line for each file that cannot be read, with its path and the reason; empty where all are whole.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it does not hold one folder for each class.

    Example:
        >>> import os
        >>> from PIL import Image
        >>> for name in ("cat", "dog"):
        ...     os.makedirs(f"photos/{name}")
        ...     Image.new("RGB", (8, 8)).save(f"photos/{name}/0.png")
        >>> keras_freq.data.check("photos")
        []
    """
    layout = lay_out(name)
    layout.warn_of_skipped()
    paths = [path for part, _ in layout.files.values() for path in part]

    def find_fault(path: Path) -> str | None:
        try:
            read_image(path)
        except ValueError as error:
            return str(error).partition("Received: ")[2]
        return None

    with (
        progress_bar(progress, f"images of {layout.folder.name}", "file", total=len(paths)) as advance,
        ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads,
    ):
        faults = []
        for fault in threads.map(find_fault, paths):
            advance(1)
            if fault is not None:
                faults.append(fault)
    return faults
