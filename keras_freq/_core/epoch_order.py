"""Which images make up which batch of which epoch, from a seed alone."""

from __future__ import annotations

import math

import keras
import numpy as np

from keras_freq._core.checks import check_flag, check_whole, show


class EpochOrder:
    """The order of epoch `e`: `default_rng([seed, e]).permutation(length)`; 0, 1, 2, ... without `shuffle`.

    Args:
        length: Number of images.
        batch_size: Images per batch; the last batch holds the rest.
        shuffle: Whether every epoch has an order of its own.
        seed: Seed of the orders, a whole number of at least 0.
    """

    def __init__(self, length: int, *, batch_size: int, shuffle: bool, seed: int) -> None:
        check_flag(shuffle, "shuffle")
        self.length = length
        self.batch_size = check_whole(batch_size, "batch_size")
        self.seed = check_whole(seed, "seed", least=0)
        self.shuffle = bool(shuffle)
        self._order: tuple[int, np.ndarray] | None = None
        # Of the pass that is under way: every batch that was read, and in which of Keras' epochs.
        self._read: dict[int, int] = {}
        self._part = 0
        self._within = self._anew = False
        self.epoch = 0

    @property
    def epoch(self) -> int:
        return self._epoch

    @epoch.setter
    def epoch(self, value: int) -> None:
        self._epoch = check_whole(value, "epoch", least=0)

    def __len__(self) -> int:
        return math.ceil(self.length / self.batch_size)

    def rows(self, index: int) -> np.ndarray:
        """The places of the images of batch `index` in the current epoch, int64 `(batch,)`."""
        if not 0 <= index < len(self):
            raise IndexError(f"`index` must lie in [0, {len(self)}). Received: index={index}")
        start = index * self.batch_size
        stop = min(start + self.batch_size, self.length)
        return self._permutation()[start:stop] if self.shuffle else np.arange(start, stop)

    def _permutation(self) -> np.ndarray:
        # One tuple, written at once: worker threads read it.
        cached = self._order
        if cached is None or cached[0] != self._epoch:
            rng = np.random.default_rng([self.seed, self._epoch])
            cached = self._order = (self._epoch, rng.permutation(self.length))
        return cached[1]

    @staticmethod
    def check_workers(value: int) -> int:
        """Refuses workers: with several, Keras loses the first batch of an epoch on some backends."""
        if value not in (0, 1):
            raise ValueError(
                "`workers` must be 1: the batches are made of arrays, with nothing to wait for. "
                f"Received: workers={show(value)}"
            )
        return value

    def read(self, index: int) -> np.ndarray:
        """The same, and the batch counts as read."""
        rows = self.rows(index)
        self.count(index)
        return rows

    def count(self, index: int) -> None:
        """Counts a batch as read. It must be made by then: a thread of Keras may be reading ahead, and with
        the last batch counted the epoch may advance."""
        if self._within:
            if self._anew or self._read.get(index, self._part) != self._part:
                # The pass that an earlier epoch began was broken off.
                self._read = {old: part for old, part in self._read.items() if part == self._part}
                self._anew = False
            self._read[index] = self._part
        elif self._read and not self._anew:  # read ahead, between two epochs that share a pass
            self._read[index] = self._part

    def expect_anew(self) -> None:
        """The next batch that is read is the first one of a pass."""
        self._anew = True

    @property
    def under_way(self) -> bool:
        """Whether a pass has begun and not ended."""
        return bool(self._read)

    def begin(self) -> None:
        self._part += 1
        self._within, self._anew = True, False

    def end(self) -> None:
        # Keras also begins or ends an epoch to look at the first batches before it trains, differently on
        # each backend, and `steps_per_epoch` cuts a pass into several epochs. Only when all batches were read
        # is the pass over, so that all backends agree.
        if not self._within:
            self._read = {}
        elif len(self._read) == len(self):
            self._read = {}
            self.epoch += 1
        self._within = False

    def follow(self, epoch: int) -> None:
        """Sets the epoch to that of another order, which counts for both."""
        self._within, self._read = False, {}
        self.epoch = epoch


class OrderedBatches(keras.utils.PyDataset):
    """A data set whose order is an `EpochOrder`, `_order`: what all of them are to Keras."""

    _order: EpochOrder

    @property
    def epoch(self) -> int:
        return self._order.epoch

    @epoch.setter
    def epoch(self, value: int) -> None:
        self._order.epoch = value

    @property
    def workers(self) -> int:
        return 1

    @workers.setter
    def workers(self, value: int) -> None:
        self._order.check_workers(value)

    def __len__(self) -> int:
        return len(self._order)

    @property
    def num_batches(self) -> int:
        # Keras asks for it right in front of every pass and never within one: that tells a pass that begins
        # anew, after one that was broken off, from one that `steps_per_epoch` goes on with.
        self._order.expect_anew()
        return len(self)

    def on_epoch_begin(self) -> None:
        self._order.begin()

    def on_epoch_end(self) -> None:
        self._order.end()
