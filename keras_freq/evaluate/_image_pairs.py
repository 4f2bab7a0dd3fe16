"""Pairs of images of different classes, and what a model sees in what is made of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_freq._core.feeds import Feed
from keras_freq._core.pixels import unit_float32
from keras_freq._core.sweep import run_steps
from keras_freq.evaluate._predictions import predict_classes


class Chosen:
    """Some images of an array, in an order, copied batch by batch and never all at once."""

    def __init__(self, images: np.ndarray, places: np.ndarray):
        self._images, self._places = images, places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        return self._images[self._places[rows]]


def predict_all(
    function: Callable, *arrays: np.ndarray | Chosen, batch_size: int, advance: Callable[[int], Any]
) -> np.ndarray:
    """Classes that a model sees, `(n,)`, -1 where undefined; `function(*arrays)` gives the logits of a batch.

    The last batch is filled up, so that one compiled step serves all.
    """
    count, parts = len(arrays[0]), []

    def predict(start: int) -> np.ndarray:
        rows = np.minimum(np.arange(start, start + batch_size), count - 1)
        first, *rest = (array[rows] for array in arrays)
        return predict_classes(lambda x: function(x, *rest), first)

    for start, found in run_steps(
        (start, functools.partial(predict, start)) for start in range(0, count, batch_size)
    ):
        parts.append(found)
        advance(min(batch_size, count - start))
    return np.concatenate(parts)[:count]


def choose_donors(
    donors: Any,
    images: np.ndarray,
    labels: np.ndarray,
    generator: np.random.Generator,
    convert: Callable = unit_float32,
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Images to draw from, their labels, and which of them each image gets."""
    if donors is None:
        return images, labels, pair_across_classes(labels, generator)
    if not hasattr(donors, "shape") and not (isinstance(donors, tuple) and len(donors) == 2):
        raise ValueError(
            "`donors` must be None, images, or a tuple (images, labels) of arrays. "
            f"Received: type={type(donors).__name__}"
        )
    pool, pool_labels = Feed(donors, needs_labels=False, name="donors", convert=convert).arrays()
    if pool.shape[1:] != images.shape[1:]:
        raise ValueError(
            f"`donors` must have the images' shape {images.shape[1:]}. Received: shape={pool.shape[1:]}"
        )
    if isinstance(donors, tuple):
        return pool, pool_labels, _draw_from_other_classes(labels, pool_labels, generator)
    return pool, None, _draw_evenly(len(pool), len(images), generator)


def pair_across_classes(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The partner of each image, of another class; each is one once, unless one class has more than half."""
    if (labels == labels[0]).all():
        raise ValueError(
            "The two images of a pair are of different classes: the data must be of two classes at least. "
            f"Received: {len(labels)} images of class {labels[0]}"
        )
    if np.bincount(labels).max() <= len(labels) / 2:
        return permute_across_classes(labels, generator)
    return _draw_from_other_classes(labels, labels, generator)


def _draw_evenly(count: int, size: int, generator: np.random.Generator) -> np.ndarray:
    """`size` draws from `count` things, each as often as any other, or once more."""
    rounds = [generator.permutation(count) for _ in range(-(-size // count))]
    return np.concatenate(rounds)[:size]


def _draw_from_other_classes(
    labels: np.ndarray, pool_labels: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    chosen = np.empty(len(labels), "int64")
    for label in np.unique(labels):
        rows, others = np.flatnonzero(labels == label), np.flatnonzero(pool_labels != label)
        if not len(others):
            raise ValueError(
                "Donors have another label than the image: `donors` must be of two classes at least. "
                f"Received: donors all of class {label}"
            )
        chosen[rows] = others[_draw_evenly(len(others), len(rows), generator)]
    return chosen


def permute_across_classes(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A random permutation that takes no image to one of its own class; no class has more than half of them.

    Where a random permutation does, the place changes its image with another one. That one can always be
    found: of a class `c` there are at most `n / 2` places and `n / 2` images, and the place in question is
    among both, so some place has neither label nor image of `c`.
    """
    chosen = generator.permutation(len(labels))
    for place in generator.permutation(np.flatnonzero(labels[chosen] == labels)):
        label = labels[place]
        if labels[chosen[place]] != label:
            continue  # has changed already
        other = generator.choice(np.flatnonzero((labels != label) & (labels[chosen] != label)))
        chosen[[place, other]] = chosen[[other, place]]
    return chosen
