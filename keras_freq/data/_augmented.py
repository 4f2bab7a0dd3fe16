"""Augmentation by the processor's other cores, while the device trains."""

from __future__ import annotations

import functools
import json
import warnings
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import keras
import numpy as np

from keras_freq._core.array_batches import ArrayBatches, RawBatches
from keras_freq._core.checks import check_whole, show
from keras_freq._core.epoch_order import EpochOrder, OrderedBatches
from keras_freq._core.pixels import unit_float32
from keras_freq._core.workers import Workers


class Augmented(OrderedBatches):
    """Batches of a feed, augmented by NumPy in worker processes while the device trains.

    What the layer does inside a model it does here before it, and only the operations that were drawn are
    computed; the device is left to the network. Use it instead of the layer in the model where the processor
    has cores to spare beside an accelerator; on processors alone the layer costs no more. With equal numbers
    both are equal to one level of 256, but in about one image of 1000 of `APRSingle` and `AugMix`, where an
    operation spreads a level that another one rounded otherwise.

    The numbers of an image are drawn from `default_rng([seed, epoch, i, k])`, with `i` its place in the data
    set (batch and place in it, where the feed is no `ArrayBatches`) and `k` that of the layer: neither the
    workers nor the batches nor their order change what becomes of an image. Layers that mix images, such as
    `APRPair`, mix those of a batch. The seeds of the layers are not used.

    Pass `shuffle=False` to `fit`, and shuffle in the feed: `fit` would otherwise ask for batches in an order
    that the workers cannot know, and wait for each.

    Args:
        feed: A `keras_freq.data.ArrayBatches`, or another `keras.utils.PyDataset` of a known length, with
            batches `(images, labels)`: bytes, 0 to 255, or floats.
        layer: A layer of `keras_freq.layers`, or several, applied in order.
        workers: Number of processes, which start at the first batch, within seconds; 0 augments in this
            one, when a batch is asked for.
        seed: Seed of all draws, a whole number of at least 0.

    Attributes:
        feed: The feed as given.
        layers: The layers.
        processes: Number of processes. The attribute `workers`, which Keras reads, is always 1.
        epoch: The current epoch, from 0; settable. `fit` advances it, and that of the feed, after every pass
            over all batches, as that of `keras_freq.data.ArrayBatches`.

    Raises:
        TypeError: If the feed is no such data set, or a layer is none that takes images alone.
        ValueError: If it has no known length, or an argument lies outside its range.
        RuntimeError: While batches are read, if a worker is gone.

    Example:
        >>> batches = keras_freq.data.ArrayBatches(images, labels, batch_size=4, shuffle=True)
        >>> layer = keras_freq.layers.APRSingle()
        >>> augmented = keras_freq.data.Augmented(batches, layer, workers=0)
        >>> len(augmented), augmented[0][0].shape
        (2, (4, 32, 32, 3))
    """

    def __init__(self, feed: Any, layer: Any, *, workers: int = 2, seed: int = 0) -> None:
        super().__init__()
        if not isinstance(feed, keras.utils.PyDataset):
            raise TypeError(
                "`feed` must be a keras_freq.data.ArrayBatches or another keras.utils.PyDataset; a "
                f"tf.data.Dataset takes layers by its `map`. Received: feed={show(feed)}"
            )
        if feed.num_batches is None:
            raise ValueError(f"`feed` must have a known number of batches. Received: feed={show(feed)}")
        self.feed = feed
        self.processes = check_whole(workers, "workers", least=0)
        self.layers = _check_layers(layer, self.processes)
        self._described = [(type(one), json.dumps(one.get_config())) for one in self.layers]
        self.seed = check_whole(seed, "seed", least=0)
        self._order = EpochOrder(feed.num_batches, batch_size=1, shuffle=False, seed=0)
        if hasattr(feed, "epoch"):
            self._order.epoch = feed.epoch
        # Bytes travel as they are: a quarter of the floats that the feed makes of them.
        self._scales = type(feed) is ArrayBatches
        self._pool = Workers(self.processes)
        self._coming: dict[int, tuple[Future, Any]] = {}
        self._next = 0
        self._told = False

    @property
    def epoch(self) -> int:
        return self._order.epoch

    @epoch.setter
    def epoch(self, value: int) -> None:
        self._forget()
        self._order.epoch = value
        if hasattr(self.feed, "epoch"):
            self.feed.epoch = value

    def __getitem__(self, index: int) -> tuple:
        self._order.rows(index)  # refuses what is none
        # A pass begins with 0, also after one that was cut short.
        if self._coming and index not in (0, self._next) and index not in self._coming:
            self._tell_order()
        # Keras may still read in a thread of its own when an epoch ends and what is coming is forgotten.
        future, rest = self._coming.pop(index, None) or self._begin(index)
        self._next = index + 1
        for ahead in range(index + 1, min(index + 1 + 2 * self.processes, len(self))):
            if ahead not in self._coming and len(self._coming) < 2 * self.processes:
                self._coming[ahead] = self._begin(ahead)
        self._order.count(index)
        return (future.result(), *rest)

    def on_epoch_begin(self) -> None:
        super().on_epoch_begin()
        self.feed.on_epoch_begin()
        self._lead()
        self._forget_what_is_over()

    def on_epoch_end(self) -> None:
        super().on_epoch_end()
        self._lead()
        self.feed.on_epoch_end()
        self._forget_what_is_over()

    def _lead(self) -> None:
        """Keeps the feed in the same epoch: what it counts itself runs ahead with the workers."""
        if isinstance(self.feed, OrderedBatches):
            self.feed._order.follow(self.epoch)

    def _forget_what_is_over(self) -> None:
        # A feed of another class may have other batches from now on, even within a pass.
        if not (self._order.under_way and isinstance(self.feed, OrderedBatches)):
            self._forget()

    def _begin(self, index: int) -> tuple[Future, list[Any]]:
        """Images of a batch to be, and what belongs to them."""
        if type(self.feed) in (ArrayBatches, RawBatches):
            rows = self.feed.rows(index)
            images, rest = self.feed.images[rows], [self.feed.labels[rows]]
        else:  # a class of its own may give what it likes
            batch = self.feed[index]
            if not isinstance(batch, (tuple, list)):
                raise TypeError(f"`feed` must give batches (images, labels). Received: {show(batch)}")
            images, *rest = batch
            images = np.asarray(images)
        if hasattr(self.feed, "rows"):
            places = [[int(row)] for row in self.feed.rows(index)]
        else:
            places = [[index, place] for place in range(len(images))]
        start = [self.seed, self.epoch]
        return self._pool.submit(augment, self._described, images, self._scales, places, start), rest

    def _forget(self) -> None:
        coming, self._coming, self._next = self._coming, {}, 0
        while coming:  # one by one: a thread may be taking from them
            coming.popitem()[1][0].cancel()

    def _tell_order(self) -> None:
        if not self._told:
            self._told = True
            warnings.warn(
                "The batches of Augmented are asked for in another order than theirs, so that its workers "
                "prepare others than the next ones: pass shuffle=False to `fit`, and shuffle in the feed.",
                stacklevel=3,
            )


def _check_layers(layer: Any, workers: int) -> list[Any]:
    layers = list(layer) if isinstance(layer, Sequence) else [layer]
    for one in layers:
        kind = type(one)
        if workers and (kind.__module__ == "__main__" or "<locals>" in kind.__qualname__):
            raise ValueError(
                "`layer` must be of a class that other processes can import: put it into a module, or take "
                f"workers=0. Received: layer={show(one)} of {kind.__module__}.{kind.__qualname__}, "
                f"workers={workers}"
            )
        if not getattr(one, "works_on_arrays", False):
            raise TypeError(
                "`layer` must be a layer of keras_freq.layers that takes images alone, or a list of such. "
                f"Received: layer={show(one)}"
            )
    if not layers:
        raise ValueError("`layer` must be one layer at least. Received: layer=[]")
    return layers


def augment(
    layers: Sequence[tuple[type, str]],
    images: np.ndarray,
    scales: bool,
    places: Sequence[Sequence[int]],
    start: Sequence[int],
) -> np.ndarray:
    """Images after some layers, given by class and configuration, each with the numbers of its place."""
    images = unit_float32(images) if scales else images
    for number, described in enumerate(layers):
        generators = [np.random.default_rng([*start, *place, number]) for place in places]
        images = _build(*described).transform_arrays(images, generators)
    return images


@functools.lru_cache(maxsize=64)
def _build(layer: Any, config: str) -> Any:
    return layer.from_config(json.loads(config))
