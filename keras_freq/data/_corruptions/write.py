"""Corrupted copies of a data set on disk, in the layout of CIFAR-10-C or of ImageNet-C."""

from __future__ import annotations

import contextlib
import io
import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from keras_freq._core.checks import check_choice, check_labeled_images, check_whole, show
from keras_freq._core.files import lock_folder, write_whole
from keras_freq._core.progress import progress_bar
from keras_freq._core.workers import Workers
from keras_freq.data._corruptions.apply import check_corruptions, check_images, corrupt_to_bytes
from keras_freq.data._corruptions.catalog import (
    CORRUPTIONS,
    SEVERITIES,
    check_severities,
    choose_jpeg,
    choose_table,
)
from keras_freq.data._corruptions.photographs import Photographs
from keras_freq.data._corruptions.write_files import name_folders, write_files

_RECORD = "corruptions.json"
_BATCH = 500


def write_corrupted(
    images: Any,
    labels: Any,
    folder: str | os.PathLike,
    *,
    corruptions: Sequence[str] = CORRUPTIONS,
    severities: Sequence[int] = SEVERITIES,
    seed: int = 0,
    table: str = "auto",
    jpeg: int | None = None,
    frost: str | os.PathLike | None = None,
    layout: Literal["arrays", "files"] = "arrays",
    classes: Sequence[str] | None = None,
    workers: int = 0,
    progress: bool | None = None,
) -> tuple[Path, ...]:
    """Writes corrupted copies of images in the layout of CIFAR-10-C, or of ImageNet-C.

    With `layout="arrays"` `NAME.npy` is uint8 `(severities * n, height, width, channels)`: all images at the
    lowest severity, then all at the next. `labels.npy` repeats the labels as often. With `"files"` each image
    is a file `NAME/SEVERITY/<class>/<place>.JPEG`, which takes much less room. `read_corrupted` and
    `keras_freq.evaluate.corruption_error` read both.

    Each array, or folder of a severity, is written whole or not at all, and a call that was interrupted goes
    on with those that are missing. `corruptions.json` tells whether the folder belongs to the same images and
    settings; one process writes to it at a time.

    Args:
        images: uint8 `(n, height, width, channels)`, or floats in [0, 1], which are rounded at the end. A
            memory-mapped array is read in pieces.
        labels: `(n,)` class indices, or one-hot `(n, classes)`.
        folder: Where to write; made if it is missing.
        corruptions: Names, see `corrupt`.
        severities: Some of 1 to 5; readers of CIFAR-10-C expect all of them.
        seed: Seed of the draws; image `i` gets what `corrupt(..., seed=seed, start=i)` gives.
        table: See `corrupt`.
        jpeg: Quality of the JPEG files that the images go through before they are kept as arrays, see
            `corrupt`; of image files the quality of these, and PNG where it is 0.
        frost: Folder of photographs of ice, see `corrupt`.
        layout: `"arrays"` or `"files"`.
        classes: Names of the folders of image files in the order of the labels, which must be alphabetical;
            `None`: the labels as numbers.
        workers: Number of processes that corrupt, and make the files of images; 0: this one does. Without
            effect on what is written.
        progress: `True` shows a bar and needs tqdm, `False` does not, `None` shows it on a terminal if tqdm
            is installed.

    Returns:
        The paths of the files, or folders of a severity, written by this call.

    Raises:
        FileNotFoundError: If there is no folder `frost`.
        ValueError: If images, labels, names or options are not as above, or the folder holds other corrupted
            images.
        RuntimeError: If a worker is gone.

    Source: Hendrycks, Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and
        Perturbations, ICLR 2019; layout of the published CIFAR-10-C.

    Example:
        >>> written = kf.data.write_corrupted(images, labels, "copy", corruptions=["fog"])
        >>> [path.name for path in written]
        ['labels.npy', 'fog.npy']
        >>> np.load("copy/fog.npy").shape
        (40, 32, 32, 3)
    """
    images, labels = check_labeled_images(check_images(images), labels)
    corruptions, severities = check_corruptions(corruptions, severities, table=table)
    seed = check_whole(seed, "seed", least=0)

    side = min(images.shape[1:3])
    table, jpeg = choose_table(table, side), choose_jpeg(jpeg, table, side)

    photographs = Photographs.of(frost)
    pool = Workers(check_whole(workers, "workers", least=0))
    check_choice(layout, "layout", ("arrays", "files"))
    if classes is not None and layout == "arrays":
        raise ValueError("`classes` are names of folders, of layout='files'. Received: layout='arrays'")
    names = name_folders(classes, 1 + int(labels.max())) if layout == "files" else ()

    folder = Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "images": list(images.shape),
        "crc32": zlib.crc32(np.ascontiguousarray(images).data),
        "labels": zlib.crc32(labels.data),
        "severities": list(severities),
        "seed": seed,
        "table": table,
        "jpeg": jpeg,
        "frost": None if photographs is None else photographs.checksum(),
    }
    if names:
        settings |= {"layout": layout, "classes": list(names)}
    options: dict[str, Any] = {"seed": seed, "table": table, "jpeg": jpeg, "frost": frost}
    with lock_folder(folder), contextlib.closing(pool):
        _claim(folder, settings)
        if names:
            cells = [(name, severity) for name in corruptions for severity in severities]
            with progress_bar(progress, "Corrupting", total=len(cells) * len(images)) as advance:
                return tuple(write_files(folder, images, labels, names, cells, options, pool, advance))

        shape = (len(severities) * len(images), *images.shape[1:])
        repeated = np.tile(labels.astype("uint8" if labels.max() < 256 else "int64"), len(severities))
        written = []
        if not _is_complete(folder / "labels.npy", repeated.shape):
            content = io.BytesIO()  # NumPy does not say of a file on the disk that the disk is full
            np.save(content, repeated)
            written.append(write_whole(folder / "labels.npy", content.getvalue()))
        missing = [name for name in corruptions if not _is_complete(folder / f"{name}.npy", shape)]
        with progress_bar(progress, "Corrupting", total=len(missing) * shape[0]) as advance:
            for name in missing:

                def write(file: BinaryIO, name: str = name) -> None:
                    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(file, header)
                    jobs = (
                        (np.asarray(images[start : start + _BATCH]), name, severity, start, options)
                        for severity in severities
                        for start in range(0, len(images), _BATCH)
                    )
                    for pixels in pool.map(corrupt_to_bytes, jobs):
                        file.write(pixels.data)
                        advance(len(pixels))

                written.append(write_whole(folder / f"{name}.npy", write))
    return tuple(written)


def _claim(folder: Path, settings: dict[str, Any]) -> None:
    """Records what the folder belongs to, or checks it."""
    record = folder / _RECORD
    if record.is_file():
        try:
            held = json.loads(record.read_text(encoding="utf-8"))
        except ValueError:
            held = {}
        other = [key for key in settings if not isinstance(held, dict) or held.get(key) != settings[key]]
        if other:
            raise ValueError(
                f"{folder} holds copies of other images or settings ({', '.join(other)}): "
                f"choose another folder. Received: folder={str(folder)!r}"
            )
        return
    if any(folder.glob("*.npy")):
        raise ValueError(
            f"{folder} holds .npy files of another origin: choose another folder. "
            f"Received: folder={str(folder)!r}"
        )
    write_whole(record, json.dumps(settings, indent=2) + "\n")


def read_severities(folder: Path) -> tuple[int, ...]:
    """What the files of a folder hold: as recorded when they were written, else as published."""
    try:
        held = json.loads((folder / _RECORD).read_text(encoding="utf-8"))["severities"]
    except FileNotFoundError:
        return SEVERITIES
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder / _RECORD} must be the record that write_corrupted leaves. Received: {show(error)}"
        ) from error
    return check_severities(held)


def _is_complete(path: Path, shape: tuple[int, ...]) -> bool:
    # A file of ours is whole if it is there; the shape is checked in case someone else's is.
    return path.is_file() and load_array(path).shape == shape


def load_array(path: Path) -> np.ndarray:
    """An array mapped from its file."""
    try:
        return np.load(path, mmap_mode="r")
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(
            f"{path} must be a whole .npy file of numbers. Received: one that NumPy cannot read"
        ) from error
