"""The exact ranking of frequencies against the bare forward pass, and against the published way."""

from __future__ import annotations

import functools

import keras
import numpy as np

import keras_freq as kf
from apps.benchmarks import plain
from apps.benchmarks.config import Benchmarks
from apps.benchmarks.timing import describe, time_pair

_BATCH = 64  # images a batch of the published way


def frequency_importance(config: Benchmarks, test: tuple) -> list[dict]:
    """`shortcuts.frequency_importance` for all classes: as many bare passes, and the published loop.

    The published way is timed on a few blocks, each for every class, and scaled to its half plane of blocks.
    Every batch that holds a class is run whole for it: images that lie class by class, as in folders, are run
    about twice; in the order of the bundled sample, mixed like that of CIFAR-10, once for each class.
    """
    classes = int(test[1].max()) + 1
    images, labels = by_class(test[0], test[1], max(1, config.search_images // classes))
    model = kf.models.small_resnet()
    patch, side = config.search_patch, images.shape[1]
    groups = kf.shortcuts.frequency_importance(model, images[:1], labels[:1], patch=patch).measured
    passes = (1 + groups) * len(images)

    def ours():
        return kf.shortcuts.frequency_importance(model, images, labels, patch=patch, progress=False)

    forward = kf.attacks.compile_logits(model)
    size = min(config.batch_size, len(images))
    batch = keras.ops.convert_to_tensor(images[:size])

    def bare():
        for _ in range(-(-passes // size)):
            logits = forward(batch)
        keras.ops.convert_to_numpy(logits)

    def logits_of(x):
        return keras.ops.convert_to_numpy(model(keras.ops.convert_to_tensor(x), training=False))

    rows, columns = -(-side // patch), side // (2 * patch) + 1
    blocks = [divmod(7 * k % (rows * columns), columns) for k in range(config.search_blocks)]

    def published(order):
        batches = [(images[k], labels[k]) for k in np.array_split(order, -(-len(order) // _BATCH))]
        for row, column in blocks:
            mask = plain.without_block(side, row, column, patch)
            for label in range(classes):
                plain.class_loss(batches, label, mask, logits_of)

    # Sweeps of several seconds each.
    repeats = max(1, config.repeats // 3)
    against_bare = time_pair(ours, bare, repeats=repeats)
    orders = {
        "class by class": np.arange(len(images)),
        "in mixed order": np.random.default_rng(config.seed).permutation(len(images)),
    }
    others = {
        words: time_pair(ours, functools.partial(published, order), repeats=repeats)
        for words, order in orders.items()
    }
    passed, scale = -(-passes // size) * size, rows * columns / len(blocks)
    name = f"exact ranking of frequencies, small_resnet, {len(images)} images, blocks of {patch}x{patch}"
    return [
        describe(
            f"{name}, {passes} image passes, against the bare compiled forward",
            f"{passes / against_bare.ours:.0f} images/s",
            f"{passed / against_bare.other:.0f} images/s",
            f"{100 * against_bare.ratio * passes / passed:.0f} %",
            "at least 85 %",
        ),
        *(
            describe(
                f"{name}, all classes, against one block and class at a time with a full FFT an image, "
                f"images {words} ({len(blocks)} of {rows * columns} blocks timed, scaled)",
                f"{pair.ours:.1f} s",
                f"{scale * pair.other:.1f} s",
                f"{scale * pair.ratio:.1f}x",
                "at least 20x",
            )
            for words, pair in others.items()
        ),
    ]


def by_class(images: np.ndarray, labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first images of every class, class by class, as from folders."""
    rows = np.concatenate([np.flatnonzero(labels == label)[:count] for label in np.unique(labels)])
    return images[rows], labels[rows]
