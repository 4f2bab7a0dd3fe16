"""What feeds batches, beside batches that are merely cut from the arrays."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from PIL import Image

import keras_freq as kf
from apps.benchmarks.config import Speed
from apps.benchmarks.limits import shape_of
from apps.benchmarks.timing import describe, time_pair

FEEDS = ("ArrayBatches", "ArrayBatches, shuffled", "tf.data", "PNG files in folders")


def choose_feeds() -> tuple[str, ...]:
    """Those of the backend: `tf.data` is that of TensorFlow alone."""
    return tuple(name for name in FEEDS if name != "tf.data" or keras.backend.backend() == "tensorflow")


def time_feed(config: Speed, name: str, images: np.ndarray, labels: np.ndarray) -> list[dict]:
    """One pass over the images, batch by batch."""
    with tempfile.TemporaryDirectory() as folder:
        ours = _open(name, Path(folder), images, labels, config.batch_size)

        def bare():
            for start in range(0, len(images), config.batch_size):
                images[start : start + config.batch_size].copy()

        pair = time_pair(ours, bare, seconds=config.seconds, pairs=config.pairs)
    return [describe(pair, "batches cut from the array", case=name, shape=shape_of(images), dtype="float32")]


def _open(name: str, folder: Path, images: np.ndarray, labels: np.ndarray, size: int) -> Callable[[], object]:
    if name.startswith("ArrayBatches"):
        feed = kf.data.ArrayBatches(images, labels, batch_size=size, shuffle=name.endswith("shuffled"))
        return lambda: [feed[index] for index in range(len(feed))]
    if name == "tf.data":
        import tensorflow as tf

        dataset = tf.data.Dataset.from_tensor_slices((images, labels)).batch(size).prefetch(2)
        return lambda: list(kf.data.iterate_batches(dataset))
    levels = np.round(images * 255).astype("uint8")
    for place, (picture, label) in enumerate(zip(levels, labels, strict=True)):
        path = folder / "test" / f"class_{label}" / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    # Files are read when they are asked for, and kept.
    return lambda: list(kf.data.iterate_batches(kf.data.load(folder, batch_size=size, feed="pydataset").test))
