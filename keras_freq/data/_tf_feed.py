"""Feeds as `tf.data`: the one place of data that imports TensorFlow."""

from __future__ import annotations

import contextlib
from typing import Any

import keras
import numpy as np

# A shuffle buffer beyond this is cut: it is held in memory.
BUFFER_BYTES = 1 << 30


def import_tensorflow() -> Any:
    """TensorFlow, kept off the accelerator where another backend computes there."""
    try:
        import tensorflow as tf
    except ImportError as error:
        raise ImportError(
            "A tf.data feed needs TensorFlow: install keras-freq[tensorflow], or use feed='pydataset'. "
            "Received: feed='tf.data'"
        ) from error
    if keras.backend.backend() != "tensorflow" and tf.config.list_physical_devices("GPU"):
        # Too late where the caller has used TensorFlow's GPU before; then the choice was the caller's.
        with contextlib.suppress(RuntimeError):
            tf.config.set_visible_devices([], "GPU")
    return tf


def feed_from_arrays(
    images: np.ndarray, labels: np.ndarray, *, batch_size: int, shuffle: bool, seed: int
) -> Any:
    """uint8 or float images and int32 labels in memory as a `tf.data.Dataset` of batches."""
    tf = import_tensorflow()
    with tf.device("cpu:0"):
        dataset = tf.data.Dataset.from_tensor_slices((images, labels))
    return make_batches(
        dataset, len(images), images[0].nbytes, batch_size=batch_size, shuffle=shuffle, seed=seed
    )


def make_batches(
    dataset: Any, length: int, image_bytes: int, *, batch_size: int, shuffle: bool, seed: int
) -> Any:
    """Shuffles, batches, scales bytes to float32 in [0, 1], prefetches."""
    tf = import_tensorflow()
    if shuffle:
        dataset = dataset.shuffle(min(length, max(1024, BUFFER_BYTES // image_bytes)), seed=seed)

    def scale(images: Any, labels: Any) -> tuple[Any, Any]:
        whole = images.dtype == tf.uint8
        images = tf.cast(images, tf.float32)
        return images / 255.0 if whole else images, tf.cast(labels, tf.int32)

    dataset = dataset.batch(batch_size).map(scale, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.prefetch(tf.data.AUTOTUNE)
