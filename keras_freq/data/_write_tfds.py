"""A labeled image set as a folder that TensorFlow Datasets reads."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from keras_freq._core.checks import check_flag, check_whole, show
from keras_freq.data import _tf_feed as tf_feed
from keras_freq.data._check_splits import check_splits
from keras_freq.data._tfds_sets import REPLACED, import_tfds, restore_replaced

FORMATS = ("tfrecord", "array_record")


def write_tfds(
    name: str,
    data_dir: str | os.PathLike,
    *,
    train: tuple[Any, Any] | None = None,
    test: tuple[Any, Any] | None = None,
    classes: Sequence[str] | None = None,
    description: str = "",
    file_format: Literal["tfrecord", "array_record"] = "tfrecord",
    version: str = "1.0.0",
    shards: int | None = None,
    overwrite: bool = False,
    progress: bool | None = None,
) -> Path:
    """Writes a labeled image set that TFDS reads, in the given order.

    `load(name, data_dir=data_dir)`, `tfds.load(name, data_dir=data_dir)` and `tfds.builder_from_directory`
    open it. Images are stored as PNG, without loss, beside labels with class names. The folder appears whole
    or not at all. Encoding needs TensorFlow, whichever the backend; reading array_record does not.

    Args:
        name: Small letters, digits and `_`, a letter first. That of a set which TFDS knows hides the latter
            in `data_dir`.
        data_dir: The folder of TFDS sets; the set goes to `data_dir/name/version`.
        train: `(images, labels)`: images uint8 or floats in [0, 1], which are rounded to the nearest of 256
            values, `(n, height, width, channels)` with 1, 3 or 4 channels; labels class indices `(n,)` or
            one-hot `(n, classes)`.
        test: The same for the test split.
        classes: Names of the classes in label order. By default they are numbered.
        description: What the set is, for `builder.info`.
        file_format: "tfrecord", which `tf.data` reads, or "array_record", which is read without TensorFlow;
            see `feed` of `load`.
        version: Three whole numbers, as in "1.0.0". `load` takes the newest one that is there.
        shards: Files per split, at least 1. By default what TFDS finds right for the size.
        overwrite: Whether a set of that name and version may be replaced.
        progress: `True` shows bars, `False` does not, `None` shows them on a terminal.

    Returns:
        The folder `data_dir/name/version`.

    Raises:
        FileExistsError: If the folder is there and `overwrite` is False.
        ImportError: If TensorFlow or tensorflow-datasets is missing.
        ValueError: If neither split is given, or an argument is not as above.

    Example:
        >>> images, labels = np.zeros((4, 32, 32, 3), "uint8"), [0, 1, 0, 1]
        >>> folder = kf.data.write_tfds("two", "sets", test=(images, labels), classes=["cat", "dog"])
        >>> kf.data.load("two", data_dir="sets").classes
        ('cat', 'dog')
    """
    check_flag(overwrite, "overwrite")
    folder = _check_folder(name, data_dir, version, overwrite)
    if file_format not in FORMATS:
        raise ValueError(
            f"`file_format` must be 'tfrecord' or 'array_record'. Received: file_format={show(file_format)}"
        )
    if not isinstance(description, str):
        raise ValueError(f"`description` must be text. Received: description={show(description)}")
    splits, names = check_splits(train, test, classes)
    channels = next(iter(splits.values()))[0].shape[-1]
    if channels not in (1, 3, 4):
        raise ValueError(f"PNG images must have 1, 3 or 4 channels. Received: {channels} channels")
    least = min(len(labels) for _, labels in splits.values())
    if shards is not None and check_whole(shards, "shards") > least:
        raise ValueError(
            f"`shards` must be at most the images of a split, {least}. Received: shards={shards}"
        )
    tfds = import_tfds(name)
    _need_tensorflow(name)

    folder.parent.parent.mkdir(parents=True, exist_ok=True)
    # TFDS writes to a place of its own, which then is moved: nothing half done has the name of a set.
    with tempfile.TemporaryDirectory(
        dir=folder.parent.parent, prefix=f".{name}.", suffix=".tmp", ignore_cleanup_errors=True
    ) as temporary:
        kind = _make_builder(tfds, name, version, splits, names, description or _DESCRIPTION)
        builder = kind(data_dir=temporary, file_format=file_format)
        builder.arrays = splits  # TFDS keeps every class for good, and would keep images that it refers to
        config = tfds.download.DownloadConfig(num_shards=shards, try_download_gcs=False)
        with _show_bars(tfds, progress):
            builder.download_and_prepare(download_config=config)
        _move(Path(builder.data_dir), folder)
    return folder


_DESCRIPTION = "Labeled images, in the order in which they were given, written by keras_freq."


def _check_folder(name: Any, data_dir: Any, version: Any, overwrite: bool) -> Path:
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(
            f"`name` must hold small letters, digits and _, a letter first. Received: name={show(name)}"
        )
    if not isinstance(version, str) or not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
        raise ValueError(f"`version` must be three numbers, as in '1.0.0'. Received: version={show(version)}")
    folder = Path(data_dir).expanduser() / name / version
    if folder.exists() and not overwrite:
        raise FileExistsError(
            f"{folder} is there already: take another name, version or data_dir, or pass overwrite=True. "
            f"Received: name={show(name)}, version={show(version)}"
        )
    return folder


def _need_tensorflow(name: str) -> None:
    try:
        tf_feed.import_tensorflow()
    except ImportError as error:
        raise ImportError(
            "Writing a TFDS set needs TensorFlow, which encodes the images: install keras-freq[tensorflow], "
            f"or use write_npz. Received: name={show(name)}"
        ) from error


def _make_builder(
    tfds: Any,
    name: str,
    version: str,
    splits: dict[str, tuple[np.ndarray, np.ndarray]],
    names: tuple[str, ...] | None,
    description: str,
) -> type:
    """The class that TFDS wants of a set."""
    count = 1 + max(int(labels.max()) for _, labels in splits.values())
    label = {"num_classes": count} if names is None else {"names": list(names)}
    shape = next(iter(splits.values()))[0].shape[1:]

    base: Any = tfds.core.GeneratorBasedBuilder

    class ImageSet(base, skip_registration=True):  # type: ignore[call-arg]  # the base takes it
        VERSION = tfds.core.Version(version)

        def _info(self) -> Any:
            features = {
                "image": tfds.features.Image(shape=shape, dtype=np.uint8, encoding_format="png"),
                "label": tfds.features.ClassLabel(**label),
            }
            return tfds.core.DatasetInfo(
                builder=self,
                description=description,
                features=tfds.features.FeaturesDict(features),
                supervised_keys=("image", "label"),
                disable_shuffling=True,  # the keys, which are the places, order the examples
            )

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            return {split: self._generate_examples(*arrays) for split, arrays in self.arrays.items()}

        def _generate_examples(self, images: np.ndarray, labels: np.ndarray) -> Iterator[Any]:
            for place, (image, label) in enumerate(zip(images, labels, strict=True)):
                yield place, {"image": np.ascontiguousarray(image), "label": int(label)}

    ImageSet.name = name
    return ImageSet


@contextlib.contextmanager
def _show_bars(tfds: Any, progress: bool | None) -> Iterator[None]:
    show = sys.stderr.isatty() if progress is None else progress
    # TFDS announces a download, which this is not.
    with contextlib.redirect_stdout(io.StringIO()):
        if show:
            yield
            return
        tfds.display_progress_bar(False)
        try:
            yield
        finally:
            tfds.display_progress_bar(True)


def _move(made: Path, folder: Path) -> None:
    """Puts the folder where it belongs; one that was there is kept until the new one is whole.

    Where the process is killed between the two steps, `restore_replaced` puts the old one back.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    restore_replaced(folder.parent)
    replaced = folder.with_name(f".{folder.name}{REPLACED}")
    if replaced.exists():  # of a process that was killed when all was done
        shutil.rmtree(replaced)
    if folder.exists():
        os.replace(folder, replaced)
    try:
        os.replace(made, folder)
    except BaseException:
        if replaced.exists() and not folder.exists():
            os.replace(replaced, folder)
        raise
    shutil.rmtree(replaced, ignore_errors=True)
