"""DATA of the command line: images and labels in memory, of any kind of data set."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_freq._cli._options import DataOptions

if TYPE_CHECKING:
    import numpy as np

HUGGING_FACE = ("dataset_info.json", "dataset_dict.json", "state.json")


@dataclass(frozen=True)
class OpenedData:
    """Labeled images in memory.

    Attributes:
        name: Of the data set.
        images: `(n, height, width, channels)` as they are opened, uint8, or float32 on [0, 1].
        labels: `(n,)`, int32.
        classes: Names of the classes, in the order of the labels.
        note: Which of the images these are, in words.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    note: str

    def arranged(self, data_format: str) -> OpenedData:
        """The images with their channels where a model has them."""
        import numpy as np

        first = data_format == "channels_first"
        return replace(self, images=np.moveaxis(self.images, -1, 1)) if first else self

    @property
    def pair(self) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels as evaluations take them."""
        return self.images, self.labels

    def halves(self, seed: int = 0) -> tuple[OpenedData, OpenedData]:
        """Two halves of the images, drawn by class: to search on the one and to test on the other."""
        import numpy as np

        draw, first = np.random.default_rng(seed), np.zeros(len(self.labels), bool)
        for label in np.unique(self.labels):
            places = draw.permutation(np.flatnonzero(self.labels == label))
            first[places[: (len(places) + 1) // 2]] = True
        if first.all():
            raise ValueError(
                "A class must have two images at least, one to search on and one to test. "
                f"Received: {len(self.labels)} images of {len(np.unique(self.labels))} classes"
            )
        return tuple(  # type: ignore[return-value]
            replace(self, images=self.images[part], labels=self.labels[part]) for part in (first, ~first)
        )


def open_data(
    text: str,
    *,
    split: str = "test",
    n: int | None = None,
    seed: int = 0,
    classes: Sequence[str] | str | None = None,
    image_size: tuple[int, int] | str | None = None,
    data_dir: Path | None = None,
    download: bool = False,
) -> OpenedData:
    """The images of DATA.

    Args:
        text: What the user gave.
        split: `"train"` or `"test"`.
        n: How many images; default all. Of arrays and Hugging Face's sets they are drawn with `seed`, of
            folders they are the first of every class in turn, of TFDS the first as stored.
        seed: Seed of the draw.
        classes: Names in the order of the labels: a sequence, `a,b,c`, or the path of a file of lines.
        image_size: Height and width to resize to, or their text.
        data_dir: Folder of TFDS.
        download: Whether TFDS may fetch the set.

    Raises:
        FileNotFoundError: If there is no such file, folder or set.
        ValueError: If the set has no such split, or less than `n` images.
        ImportError: If a library is needed and not installed.
    """
    if split not in ("train", "test"):
        raise ValueError(f"`split` must be train or test. Received: --split {split}")
    names, size = read_names(classes), read_size(image_size)
    folder = Path(text).expanduser()
    if folder.is_dir() and any((folder / name).is_file() for name in HUGGING_FACE):
        return _open_hugging_face(folder, split, n, seed, names)
    from keras_freq.data import load
    from keras_freq.data._load import SAMPLE
    from keras_freq.data._npz import is_array_folder

    if text == SAMPLE or text.lower().endswith((".npz", ".npy")) or is_array_folder(folder):
        return _open_arrays(text, split, n, seed, names)
    if folder.is_file() or (os.sep in text and not folder.is_dir() and not folder.parent.is_dir()):
        raise FileNotFoundError(
            "DATA must be a folder of classes, an .npz file, cifar10_mini or a name of TensorFlow Datasets. "
            f"Received: {text}, which is none of these"
        )
    if folder.is_dir() and not _looks_like_data(folder):
        raise FileNotFoundError(
            "DATA must be a folder with a folder of images for each class, or with train/ and test/ that "
            f"hold those. Received: {text}, a folder without images"
        )
    try:
        loaded = load(text, data_dir=data_dir, download=download, image_size=size, classes=names)
    except ImportError as error:
        raise ImportError(
            f"There is no folder or file {text} here, and sets of TensorFlow Datasets need "
            f"pip install 'keras-freq[data]'. Received: {text} ({error})"
        ) from error
    except FileNotFoundError as error:
        if "No prepared data set" not in str(error):
            raise
        raise FileNotFoundError(
            f"There is no folder or file {text} here, and no prepared set of TensorFlow Datasets of this "
            f"name: say where with --data-dir, or let it be fetched with --download. Received: {text}"
        ) from error
    _check_split(split, [name for name in ("train", "test") if getattr(loaded, name) is not None], text)
    images, labels = loaded.arrays(split, limit=n, dtype="uint8")
    _check_count(n, len(images))
    kind = "as stored" if folder.name == text and not folder.is_dir() else "of all classes in turn"
    taken = loaded.taken.get(split, split)
    own = split if taken == loaded.name else taken  # a folder without splits is named after itself
    note = f"{own}: " + (f"the first {n} {kind}" if n else f"all {len(images)}")
    note += f", at {size[0]} x {size[1]}" if size else ""
    return OpenedData(loaded.name, images, labels, loaded.classes, note)


def _looks_like_data(folder: Path) -> bool:
    """Whether a folder holds anything but empty folders: the rest is told where it is read."""
    return any(path.is_file() for path in folder.rglob("*"))


def open_chosen(
    options: DataOptions, *, n: int | None = None, image_size: tuple[int, int] | None = None
) -> OpenedData:
    """The images of the options.

    Args:
        options: Which.
        n: How many where the options do not say, at most; `None`: all.
        image_size: Height and width where the options do not say.
    """

    def read(count: int | None) -> OpenedData:
        return open_data(
            options.data,
            split=options.split,
            n=count,
            seed=options.seed,
            classes=options.classes,
            image_size=read_size(options.image_size) or image_size,
            data_dir=options.data_dir,
            download=options.download,
        )

    try:
        return read(options.n or n)
    except ValueError as error:
        if options.n is not None or n is None or "at most the number of images" not in str(error):
            raise
        return read(None)  # there are fewer than the default


def _open_arrays(
    text: str, split: str, n: int | None, seed: int, names: tuple[str, ...] | None
) -> OpenedData:
    from keras_freq.data._class_subset import choose_classes
    from keras_freq.data._load import SAMPLE
    from keras_freq.data._npz import read_arrays, read_sample

    stored = read_sample() if text == SAMPLE else read_arrays(text)
    _check_split(split, list(stored.splits), text)
    images, labels = stored.splits[split]
    subset, known = choose_classes(names, stored.classes, text), stored.classes
    if subset is not None:
        (images, labels), known = subset.keep(images, labels), subset.names
    rows, chosen = _draw(len(labels), n, seed)
    name = text if text == SAMPLE else Path(text).stem
    return OpenedData(name, images[rows], labels[rows], known, f"{split}: {chosen}")


def _open_hugging_face(
    folder: Path, split: str, n: int | None, seed: int, names: tuple[str, ...] | None
) -> OpenedData:
    from keras_freq._core.feeds import Feed
    from keras_freq.data._class_subset import choose_classes

    try:
        library = importlib.import_module("datasets")
    except ImportError as error:
        raise ImportError(
            f"A folder of Hugging Face needs its library: pip install datasets. Received: {folder}"
        ) from error
    table = library.load_from_disk(str(folder))
    if hasattr(table, "keys"):  # a dictionary of splits
        own = {"train": ("train",), "test": ("test", "validation", "valid", "val")}[split]
        found = next((name for name in own if name in table), None)
        if found is None:
            _check_split(split, list(table), str(folder))
        table = table[found]
    rows, chosen = _draw(len(table), n, seed)
    table = table.select(rows)
    images, labels = Feed(table, convert=lambda pixels: pixels).arrays()
    label = next(name for name in ("label", "labels", "y") if name in table.column_names)
    known = tuple(getattr(table.features[label], "names", None) or map(str, range(labels.max() + 1)))
    subset = choose_classes(names, known, str(folder))
    if subset is not None:
        (images, labels), known = subset.keep(images, labels), subset.names
    return OpenedData(folder.name, images, labels.astype("int32"), known, f"{split}: {chosen}")


def _draw(count: int, n: int | None, seed: int) -> tuple[Any, str]:
    """Which images are taken, in their order, and that in words."""
    import numpy as np

    _check_count(n, count)
    if n is None or n == count:
        return np.arange(count), f"all {count}"
    rows = np.sort(np.random.default_rng(seed).choice(count, n, replace=False))
    return rows, f"{n} of {count}, drawn with seed {seed}"


def _check_count(n: int | None, count: int) -> None:
    if n is not None and n > count:
        raise ValueError(f"`n` must be at most the number of images, here {count}. Received: --n {n}")


def _check_split(split: str, known: Sequence[str], text: str) -> None:
    if split not in known:
        raise ValueError(f"`split` must be one of {text}: {', '.join(known)}. Received: --split {split}")


def read_names(classes: Sequence[str] | str | None) -> tuple[str, ...] | None:
    """Names of classes: as they are, of `a,b,c`, or of a file with one a line."""
    if classes is None or not isinstance(classes, str):
        return None if classes is None else tuple(classes)
    path = Path(classes).expanduser()
    if path.is_file():
        return tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return tuple(name.strip() for name in classes.split(","))


def read_size(size: tuple[int, int] | str | None) -> tuple[int, int] | None:
    """Height and width: as they are, or of `224` or `224,320`."""
    if size is None or not isinstance(size, str):
        return size
    parts = size.replace("x", ",").split(",")
    if len(parts) > 2 or not all(part.strip().isdigit() and int(part) for part in parts):
        raise ValueError(
            f"`image_size` must be a side or height,width: 224 or 224,320. Received: --image-size {size}"
        )
    return int(parts[0]), int(parts[-1])
