"""`load`: the bundled sample, `.npz` files, folders and TFDS sets, as feeds for the active backend."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from keras_freq._core.array_batches import ArrayBatches
from keras_freq._core.checks import check_choice, check_flag, check_whole, show
from keras_freq.data import _tf_feed as tf_feed
from keras_freq.data._check_splits import Splits
from keras_freq.data._class_subset import check_choice_of_classes, choose_classes
from keras_freq.data._folder_layout import is_folder
from keras_freq.data._folder_sets import open_folder
from keras_freq.data._image_data import ImageData
from keras_freq.data._npz import is_array_folder, read_arrays, read_sample
from keras_freq.data._tfds_sets import ExampleForm, SourceBatches, TFDSet, open_set

SAMPLE = "cifar10_mini"
SPLITS = ("train", "test")
FEEDS = ("auto", "tf.data", "pydataset")


def load(
    name: str | os.PathLike,
    *,
    data_dir: str | os.PathLike | None = None,
    batch_size: int = 128,
    seed: int = 0,
    feed: Literal["auto", "tf.data", "pydataset"] = "auto",
    download: bool = False,
    image_size: int | tuple[int, int] | None = None,
    classes: Sequence[str] | None = None,
) -> ImageData:
    """Loads an image-classification set as batches of float32 images in [0, 1] and int32 labels.

    - `"cifar10_mini"` ships with the package: 2000 training and 1000 test images of CIFAR-10.
    - A path that ends in `.npz`: arrays `x_train`, `y_train`, `x_test`, `y_test` (uint8, or floats in
      [0, 1]), the residual-coded `r_train`, `r_test` of `samples/cifar10_mini.md` in place of `x_train`,
      `x_test`, or a single split `x`, `y`, which becomes `test`. An array `classes` may name the classes.
      An array may unpack to 64 GiB.
      Or a folder that holds such arrays as `x_test.npy`, `y_test.npy` and so on, or the path of one of them.
    - A folder, as a path object or as text (`"./photos"`, or `"photos"` where there are image files in its
      folders): image files in `train/<class>/` and `test/<class>/` (or `validation`, `valid`, `val`), or in
      `<class>/`, a single split which becomes `test`; or Tiny ImageNet as it is unpacked. All kinds of files
      that Pillow opens are read, as a viewer shows them, in sRGB, batch by batch, a file of each class in
      turn. The classes are `classes`, or else all folders in alphabetical order. `check` finds broken files.
    - Any other name is a set of TensorFlow Datasets: `"cifar10"`, `"name/config"`, `"name:version"`. Its test
      split is `test`, or else `validation` (and that of `imagenet2012`, whose test images have no labels).
      Nothing is fetched unless `download=True`.

    Args:
        name: What to load.
        data_dir: The folder of TFDS; by default that of TFDS itself (`TFDS_DATA_DIR` or
            `~/tensorflow_datasets`).
        batch_size: Images per batch, at least 1. The last batch holds the rest.
        seed: Seed of the order of the training images, at least 0.
        feed: "tf.data" (needs TensorFlow), "pydataset" (a `keras.utils.PyDataset`, no TensorFlow; its order
            can be resumed, see `ArrayBatches`), or "auto": tf.data on the TensorFlow backend and a PyDataset
            on the others, unless the files of a TFDS set allow only the other one.
        download: Whether TFDS may fetch and prepare a set that it does not find. That step needs TensorFlow.
        image_size: `side` or `(height, width)` of the images of a TFDS set or a folder: the shorter side is
            resized (bilinear, antialiased), the middle cut out. Needed where the images vary in size.
        classes: Names of the classes to keep, in the order of their labels, which are numbered anew; by
            default all. Images of other classes are never decoded. A TFDS set has no index of its classes:
            tf.data reads all of its files in the first epoch (in every one where the files of the chosen
            classes exceed 2 GiB) and cannot say how many batches there will be, of which `fit` warns at the
            end of an epoch; a PyDataset reads all files once when it is made.

    Returns:
        An `ImageData` with `train` and `test` feeds, `classes`, `input_shape` and `arrays(split)`.

    Raises:
        FileNotFoundError: If the file, the folder or a prepared TFDS set is not there and may not be fetched.
        ImportError: If TensorFlow or tensorflow-datasets is needed and not installed.
        ValueError: If an option is not one of those above, a class is missing, the data are no labeled
            images, or files of a TFDS set are missing or cut: the lengths of TFRecords are held against the
            number of examples (of sets with more than 200 000, the files' size alone). A byte that is damaged
            within a record is found when it is read: by `arrays` and a PyDataset as one line, by tf.data, in
            `fit`, as TensorFlow's own error.

    Example:
        >>> data = kf.data.load("cifar10_mini", batch_size=64)
        >>> data.input_shape, len(data.classes)
        ((32, 32, 3), 10)
    """
    if not isinstance(name, (str, os.PathLike)) or not os.fspath(name):
        raise ValueError(
            f"`name` must be {SAMPLE!r}, a path that ends in .npz, a folder, or a TFDS name. "
            f"Received: name={show(name)}"
        )
    check_choice(feed, "feed", FEEDS)
    check_whole(batch_size, "batch_size")
    check_whole(seed, "seed", least=0)
    check_flag(download, "download")
    size, kept = _check_size(image_size), check_choice_of_classes(classes)
    arrays = os.fspath(name).lower().endswith((".npz", ".npy")) or is_array_folder(Path(name).expanduser())
    folder = name != SAMPLE and not arrays and is_folder(name)
    if folder and feed == "tf.data":
        raise ValueError(
            f"A folder is read without tf.data: use feed='pydataset' or 'auto' for {name}. "
            "Received: feed='tf.data'"
        )
    if feed == "tf.data":
        tf_feed.import_tensorflow()  # says at once where it is missing
    if folder:
        return open_folder(name, kept, size, batch_size=batch_size, seed=seed)
    name = os.fspath(name)
    if name == SAMPLE or arrays:
        stored = read_sample() if name == SAMPLE else read_arrays(name)
        splits, names = stored.splits, stored.classes
        subset = choose_classes(kept, names, name)
        if subset is not None:
            splits, names = {split: subset.keep(*pair) for split, pair in splits.items()}, subset.names
        return feed_arrays(
            name, splits, names, size, taken=stored.taken, feed=feed, batch_size=batch_size, seed=seed
        )
    opened = open_set(name, data_dir=data_dir, download=download, feed=_choose_feed(feed))
    return _feed_tfds(
        name, opened.keep_classes(kept, name), size, feed=feed, batch_size=batch_size, seed=seed
    )


def _check_size(image_size: Any) -> tuple[int, int] | None:
    if image_size is None:
        return None
    sides = image_size if isinstance(image_size, (tuple, list)) else (image_size, image_size)
    if len(sides) != 2 or not all(isinstance(side, (int, np.integer)) and side > 0 for side in sides):
        raise ValueError(
            "`image_size` must be None, a whole number of at least 1 or a pair (height, width). "
            f"Received: image_size={show(image_size)}"
        )
    return int(sides[0]), int(sides[1])


def _choose_feed(feed: str) -> str:
    if feed != "auto":
        return feed
    return "tf.data" if keras.backend.backend() == "tensorflow" else "pydataset"


def feed_arrays(
    name: str,
    splits: Splits,
    classes: tuple[str, ...],
    size: tuple[int, int] | None,
    *,
    taken: Mapping[str, str],
    feed: str,
    batch_size: int,
    seed: int,
) -> ImageData:
    """Arrays in memory as `load` gives them."""
    shapes = {images.shape[1:] for images, _ in splits.values()}
    if len(shapes) > 1:
        raise ValueError(f"All splits must hold images of one shape. Received: {sorted(shapes)} in {name}")
    height, width, channels = shapes.pop()
    if size not in (None, (height, width)):
        raise ValueError(
            f"`image_size` applies to TFDS sets and folders; the images of {name} are "
            f"{height} x {width}. Received: image_size={size}"
        )
    make = tf_feed.feed_from_arrays if _choose_feed(feed) == "tf.data" else ArrayBatches
    feeds: dict[str, Any] = dict.fromkeys(SPLITS)
    for split, (images, labels) in splits.items():
        feeds[split] = make(images, labels, batch_size=batch_size, shuffle=split == "train", seed=seed)

    def read(split: str, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
        images, labels = splits[split]
        return images[:limit], labels[:limit]

    label = name if name == SAMPLE else Path(name).stem
    return ImageData(
        name=label,
        classes=classes,
        input_shape=(height, width, channels),
        **feeds,
        taken=taken,
        _read=read,
    )


def _feed_tfds(
    name: str, stored: TFDSet, size: tuple[int, int] | None, *, feed: str, batch_size: int, seed: int
) -> ImageData:
    own = {split: given for split in SPLITS if (given := stored.split_name(split)) is not None}
    if not own:
        raise ValueError(
            f"A TFDS set must have a split train, test or validation. Received: {name} with the splits "
            f"{sorted(stored.builder.info.splits)}"
        )
    form = _choose_form(name, stored, size)
    kind = _choose_tfds_feed(name, stored, feed)
    feeds: dict[str, Any] = dict.fromkeys(SPLITS)
    for split, given in own.items():
        shuffle = split == "train"
        if kind == "tf.data":
            dataset = stored.dataset(given, size=form.size, shuffle=shuffle, seed=seed)
            feeds[split] = tf_feed.make_batches(
                dataset,
                stored.length(given),
                int(np.prod(form.shape)),
                batch_size=batch_size,
                shuffle=shuffle,
                seed=seed,
            )
        else:
            feeds[split] = SourceBatches(
                stored.source(given), form, batch_size=batch_size, shuffle=shuffle, seed=seed
            )

    def read(split: str, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
        return stored.arrays(own[split], form, limit)

    return ImageData(
        name=name, classes=stored.classes, input_shape=form.shape, **feeds, taken=own, _read=read
    )


def _choose_form(name: str, stored: TFDSet, size: tuple[int, int] | None) -> ExampleForm:
    """The shape of the images: that asked for, or else the stored one, which must be fixed."""
    height, width, channels = stored.stored_shape
    if channels is None:
        raise ValueError(
            f"The images of {name} must have a fixed number of channels. Received: {stored.stored_shape}"
        )
    if size is not None and size != (height, width):
        return stored.form((*size, channels), size)
    if height is None or width is None:
        raise ValueError(
            f"The images of {name} vary in size: pass image_size=, a side or (height, width). "
            "Received: image_size=None"
        )
    return stored.form((height, width, channels), None)  # nothing is touched


def _choose_tfds_feed(name: str, stored: TFDSet, feed: str) -> str:
    """The feed asked for, or where either will do the one that these files allow."""
    file_format = stored.builder.info.file_format.value
    wanted = _choose_feed(feed)
    if wanted == "tf.data" and stored.has_random_access:
        if feed == "tf.data":
            raise ValueError(
                f"TFDS reads {file_format} files without tf.data: use feed='pydataset' or 'auto' for {name}. "
                "Received: feed='tf.data'"
            )
        return "pydataset"
    if wanted == "pydataset" and not stored.has_random_access:
        if feed == "pydataset" or importlib.util.find_spec("tensorflow") is None:
            raise ValueError(
                f"{name} is stored as {file_format}, which only tf.data reads: use feed='tf.data' (needs "
                f"TensorFlow) or prepare the set with file_format='array_record'. Received: feed={show(feed)}"
            )
        tf_feed.import_tensorflow()
        return "tf.data"
    return wanted
