"""Image-classification sets of TensorFlow Datasets: the one place that imports `tensorflow_datasets`.

A prepared set is found by its folder alone, so that nothing is ever fetched unless that was asked for.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_freq._core.checks import show
from keras_freq._core.epoch_order import EpochOrder, OrderedBatches
from keras_freq._core.pixels import unit_float32
from keras_freq.data import _tf_feed as tf_feed
from keras_freq.data._class_subset import ClassSubset, SubsetSource, choose_classes
from keras_freq.data._record_files import find_fault
from keras_freq.data._resize import resize_and_crop, tf_resize_and_crop

# Decoded images up to this size stay in memory after their first use.
CACHE_BYTES = 1 << 30
# The encoded images of some classes stay in memory up to this size: finding them reads the whole set.
ENCODED_BYTES = 2 << 30
# Of sets with up to so many examples, the length of every record is looked at when they are opened.
WALKED = 200_000
# Ending of a folder that waits for the one that replaces it.
REPLACED = ".replaced"
# Sets whose test split has no labels.
UNLABELLED = ("imagenet2012",)


def default_data_dir() -> Path:
    """Where TFDS keeps its sets."""
    return Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()


def restore_replaced(root: Path) -> None:
    """Puts versions back that a process moved aside for new ones, and was killed before these were there."""
    for aside in root.glob(f".*{REPLACED}"):
        folder = root / aside.name[1 : -len(REPLACED)]
        if not folder.exists():
            os.replace(aside, folder)


def find_prepared(name: str, data_dir: Path) -> Path | None:
    """The folder `data_dir/name[/config]/version` of a prepared set; the newest version where none is named.

    Raises:
        ValueError: If the set has several configurations and none is named.
    """
    name, _, version = name.partition(":")
    root = data_dir / name
    restore_replaced(root)
    if (folder := _find_newest(root, version)) is not None:
        return folder
    configs = {}
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        if path.is_dir() and (folder := _find_newest(path, version)) is not None:
            configs[path.name] = folder
    if len(configs) > 1:
        raise ValueError(
            f"{name} has several configurations under {data_dir}: {', '.join(configs)}. Name one, as in "
            f"'{name}/{next(iter(configs))}'. Received: name={show(name)}"
        )
    return next(iter(configs.values()), None)


def _find_newest(root: Path, version: str) -> Path | None:
    versions = []
    for info in root.glob("*/dataset_info.json"):
        parts = info.parent.name.split(".")
        if all(part.isdigit() for part in parts) and version in ("", info.parent.name):
            versions.append(([int(part) for part in parts], info.parent))
    return max(versions)[1] if versions else None


def import_tfds(name: str) -> Any:
    """The library, or one line on what to install for the set of that name."""
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ImportError(
            f"TFDS sets need tensorflow-datasets: install keras-freq[data]. Received: name={show(name)}"
        ) from error
    return tfds


def open_set(name: str, *, data_dir: str | os.PathLike | None, download: bool, feed: str) -> TFDSet:
    """Finds a prepared set, or prepares it where `download` allows; see `load`."""
    root = default_data_dir() if data_dir is None else Path(data_dir).expanduser()
    folder = find_prepared(name, root)
    if folder is None and not download:
        near = difflib.get_close_matches(name, ["cifar10_mini", *_list_names(root)], n=1)
        raise FileNotFoundError(
            (f"Did you mean {near[0]!r}? " if near else "")
            + f"No prepared data set {name!r} was found under {root}. Pass data_dir= if it lies elsewhere, "
            "or download=True to let TFDS fetch and prepare it there. "
            f"Received: name={show(name)}, download=False"
        )
    tfds = import_tfds(name)
    if folder is None:
        folder = _prepare(tfds, name, root, feed)
    builder = _open_folder(tfds, folder, name, root)
    _check_files(builder, name)
    image_key, label_key = _find_keys(tfds, builder, name)
    return TFDSet(builder, image_key, label_key)


def _open_folder(tfds: Any, folder: Path, name: str, root: Path) -> Any:
    """The set as its folder describes it, or, where an older TFDS left no description, as TFDS knows it."""
    if (folder / "features.json").is_file():
        return tfds.builder_from_directory(str(folder))
    tf_feed.import_tensorflow()  # the definitions of sets need it
    known, _, _ = name.partition(":")
    try:
        return tfds.builder(f"{known}:{folder.name}", data_dir=str(root))
    except (tfds.core.DatasetNotFoundError, ValueError, AssertionError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise ValueError(
            f"{folder} has no features.json, and this TFDS does not know the set at that version: prepare it "
            f"anew. Received: name={show(name)} ({reason})"
        ) from error


def _check_files(builder: Any, name: str) -> None:
    """Looks whether the files of records are there and as long as what they hold."""
    splits = builder.info.splits
    few = sum(info.num_examples for info in splits.values()) <= WALKED
    walk = few and builder.info.file_format.value == "tfrecord"
    for split, info in splits.items():
        paths = [Path(path) for path in info.filepaths]
        missing = [path for path in paths if not path.is_file()]
        length = sum(path.stat().st_size for path in paths if path.is_file())
        found = f"{length} bytes of {info.num_bytes}" if length < info.num_bytes else None
        if missing:
            found = f"{missing[0].name} is not there"
        elif walk:
            faults = ((path, find_fault(path, n)) for path, n in zip(paths, info.shard_lengths, strict=True))
            found = next((f"{path.name} is {fault}" for path, fault in faults if fault), found)
        if found is not None:
            raise ValueError(
                f"The files of the split {split!r} in {builder.data_dir} must be whole: prepare the set "
                f"anew. Received: name={show(name)}, where {found}"
            )


def _list_names(root: Path) -> list[str]:
    return [path.name for path in root.iterdir() if path.is_dir()] if root.is_dir() else []


def _prepare(tfds: Any, name: str, root: Path, feed: str) -> Path:
    # Encoding the images of a set needs TensorFlow; reading a set stored as array_record does not.
    tf_feed.import_tensorflow()
    try:
        builder = tfds.builder(
            name, data_dir=str(root), file_format="array_record" if feed == "pydataset" else None
        )
    except tfds.core.DatasetNotFoundError as error:
        raise ValueError(
            "`name` must be 'cifar10_mini', a path that ends in .npz, or the name of a TFDS set "
            f"(see https://www.tensorflow.org/datasets/catalog). Received: name={show(name)}"
        ) from error
    builder.download_and_prepare()
    return Path(builder.data_dir)


def _find_keys(tfds: Any, builder: Any, name: str) -> tuple[str, str]:
    """Which features are the image and its class."""
    features = builder.info.features

    def fits(key: Any, kind: type) -> bool:
        return isinstance(key, str) and key in features and isinstance(features[key], kind)

    def only(kind: type) -> str | None:
        keys = [key for key in features if fits(key, kind)] if hasattr(features, "keys") else []
        return keys[0] if len(keys) == 1 else None

    image, label = (builder.info.supervised_keys or (None, None))[:2]
    image = image if fits(image, tfds.features.Image) else only(tfds.features.Image)
    label = label if fits(label, tfds.features.ClassLabel) else only(tfds.features.ClassLabel)
    if image is None or label is None or features[image].np_dtype != np.uint8:
        kinds = ", ".join(f"{key} ({type(features[key]).__name__})" for key in features)
        raise ValueError(
            "A TFDS set must hold one uint8 Image and one ClassLabel to be an image-classification set. "
            f"Received: {show(name)} with the features {kinds}"
        )
    return image, label


@dataclass(frozen=True)
class ExampleForm:
    """How the examples of a source become images and labels.

    Attributes:
        image_key: Where an example has its image.
        label_key: Where it has its label.
        shape: `(height, width, channels)` that the images get.
        size: `(height, width)` to which they are resized and cut, None where nothing is touched.
    """

    image_key: str
    label_key: str
    shape: tuple[int, int, int]
    size: tuple[int, int] | None


@dataclass
class TFDSet:
    """A prepared set: where its images and labels are, and how to read them."""

    builder: Any
    image_key: str
    label_key: str
    subset: ClassSubset | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        if self.subset is not None:
            return self.subset.names
        feature = self.builder.info.features[self.label_key]
        return tuple(feature.names or map(str, range(feature.num_classes)))

    def keep_classes(self, classes: tuple[str, ...] | None, name: str) -> TFDSet:
        """The set with these classes only, in this order."""
        return dataclasses.replace(self, subset=choose_classes(classes, self.classes, name))

    @property
    def stored_shape(self) -> tuple[int | None, int | None, int | None]:
        return tuple(self.builder.info.features[self.image_key].shape)

    @property
    def has_random_access(self) -> bool:
        return self.builder.info.file_format.value == "array_record"

    def length(self, split: str) -> int:
        return self.builder.info.splits[split].num_examples

    def split_name(self, split: str) -> str | None:
        """The set's own name for "train" or "test" ("validation" where it has no test split with labels)."""
        wanted = ("train",) if split == "train" else ("test", "validation")
        if split == "test" and self.builder.name in UNLABELLED:
            wanted = ("validation",)
        return next((own for own in wanted if own in self.builder.info.splits), None)

    def source(self, split: str) -> Any:
        """Random access to the examples of a split, without TensorFlow."""
        source = _WholeSource(self.builder.as_data_source(split=split), self.builder.data_dir)
        if self.subset is None:
            return source
        import tensorflow_datasets as tfds

        # One pass over the files, in which no image is decoded.
        encoded = self.builder.as_data_source(
            split=split, decoders={self.image_key: tfds.decode.SkipDecoding()}
        )
        labels = np.empty(len(encoded), "int32")
        for start in range(0, len(encoded), 1000):
            rows = range(start, min(start + 1000, len(encoded)))
            labels[rows.start : rows.stop] = [
                example[self.label_key] for example in encoded.__getitems__(list(rows))
            ]
        return SubsetSource(source, labels, self.subset, self.label_key)

    def dataset(
        self, split: str, *, size: tuple[int, int] | None, shuffle: bool, seed: int, once: bool = False
    ) -> Any:
        """`tf.data` of single (uint8 image, label) in the stored order.

        `shuffle` mixes the files; with `once` nothing is kept in memory for a second pass.
        """
        import tensorflow_datasets as tfds

        decoded = {self.image_key: True, self.label_key: True}
        later = {} if self.subset is None else {self.image_key: tfds.decode.SkipDecoding()}
        # One file after the other keeps the stored order; a set of files is mixed by the seed.
        config = tfds.ReadConfig(
            shuffle_seed=seed,
            interleave_cycle_length=16 if shuffle else 1,
            try_autocache=False,
            enable_ordering_guard=not shuffle,  # some sets insist on their order; training does not
        )
        dataset = self.builder.as_dataset(
            split=split,
            shuffle_files=shuffle,
            read_config=config,
            decoders=tfds.decode.PartialDecoding(decoded, decoders=later),
        )
        if self.subset is not None:
            dataset = self._keep_subset(self.subset, dataset, split, keep=not once)

        def pair(example: Any) -> tuple[Any, Any]:
            image = example[self.image_key]
            return (image if size is None else tf_resize_and_crop(image, size)), example[self.label_key]

        return dataset.map(pair, num_parallel_calls=tf_feed.import_tensorflow().data.AUTOTUNE)

    def _keep_subset(self, subset: ClassSubset, dataset: Any, split: str, *, keep: bool) -> Any:
        """The examples of the subset, decoded only now, with their new labels."""
        tf = tf_feed.import_tensorflow()
        table = subset.table
        dataset = dataset.filter(lambda example: tf.constant(table)[example[self.label_key]] >= 0)
        share = len(subset.names) / (len(table) - 1)
        if keep and self.builder.info.splits[split].num_bytes * share <= ENCODED_BYTES:
            dataset = dataset.cache()
        image = self.builder.info.features[self.image_key]

        def decode(example: Any) -> dict[str, Any]:
            return {
                self.image_key: image.decode_example(example[self.image_key]),
                self.label_key: tf.constant(table)[example[self.label_key]],
            }

        return dataset.map(decode, num_parallel_calls=tf.data.AUTOTUNE)

    def form(self, shape: tuple[int, int, int], size: tuple[int, int] | None) -> ExampleForm:
        return ExampleForm(self.image_key, self.label_key, shape, size)

    def arrays(self, split: str, form: ExampleForm, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
        """The first `limit` images (uint8) and labels of a split, in the stored order."""
        if self.has_random_access:
            source = self.source(split)
            rows = np.arange(min(len(source), limit or len(source)))
            return read_rows(source, rows, form)
        dataset = self.dataset(split, size=form.size, shuffle=False, seed=0, once=True)
        try:
            pairs = list(dataset.take(-1 if limit is None else limit).as_numpy_iterator())
        except tf_feed.import_tensorflow().errors.OpError as error:
            raise _damaged(self.builder.data_dir, error) from error
        if not pairs:
            raise ValueError(
                "`classes` must name classes with images in every split. "
                f"Received: the split {show(split)} without any of {', '.join(self.classes[:10])}"
            )
        return np.stack([image for image, _ in pairs]), np.array([label for _, label in pairs], "int32")


class _WholeSource:
    """A source of TFDS, whose own errors do not say which set is damaged."""

    def __init__(self, source: Any, folder: Any):
        self._source, self._folder = source, folder

    def __len__(self) -> int:
        return len(self._source)

    def __getitems__(self, rows: list[int]) -> list[dict[str, Any]]:
        try:
            return self._source.__getitems__(rows)
        except (RuntimeError, ValueError, OSError) as error:  # of array_record, protobuf and Pillow
            raise _damaged(self._folder, error) from error


def _damaged(folder: Any, error: Exception) -> ValueError:
    reason = (str(getattr(error, "message", "")) or str(error)).splitlines()[0]
    reason = reason.rpartition("}} ")[2].partition(" [Op:")[0][:200]  # without TensorFlow's node
    return ValueError(f"The records in {folder} must be whole: prepare the set anew. Received: {reason}")


def read_rows(source: Any, rows: np.ndarray, form: ExampleForm) -> tuple[np.ndarray, np.ndarray]:
    """Decodes the examples at `rows`: uint8 images `(n, height, width, channels)` and int32 labels `(n,)`."""
    images, labels = np.empty((len(rows), *form.shape), "uint8"), np.empty(len(rows), "int32")
    examples = source.__getitems__([int(row) for row in rows]) if len(rows) else []
    for place, example in enumerate(examples):
        image = example[form.image_key]
        images[place] = image if form.size is None else resize_and_crop(image, form.size)
        labels[place] = example[form.label_key]
    return images, labels


class SourceBatches(OrderedBatches):
    """Batches of a random-access source, decoded once and kept where memory allows; see `ArrayBatches`."""

    def __init__(self, source: Any, form: ExampleForm, *, batch_size: int, shuffle: bool, seed: int) -> None:
        super().__init__()
        self._source = source
        self._form = form
        self._order = EpochOrder(len(source), batch_size=batch_size, shuffle=shuffle, seed=seed)
        self._kept: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        if len(source) * int(np.prod(form.shape)) <= CACHE_BYTES:
            self._kept = (
                np.empty((len(source), *form.shape), "uint8"),
                np.empty(len(source), "int32"),
                np.zeros(len(source), bool),
            )

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self._order.read(index)
        if self._kept is None:
            images, labels = read_rows(self._source, rows, self._form)
            return unit_float32(images), labels
        images, labels, known = self._kept
        missing = rows[~known[rows]]
        if len(missing):
            images[missing], labels[missing] = read_rows(self._source, missing, self._form)
            known[missing] = True
        return unit_float32(images[rows]), labels[rows]
