"""Training with every batch shared among all devices."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras

from apps.apr.large_config import ImageNet
from apps.lab import RunError


@contextlib.contextmanager
def share_among_devices(config: ImageNet) -> Iterator[None]:
    """Models built inside train with every batch shared among all devices, where the settings say so.

    Raises:
        RunError: If the backend cannot, or the batch cannot be shared evenly.
    """
    if not config.data_parallel:
        yield
        return
    backend = keras.backend.backend()
    if backend != "jax":
        raise RunError(
            "`data_parallel` must be false, or Keras run on JAX (KERAS_BACKEND=jax), the backend whose "
            f"keras.distribution is complete. Received: data_parallel=true with KERAS_BACKEND={backend}"
        )
    devices = keras.distribution.list_devices()
    size = config.training.batch_size
    if size % len(devices):
        raise RunError(
            f"`training.batch_size` must be a multiple of the number of devices, {len(devices)}, with "
            f"data_parallel=true. Received: training.batch_size={size}"
        )
    with keras.distribution.DataParallel(devices=devices).scope():
        yield
