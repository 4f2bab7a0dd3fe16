"""Corrupted copies of a data set on disk, in the layout of CIFAR-10-C."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_freq._core.checks import check_labeled_images, check_whole
from keras_freq._core.pixels import to_bytes
from keras_freq.data._corruptions.corrupt import check_corruptions, checked_images, corrupt
from keras_freq.data._corruptions.severities import CORRUPTIONS, SEVERITIES, checked_severities

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
    progress: bool | None = None,
) -> tuple[Path, ...]:
    """Writes corrupted copies of images in the layout of CIFAR-10-C.

    `NAME.npy` is uint8 `(severities * n, height, width, channels)`: all images at the lowest severity, then
    all at the next. `labels.npy` repeats the labels as often. Each file is written whole or not at all, and a
    call that was interrupted goes on with the files that are missing; `corruptions.json` tells whether the
    folder belongs to the same images and settings.

    Args:
        images: uint8 `(n, height, width, channels)`, or floats in [0, 1], which are rounded at the end. A
            memory-mapped array is read in pieces.
        labels: `(n,)` class indices, or one-hot `(n, classes)`.
        folder: Where to write; made if it is missing.
        corruptions: Names, see `corrupt`.
        severities: Some of 1 to 5; readers of CIFAR-10-C expect all of them.
        seed: Seed of the draws; image `i` gets what `corrupt(..., seed=seed, start=i)` gives.
        table: See `corrupt`.
        progress: `True` shows a bar and needs tqdm, `False` does not, `None` shows it on a terminal if tqdm
            is installed.

    Returns:
        The paths of the files written by this call.

    Raises:
        ValueError: If images, labels, names or severities are not as above, or the folder holds other
            corrupted images.
        ImportError: If a corruption needs SciPy or Pillow and it is missing.

    Source: Hendrycks, Dietterich, ICLR 2019; layout of the published CIFAR-10-C.

    Example:

    >>> import tempfile
    >>> images, labels = np.zeros((10, 32, 32, 3), "uint8"), np.arange(10)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = keras_freq.data.write_corrupted(images, labels, folder, corruptions=["fog"])
    ...     foggy, again = keras_freq.data.read_corrupted(folder, "fog", 3)
    >>> [path.name for path in written], foggy.shape, again.tolist() == labels.tolist()
    (['labels.npy', 'fog.npy'], (10, 32, 32, 3), True)
    """
    images, labels = check_labeled_images(checked_images(images), labels)
    corruptions, severities = check_corruptions(corruptions, severities, table=table)
    seed = check_whole(seed, "seed", least=0)

    folder = Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "images": list(images.shape),
        "crc32": zlib.crc32(np.ascontiguousarray(images)),
        "labels": zlib.crc32(labels),
        "severities": list(severities),
        "seed": seed,
        "table": table,
    }
    _claim(folder, settings)

    shape = (len(severities) * len(images), *images.shape[1:])
    repeated = np.tile(labels.astype("uint8" if labels.max() < 256 else "int64"), len(severities))
    written = []
    if not _complete(folder / "labels.npy", repeated.shape):
        with _whole_array(folder / "labels.npy", repeated.shape, repeated.dtype) as array:
            array[...] = repeated
        written.append(folder / "labels.npy")
    missing = [name for name in corruptions if not _complete(folder / f"{name}.npy", shape)]
    with _bar(progress, len(missing) * shape[0]) as advance:
        for name in missing:
            with _whole_array(folder / f"{name}.npy", shape, "uint8") as array:
                for place, severity in enumerate(severities):
                    for start in range(0, len(images), _BATCH):
                        batch = images[start : start + _BATCH]
                        result = corrupt(batch, name, severity, seed=seed, start=start, table=table)
                        first = place * len(images) + start
                        array[first : first + len(batch)] = to_bytes(result)
                        advance(len(batch))
            written.append(folder / f"{name}.npy")
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
    temporary = folder / f".{_RECORD}.tmp"
    temporary.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, record)


def recorded_severities(folder: Path) -> tuple[int, ...]:
    """What the files of a folder hold: as recorded when they were written, else as published."""
    try:
        held = json.loads((folder / _RECORD).read_text(encoding="utf-8"))["severities"]
    except FileNotFoundError:
        return SEVERITIES
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder / _RECORD} must be the record that write_corrupted leaves. Received: {error!r}"
        ) from error
    return checked_severities(held)


def _complete(path: Path, shape: tuple[int, ...]) -> bool:
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


@contextlib.contextmanager
def _whole_array(path: Path, shape: tuple[int, ...], dtype: Any) -> Iterator[np.ndarray]:
    """An array to fill that becomes the file once it is full."""
    temporary = path.with_name(f".{path.name}.tmp")
    array = np.lib.format.open_memmap(temporary, mode="w+", dtype=dtype, shape=shape)
    try:
        yield array
        array.flush()
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _bar(show: bool | None, total: int) -> Iterator[Callable[[int], None]]:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        tqdm = None
    if show is None:
        show = sys.stderr.isatty() and tqdm is not None
    if show and tqdm is None:
        raise ImportError("A progress bar needs tqdm: pip install tqdm. Received: progress=True")
    if not show:
        yield lambda count: None
        return
    with tqdm(desc="Corrupting", total=total, unit="image", leave=False) as bar:
        yield bar.update
