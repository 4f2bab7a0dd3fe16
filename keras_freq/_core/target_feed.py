"""Images and what belongs to them, in any structure, as batches for a model that need not be a classifier."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from keras_freq._core import processes
from keras_freq._core.any_model import AnyModel
from keras_freq._core.batches import (
    TableBatches,
    describe,
    is_arrays,
    is_table,
    open_feed,
    pick_pair,
    to_numpy,
)
from keras_freq._core.checks import check_pixels, check_readable_again, check_whole
from keras_freq._core.devices import round_up
from keras_freq._core.feeds import check_fits, check_layout

# Images, targets, weights or `None`, and how many images are real: the others fill the batch up.
TargetBatch = tuple[np.ndarray, Any, Any, int]


class TargetFeed:
    """Batches of images of one shape, each with the targets and weights of its real images.

    The first batch is looked at before anything is measured, and handed on by the first pass. Every pass
    reads the data anew; their order may change from pass to pass.

    Args:
        model: What takes the images.
        data: Arrays `(images, targets)` or `(images, targets, weights)`, a `tf.data.Dataset`, a
            `keras.utils.PyDataset`, or an iterable of such batches. Targets and weights are arrays, or
            dictionaries and tuples of arrays, whose first axis is that of the images.
        batch_size: Images per batch where `data` are arrays, default 128; longer batches of others are cut.
        data_format: `"channels_last"` or `"channels_first"`; default that of the model.

    Attributes:
        model: The model, with the range of its pixels.
        data_format: Layout of the images.
        size: Height and width.
        channels: Channels.

    Raises:
        ValueError: If the data are empty, images not finite or out of range, or lengths do not fit.
        TypeError: If the data are of another kind.
    """

    def __init__(
        self, model: AnyModel, data: Any, *, batch_size: int | None = None, data_format: str | None = None
    ):
        processes.refuse_workers(model.core)
        self._limit = None if batch_size is None else check_whole(batch_size, "batch_size")
        self._data = data
        self.data_format = model.choose_data_format(data_format)
        batches = self._read()
        first = next(batches)
        self._ahead: Iterator[TargetBatch] | None = itertools.chain([first], batches)
        self.model = model.settle_range(first[0])
        self.batch_size, *shape = first[0].shape
        check_fits(self.model, tuple(shape), "data")
        if data_format is None and model.data_format is None:
            check_layout(self.data_format, tuple(shape), "data")
        last = self.data_format == "channels_last"
        self.size: tuple[int, int] = (shape[0], shape[1]) if last else (shape[1], shape[2])
        self.channels: int = shape[2] if last else shape[0]
        self.model.build(self.model.to_pixels(first[0][:1]))

    @property
    def settings(self) -> dict[str, Any]:
        """What was declared or assumed, for results."""
        return {**self.model.settings, "data_format": self.data_format}

    def broadcast_channels(self, values: np.ndarray) -> np.ndarray:
        """One number for each channel as an array that broadcasts over a batch."""
        return values.reshape((1, 1, 1, -1) if self.data_format == "channels_last" else (1, -1, 1, 1))

    def __iter__(self) -> Iterator[TargetBatch]:
        """Batches with float32 pixels on [0, 1], filled up to one size."""
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            check_readable_again(self._data, "data", "for another pass")
            ahead = self._read()
        for images, targets, weights, valid in ahead:
            yield self.model.to_pixels(images), targets, weights, valid

    def _read(self) -> Iterator[TargetBatch]:
        size, shape = 0, ()
        for images, targets, weights in self._open():
            if not size:
                size, shape = round_up(min(len(images), self._limit or len(images))), images.shape[1:]
            if images.shape[1:] != shape:
                raise ValueError(
                    f"All batches must hold images of one shape. Received: {shape}, then {images.shape[1:]}"
                )
            for start in range(0, len(images), size):
                part = images[start : start + size]
                valid = len(part)
                if valid < size:
                    part = np.concatenate([part, np.repeat(part[-1:], size - valid, axis=0)])
                yield part, *(cut_rows(one, start, start + valid) for one in (targets, weights)), valid
        if not size:
            raise ValueError(
                "The data are empty: at least one batch is needed (a generator can be read only once). "
                "Received: 0 batches"
            )

    def _open(self) -> Iterator[tuple[np.ndarray, Any, Any]]:
        data = self._data
        if is_table(data):
            data = TableBatches(data, self._limit or 128)
        elif isinstance(data, Mapping):
            data = pick_pair(data)
        if is_arrays(data):
            images, targets, weights = _check_parts(data)
            step = self._limit or 128
            for start in range(0, len(images), step):
                targets_of, weights_of = (cut_rows(one, start, start + step) for one in (targets, weights))
                yield images[start : start + step], targets_of, weights_of
            return
        for batch in open_feed(data, "data"):
            yield _check_parts(pick_pair(batch) if isinstance(batch, Mapping) else batch)


def cut_rows(parts: Any, start: int, stop: int) -> Any:
    """Rows of every array of a structure."""
    return keras.tree.map_structure(lambda part: None if part is None else part[start:stop], parts)


def _check_parts(parts: Any) -> tuple[np.ndarray, Any, Any]:
    """Images as `check_pixels` gives them, targets and weights as NumPy arrays of as many rows."""
    if not isinstance(parts, (tuple, list)):
        raise TypeError(f"Every batch must be a tuple (images, targets). Received: {describe(parts)}")
    if len(parts) not in (2, 3):
        raise ValueError(
            "Data and batches must be (images, targets) or (images, targets, weights). "
            f"Received: {len(parts)} parts"
        )
    images = check_pixels(to_numpy(parts[0]))
    images = images if images.dtype == np.uint8 else images.astype("float32", copy=False)
    targets = _as_arrays(parts[1], "targets", len(images))
    weights = parts[2] if len(parts) == 3 else None
    return images, targets, None if weights is None else _as_arrays(weights, "weights", len(images))


def _as_arrays(value: Any, name: str, count: int) -> Any:
    if isinstance(value, Mapping):
        return {key: _as_arrays(part, name, count) for key, part in value.items()}
    # A list of numbers is an array; of arrays it is a structure, as in Keras' `fit`.
    held = isinstance(value, (tuple, list)) and any(
        hasattr(p, "shape") or isinstance(p, Mapping) for p in value
    )
    if held:
        return tuple(_as_arrays(part, name, count) for part in value)
    array = to_numpy(value)
    if array.dtype.kind == "f":
        array = array.astype(keras.config.floatx(), copy=False)
    if not array.ndim or len(array) != count:
        raise ValueError(
            f"`{name}` must be arrays of one row for each image, alone or in dictionaries and tuples; where "
            f"images have different numbers of rows, fill them up. Received: {count} images, {name} of shape "
            f"{array.shape}"
        )
    return array
