"""Arrays in memory as a `keras.utils.PyDataset` whose order follows from a seed and the epoch."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_freq._core.checks import check_labeled_images
from keras_freq._core.epoch_order import EpochOrder, OrderedBatches
from keras_freq._core.pixels import unit_float32


class ArrayBatches(OrderedBatches):
    """Batches of arrays for `fit`, `evaluate` and `predict` on any backend, without TensorFlow.

    With `shuffle`, epoch `e` visits the images in the order `default_rng([seed, e]).permutation(n)`: a run
    that was interrupted goes on with the very same batches once `epoch` is set. `fit` itself also permutes
    whole batches with Python's global generator unless it is called with `shuffle=False`; pass that where the
    order must repeat.

    Args:
        images: `(n, height, width, channels)`, uint8 in [0, 255] (kept as it is, scaled batch by batch) or
            floats, which keep their range.
        labels: `(n,)` class indices, or one-hot `(n, classes)`.
        batch_size: Images per batch, at least 1. The last batch holds the rest.
        shuffle: Whether every epoch has an order of its own.
        seed: Seed of the orders, a whole number of at least 0.

    Attributes:
        images: The images as given.
        labels: int32 class indices `(n,)`.
        workers: Always 1; more are refused.
        epoch: The current epoch, from 0; settable. `fit` advances it after every pass over all batches, also
            where `steps_per_epoch` cuts a pass into several epochs of Keras, and so does one pass of
            `evaluate` or `predict`. A pass that a fit leaves unfinished does not count, but on TensorFlow,
            which reads ahead, where its last batch was read already.

    Raises:
        ValueError: If images or labels are of the wrong rank, length or dtype, empty or not finite.

    Example:
        >>> images = np.zeros((10, 8, 8, 3), "uint8")
        >>> batches = keras_freq.data.ArrayBatches(images, np.arange(10) % 2, batch_size=4, shuffle=True)
        >>> len(batches), batches[2][0].shape
        (3, (2, 8, 8, 3))
    """

    def __init__(
        self, images: Any, labels: Any, *, batch_size: int = 128, shuffle: bool = False, seed: int = 0
    ) -> None:
        super().__init__()
        self.images, labels = check_labeled_images(images, labels)
        self.labels = labels.astype("int32")
        self._order = EpochOrder(len(labels), batch_size=batch_size, shuffle=shuffle, seed=seed)

    def rows(self, index: int) -> np.ndarray:
        """Places, among all images, of those in the batch `index` of the current epoch."""
        return self._order.rows(index)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self._order.read(index)
        return unit_float32(self.images[rows]), self.labels[rows]


class RawBatches(ArrayBatches):
    """The same with bytes as they are: what they mean is settled by the model that they are for."""

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self._order.read(index)
        return self.images[rows], self.labels[rows]
