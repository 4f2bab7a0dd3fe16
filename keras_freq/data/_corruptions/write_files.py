"""Corrupted copies as image files, in the layout of ImageNet-C."""

from __future__ import annotations

import io
import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_freq._core.files import errors_name, sync_folder
from keras_freq._core.workers import Workers
from keras_freq.data._corruptions.apply import corrupt_to_bytes

_BATCH = 20


def name_folders(classes: Sequence[str] | None, count: int) -> tuple[str, ...]:
    """Names of the folders of the classes, whose alphabetical order is that of the labels.

    Raises:
        ValueError: If the names given are of another number or order, or no names of folders.
    """
    if classes is None:
        digits = len(str(count - 1))
        return tuple(f"{label:0{digits}d}" for label in range(count))
    names = tuple(classes) if not isinstance(classes, str) else ()
    plain = all(isinstance(name, str) and name and not name.startswith(".") for name in names)
    if len(names) < count or not plain or any(Path(name).name != name for name in names):
        raise ValueError(f"`classes` must be {count} names of folders. Received: {len(names)}, {names[:3]}")
    if list(names) != sorted(set(names)):
        raise ValueError(
            "`classes` must be in alphabetical order, by which readers of folders number them. "
            f"Received: classes={names[:3]}"
        )
    return names


def write_files(
    folder: Path,
    images: Any,
    labels: np.ndarray,
    classes: Sequence[str],
    cells: Sequence[tuple[str, int]],
    options: dict[str, Any],
    pool: Workers,
    advance: Callable[[int], None],
) -> list[Path]:
    """`NAME/SEVERITY/<class>/<place>.JPEG` for each of `cells` that is not there; the folders written.

    The files are JPEG of the quality `options["jpeg"]`, or PNG where that is 0. A folder `NAME/SEVERITY` is
    there when all of its files are.
    """
    quality = options["jpeg"]
    ending = "JPEG" if quality else "png"
    digits, written = len(str(len(images) - 1)), []
    for name, severity in cells:
        target = folder / name / str(severity)
        for half in target.parent.glob(".*.tmp"):
            shutil.rmtree(half)  # of a process that was killed
        if target.is_dir():
            advance(len(images))
            continue
        half = target.with_name(f".{severity}.{secrets.token_hex(8)}.tmp")
        for label in np.unique(labels):
            (half / classes[label]).mkdir(parents=True)
        try:
            starts = range(0, len(images), _BATCH)
            jobs = ((np.asarray(images[k : k + _BATCH]), name, severity, k, options) for k in starts)
            for start, files in zip(starts, pool.map(_encode, jobs), strict=True):
                for place, content in enumerate(files, start):
                    path = half / classes[labels[place]] / f"{place:0{digits}d}.{ending}"
                    with errors_name(path):
                        path.write_bytes(content)
                advance(len(files))
            if hasattr(os, "sync"):
                os.sync()  # the files before the name that says that they are whole
            os.replace(half, target)
        except BaseException:
            shutil.rmtree(half, ignore_errors=True)
            raise
        sync_folder(target.parent)
        written.append(target)
    return written


def _encode(images: np.ndarray, name: str, severity: int, start: int, options: dict[str, Any]) -> list[bytes]:
    """The files of corrupted images, made in memory: Pillow takes a part that a full disk took for all."""
    from PIL import Image

    quality, files = options["jpeg"], []
    for pixels in corrupt_to_bytes(images, name, severity, start, {**options, "jpeg": 0}):
        image, file = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels), io.BytesIO()
        if quality:
            image.save(file, "JPEG", quality=quality, optimize=True)
        else:
            image.save(file, "PNG")
        files.append(file.getvalue())
    return files
