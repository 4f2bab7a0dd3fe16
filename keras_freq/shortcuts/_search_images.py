"""The images that a search looks at, checked once and cut into batches of one shape."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_freq._core.checks import check_choice, check_labels, check_whole
from keras_freq._core.compiled import compile_logits, to_tensor
from keras_freq._core.probabilities import reject_probabilities
from keras_freq.data import iterate_batches
from keras_freq.spectral._images import DATA_FORMATS


class SearchImages:
    """Images with labels, of the classes that a model tells apart.

    Args:
        images: `(n, height, width, channels)`, floats in [0, 1] or uint8; float images keep their range.
        labels: Class indices or one-hot rows.
        model: A Keras classifier that returns logits; called once, on the first batch.
        batch_size: Images a batch; fewer where there are no more.
        data_format: `"channels_last"` or `"channels_first"`.

    Attributes:
        n: Number of images.
        size: Their height and width.
        channels: Their channels.
        classes: Outputs of the model.
        count_per_class: Images of each class, `(classes,)`.

    Raises:
        ValueError: If the images are empty or not finite, the labels do not fit the model, or the model
            returns probabilities.
        TypeError: If `model` is not a Keras model.
    """

    def __init__(
        self,
        images: Any,
        labels: Any,
        model: keras.Model,
        *,
        batch_size: int,
        data_format: str = "channels_last",
    ):
        check_choice(data_format, "data_format", DATA_FORMATS)
        self.batch_size = check_whole(batch_size, "batch_size")
        logits = compile_logits(model)  # refuses what is no model
        self._data = (images, labels)
        shape, found, digests = None, [], []
        for batch, indices, valid in self._batches():
            if shape is None:
                shape = batch.shape[1:]
                reject_probabilities(model)
                outputs = keras.ops.convert_to_numpy(logits(batch))
                reject_probabilities(model, outputs[:valid])
                self.classes = outputs.shape[-1]
            found.append(check_labels(indices[:valid], valid, self.classes))
            digests += image_digests(batch[:valid])
        self._labels = np.concatenate(found)
        self.n = len(self._labels)
        self.size = tuple(shape[:2] if data_format == "channels_last" else shape[1:])
        self.channels = shape[-1] if data_format == "channels_last" else shape[0]
        self.count_per_class = np.bincount(self._labels, minlength=self.classes)
        self._digests = digests

    @property
    def found_on(self) -> frozenset[bytes]:
        """A short digest of each image: what a test set is compared with."""
        return frozenset(self._digests)

    @property
    def digest(self) -> str:
        """Digest of all images and labels in their order."""
        digest = hashlib.sha256(b"".join(self._digests))
        digest.update(self._labels.astype("int64").tobytes())
        return digest.hexdigest()

    def __iter__(self) -> Iterator[tuple[Any, Any, Any]]:
        """Batches `(images, labels, valid)` as tensors on the device."""
        for images, labels, valid in self._batches():
            yield to_tensor(images), to_tensor(labels.astype("int32")), to_tensor(np.int32(valid))

    def _batches(self) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
        return iterate_batches(self._data, self.batch_size)


def image_digests(images: np.ndarray) -> list[bytes]:
    """A short digest of each float32 image of a batch."""
    return [hashlib.sha1(np.ascontiguousarray(image).tobytes()).digest()[:8] for image in images]
