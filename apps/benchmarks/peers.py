"""Beside the plain ways: one image at a time with NumPy and Pillow, one frequency at a time as published."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import multiprocessing
from collections.abc import Callable, Iterator

import keras
import numpy as np

import keras_freq as kf
from apps.benchmarks import plain
from apps.benchmarks.compiled import compile_forward, wait
from apps.benchmarks.config import Speed
from apps.benchmarks.limits import count_cores, shape_of
from apps.benchmarks.timing import Pair, describe, time_pair

_BATCH = 64  # images a batch of the published way


def low_pass(config: Speed, images: np.ndarray, labels: np.ndarray) -> list[dict]:
    """`LowPass` against NumPy, image by image and channel by channel."""
    ours = _layer(kf.layers.LowPass(images.shape[1] / 4), images)
    height, width = images.shape[1:3]
    mask = kf.spectral.disk_mask(height, width, height / 4)
    pair = time_pair(ours, lambda: plain.low_pass(images, mask), seconds=config.seconds, pairs=config.pairs)
    entries = {"case": "LowPass", "shape": shape_of(images), "dtype": "float32"}
    return [describe(pair, "a NumPy loop over images and channels", **entries)]


def apr_single(config: Speed, images: np.ndarray, labels: np.ndarray) -> list[dict]:
    """`APRSingle` against Pillow and NumPy, on one core and on all of them."""
    ours = _layer(kf.layers.APRSingle(seed=0), images)
    levels, cores = np.round(images * 255).astype("uint8"), count_cores()
    timed = functools.partial(time_pair, seconds=config.seconds, pairs=config.pairs)
    with _plain_ways(levels, 0) as alone, _plain_ways(levels, cores) as everywhere:
        one = timed(ours, alone)
        many = timed(lambda: [ours() for _ in range(4 * cores)], everywhere)
    mine, theirs = (tuple(s / (4 * cores) for s in part) for part in (many.ours, many.other))
    many = Pair(mine, theirs, many.first)
    entries = {"case": "APRSingle", "shape": shape_of(images), "dtype": "float32"}
    return [
        describe(one, "Pillow + NumPy, one process", **entries),
        describe(many, f"Pillow + NumPy, {cores} processes", **entries),
    ]


def augmented(config: Speed, images: np.ndarray, labels: np.ndarray) -> list[dict]:
    """`data.Augmented` with `APRSingle` against the same, on one core and on all of them."""
    levels, cores = np.round(images * 255).astype("uint8"), count_cores()
    entries = {"case": "Augmented, APRSingle", "shape": shape_of(images), "dtype": "float32"}
    rows = []
    for workers, shares in ((0, 1), (cores, 4 * cores)):
        many = np.tile(levels, (shares, 1, 1, 1)), np.tile(labels, shares)
        feed = kf.data.ArrayBatches(*many, batch_size=len(levels))
        ours = kf.data.Augmented(feed, kf.layers.APRSingle(), workers=workers)
        with _plain_ways(levels, workers) as theirs:
            pair = time_pair(
                functools.partial(read_pass, ours), theirs, seconds=config.seconds, pairs=config.pairs
            )
        mine, others = (tuple(s / shares for s in part) for part in (pair.ours, pair.other))
        what = f"Pillow + NumPy, {cores} processes" if workers else "Pillow + NumPy, one process"
        rows.append(describe(Pair(mine, others, pair.first), what, **entries))
    return rows


def read_pass(feed: keras.utils.PyDataset) -> None:
    """One pass over a feed, as `fit` reads it."""
    feed.on_epoch_begin()
    for index in range(len(feed)):
        feed[index]
    feed.on_epoch_end()


@contextlib.contextmanager
def _plain_ways(levels: np.ndarray, processes: int) -> Iterator[Callable[[], object]]:
    """The loop over a batch in this process; or over four batches in each of some."""
    if not processes:
        yield lambda: plain.apr_single_batch(levels)
        return
    # Enough work a task that handing it to the worker does not count.
    shares = [np.tile(levels, (4, 1, 1, 1))] * processes
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(processes, mp_context=spawn) as pool:
        yield lambda: sum(pool.map(plain.apr_single_batch, shares))


def frequency_importance(config: Speed, images: np.ndarray, labels: np.ndarray) -> list[dict]:
    """`shortcuts.frequency_importance` for all classes against the published loop, one block timed, scaled.

    Every batch that holds a class is run whole for it: images that lie class by class, as in folders, are run
    about twice; in mixed order once for each class.
    """
    classes = int(labels.max()) + 1
    images, labels = by_class(images, labels, max(1, config.search_images // classes))
    model = kf.models.small_resnet(images.shape[1:])
    patch, side = config.search_patch, images.shape[1]
    rows, columns = -(-side // patch), side // (2 * patch) + 1
    mask = plain.without_block(side, 1 % rows, 1 % columns, patch)

    def ours():
        return kf.shortcuts.frequency_importance(model, images, labels, patch=patch, progress=False)

    def logits_of(x):
        return keras.ops.convert_to_numpy(model(keras.ops.convert_to_tensor(x), training=False))

    def published(order):
        batches = [(images[k], labels[k]) for k in np.array_split(order, -(-len(order) // _BATCH))]
        for label in range(classes):
            plain.class_loss(batches, label, mask, logits_of)

    orders = {
        "class by class": np.arange(len(images)),
        "in mixed order": np.random.default_rng(config.seed).permutation(len(images)),
    }
    found = []
    for words, order in orders.items():
        pair = time_pair(
            ours, functools.partial(published, order), seconds=config.seconds, pairs=config.pairs
        )
        pair = Pair(pair.ours, tuple(rows * columns * seconds for seconds in pair.other), pair.first)
        entries = {"case": f"ranking, blocks of {patch}", "shape": shape_of(images), "dtype": "float32"}
        found.append(describe(pair, f"the published loop, images {words} (1 block, scaled)", **entries))
    return found


PEERS = {
    "LowPass": low_pass,
    "APRSingle": apr_single,
    "Augmented": augmented,
    "ranking": frequency_importance,
}


def by_class(images: np.ndarray, labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first images of every class, class by class, as from folders."""
    rows = np.concatenate([np.flatnonzero(labels == label)[:count] for label in np.unique(labels)])
    return images[rows], labels[rows]


def _layer(layer: keras.Layer, images: np.ndarray):
    """The layer at work in training, on a batch on the device."""
    tensor = keras.ops.convert_to_tensor(images)
    options = {"training": True} if hasattr(layer, "seed") else {}
    layer(tensor, **options)
    run = compile_forward(lambda x: layer(x, **options), layer.variables)
    return lambda: wait(run(tensor))
