"""One way to read every kind of feed: fixed-shape NumPy batches of images and class indices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from keras_freq._core.array_batches import RawBatches
from keras_freq._core.checks import check_labeled_images, check_whole
from keras_freq._core.devices import round_up
from keras_freq._core.pixels import unit_float32

# Images `(batch, height, width, channels)`, labels `(batch,)`, and how many of them at the front are real.
Batch = tuple[np.ndarray, np.ndarray, int]

_KINDS = (
    "a tuple of arrays (images, labels), a keras.utils.PyDataset, a tf.data.Dataset, a Hugging Face Dataset "
    "or an iterable of batches (images, labels)"
)
# What dictionaries and tables call the images and their classes, as TFDS and Hugging Face do.
_IMAGE_KEYS = ("image", "images", "img", "x", "pixel_values")
_LABEL_KEYS = ("label", "labels", "y")


def iterate_batches(data: Any, batch_size: int | None = None) -> Iterator[Batch]:
    """Reads any feed of `(images, labels)` as NumPy batches of a single shape.

    Every batch has the size of the first one, so that one compiled function serves all: shorter batches are
    filled up with copies of their last image, longer ones are cut. The order is the feed's. A PyDataset is
    read in the order of its current epoch and does not advance.

    Args:
        data: A tuple of arrays, `ArrayBatches` or any `keras.utils.PyDataset`, a batched `tf.data.Dataset`, a
            torch `DataLoader`, a Hugging Face `Dataset`, or any iterable of batches `(images, labels)` or of
            dictionaries (`image` and `label`, or their plurals): NumPy arrays or tensors of any backend.
            uint8 images are scaled to [0, 1]; float images keep their range; channels may come first or last.
            Labels are class indices or one-hot rows.
        batch_size: Images per batch for a tuple of arrays, default 128. A feed keeps its own batches; those
            longer than `batch_size` are cut.

    Yields:
        Tuples `(images, labels, valid)`: float32 `(batch, height, width, channels)`, int64 `(batch,)`, and
        the number of real images at the front of the batch; the rest is filling.

    Raises:
        ValueError: If the data are empty, infinite, not finite numbers, carry sample weights, are not
            batched, or if images and labels do not fit together.
        TypeError: If `data`, or a batch of it, is of another kind.

    Example:
        >>> images, labels = np.zeros((5, 8, 8, 3), "float32"), np.arange(5)
        >>> batches = keras_freq.data.iterate_batches((images, labels), batch_size=4)
        >>> [(x.shape, valid) for x, y, valid in batches]
        [((4, 8, 8, 3), 4), ((4, 8, 8, 3), 1)]
    """
    # A plain function around the generator: bad arguments raise at the call, not at the first batch.
    batches = read_batches(wrap_arrays(data, batch_size), batch_size)
    return ((unit_float32(images), labels, valid) for images, labels, valid in batches)


def wrap_arrays(data: Any, batch_size: int | None = None) -> Any:
    """Arrays `(images, labels)`, checked once, as `RawBatches`; other data as they are."""
    if batch_size is not None:
        check_whole(batch_size, "batch_size")
    if is_table(data):
        return TableBatches(data, batch_size or 128)
    if isinstance(data, Mapping):
        data = pick_pair(data)
    if not is_arrays(data):
        return data
    if len(data) == 3:
        raise ValueError(
            "Sample weights are not supported: pass (images, labels). Received: a tuple of 3 arrays"
        )
    if len(data) != 2:
        raise ValueError(
            f"A tuple of arrays must be (images, labels). Received: a tuple of length {len(data)}"
        )
    images, labels = map(to_numpy, data)
    return RawBatches(images, labels, batch_size=batch_size or 128)


def read_batches(data: Any, limit: int | None = None, name: str = "data") -> Iterator[Batch]:
    """The batches of data that are no bare arrays, bytes as they are; errors call the data by `name`."""
    return _cut_and_fill(open_feed(data, name), limit)


def is_table(data: Any) -> bool:
    # A Dataset of Hugging Face; that library is not imported to find out.
    return hasattr(data, "column_names") and hasattr(data, "features") and hasattr(data, "__getitem__")


class TableBatches:
    """The rows of a Hugging Face Dataset as batches, read when they are asked for."""

    def __init__(self, table: Any, batch_size: int):
        self._table, self._batch_size = table, batch_size
        self._image, self._label = _find_keys(table.column_names)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, len(self._table), self._batch_size):
            rows = self._table[start : start + self._batch_size]
            images = [_to_pixels(image) for image in rows[self._image]]
            shapes = sorted({image.shape for image in images})
            if len(shapes) > 1:
                raise ValueError(
                    f"All images of a table must have one shape: resize them with its map. Received: {shapes}"
                )
            yield np.stack(images), np.asarray(rows[self._label])


def _to_pixels(image: Any) -> np.ndarray:
    """A picture of Pillow, or an array, as an array with an axis of channels."""
    if hasattr(image, "convert") and image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def pick_pair(batch: Mapping) -> tuple[Any, Any]:
    """Images and labels out of a dictionary."""
    image, label = _find_keys(batch)
    return batch[image], batch[label]


def _find_keys(names: Iterable[str]) -> tuple[str, str]:
    names = list(names)
    found = [[name for name in known if name in names] for known in (_IMAGE_KEYS, _LABEL_KEYS)]
    if [len(part) for part in found] != [1, 1]:
        raise ValueError(
            f"Of a dictionary or a table one of {', '.join(_IMAGE_KEYS)} is taken for the images and one of "
            f"{', '.join(_LABEL_KEYS)} for the labels: rename them, or pass (images, labels). "
            f"Received: the keys {sorted(map(str, names))}"
        )
    return found[0][0], found[1][0]


def is_arrays(data: Any) -> bool:
    # A tuple of batches holds tuples, which have no shape; labels beside an array may be a plain list.
    return isinstance(data, (tuple, list)) and any(hasattr(part, "shape") for part in data)


def open_feed(data: Any, name: str) -> Iterable[Any]:
    """The feed's own batches, as it yields them."""
    if isinstance(data, keras.utils.PyDataset):
        if data.num_batches is None:
            raise ValueError(
                "An infinite PyDataset cannot be read to its end: give it a length. "
                f"Received: {type(data).__name__} with num_batches=None"
            )
        return (data[index] for index in range(data.num_batches))
    if hasattr(data, "as_numpy_iterator") and hasattr(data, "element_spec"):  # a tf.data.Dataset
        return _finite_dataset(data).as_numpy_iterator()
    if hasattr(data, "train") and hasattr(data, "test"):
        raise TypeError("Pass one split, as in data.test. Received: an ImageData with its two splits")
    if isinstance(data, (Mapping, str, bytes)) or hasattr(data, "shape") or not isinstance(data, Iterable):
        hint = ": call the generator function, or better, hold its arrays" if callable(data) else ""
        raise TypeError(f"`{name}` must be {_KINDS}{hint}. Received: {describe(data)}")
    return data


def _finite_dataset(dataset: Any) -> Any:
    # tf.data marks an infinite set by the cardinality -1.
    if int(dataset.cardinality()) == -1:
        raise ValueError(
            "An infinite tf.data.Dataset cannot be read to its end: drop .repeat() or add .take(n). "
            "Received: a dataset of infinite cardinality"
        )
    return dataset


def _cut_and_fill(batches: Iterable[Any], limit: int | None) -> Iterator[Batch]:
    size, shape = 0, ()
    for batch in batches:
        images, labels = _check_batch(batch)
        if not size:
            size, shape = round_up(min(len(images), limit or len(images))), images.shape[1:]
        if images.shape[1:] != shape:
            raise ValueError(
                f"All batches must hold images of one shape. Received: {shape}, then {images.shape[1:]}"
            )
        for start in range(0, len(images), size):
            part, classes = images[start : start + size], labels[start : start + size]
            valid = len(part)
            if valid < size:
                part = np.concatenate([part, np.repeat(part[-1:], size - valid, axis=0)])
                classes = np.concatenate([classes, np.repeat(classes[-1:], size - valid)])
            yield part, classes, valid
    if not size:
        raise ValueError(
            "The data are empty: at least one batch is needed (a generator can be read only once). "
            "Received: 0 batches"
        )


def _check_batch(batch: Any) -> tuple[np.ndarray, np.ndarray]:
    """One batch of a feed as checked images, uint8 or float32, and int64 class indices."""
    if isinstance(batch, Mapping):
        batch = pick_pair(batch)
    if not isinstance(batch, (tuple, list)):
        raise TypeError(f"Every batch must be a tuple (images, labels). Received: {describe(batch)}")
    if len(batch) == 3:
        raise ValueError(
            "Sample weights are not supported: yield (images, labels). Received: a batch of 3 elements"
        )
    if len(batch) != 2:
        raise ValueError(
            f"Every batch must be a tuple (images, labels). Received: a batch of {len(batch)} elements"
        )
    images, labels = check_labeled_images(*map(to_numpy, batch))
    return images if images.dtype == np.uint8 else images.astype("float32", copy=False), labels


def to_numpy(array: Any) -> np.ndarray:
    """Arrays and tensors of any framework, the active backend's or not, as NumPy."""
    if isinstance(array, Mapping):
        raise TypeError(
            "Images and labels must be single arrays. "
            f"Received: a dictionary with the keys {sorted(map(str, array))}"
        )
    if hasattr(array, "detach"):  # torch: NumPy refuses gradients, other devices and bfloat16
        array = array.detach().cpu()
        array = array.float() if str(array.dtype) == "torch.bfloat16" else array
    try:
        return np.asarray(array)
    except (ValueError, TypeError) as error:
        # Ragged nested lists and ragged or sparse tensors end here.
        raise TypeError(
            f"Images and labels must be dense arrays or tensors. Received: {describe(array)}"
        ) from error


def describe(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"a dictionary with the keys {sorted(map(str, value))}"
    shape = getattr(value, "shape", None)
    return f"{type(value).__name__}" + ("" if shape is None else f" of shape {tuple(shape)}")
