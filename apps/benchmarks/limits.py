"""The limits that no filter gets below: reading and writing memory, and the backend's own real FFT."""

from __future__ import annotations

import os
from collections.abc import Callable

import keras
import numpy as np
import scipy.fft

from apps.benchmarks.compiled import compile_forward, wait
from apps.benchmarks.config import Speed
from apps.benchmarks.timing import describe, time_pair

MEGABYTES = 128  # beyond the caches


def bandwidth(config: Speed) -> list[dict]:
    """A large array read once and written once, by the backend and by NumPy."""
    array = np.ones((MEGABYTES << 20) // 4, "float32")
    target = np.empty_like(array)
    tensor = keras.ops.convert_to_tensor(array)
    run = compile_forward(lambda x: x + 1)
    pair = time_pair(
        lambda: wait(run(tensor)),
        lambda: np.copyto(target, array),
        seconds=config.seconds,
        pairs=config.pairs,
    )
    row = describe(pair, "NumPy copy, one thread", case=f"copy of {MEGABYTES} MiB", shape="", dtype="float32")
    size = 2 * array.nbytes / 1e6
    return [row | {"gb_per_s": size / row["ours"], "their_gb_per_s": size / row["theirs"]}]


def transforms(config: Speed, images: np.ndarray) -> list[dict]:
    """rfft2 and irfft2 over the same planes, by the backend and by SciPy on all cores."""
    planes = np.ascontiguousarray(np.moveaxis(images, -1, 1))
    tensor = keras.ops.convert_to_tensor(planes)
    run = compile_forward(round_trip(*planes.shape[-2:]))
    workers = count_cores()

    def scipy_way():
        return scipy.fft.irfft2(
            scipy.fft.rfft2(planes, workers=workers), s=planes.shape[-2:], workers=workers
        )

    pair = time_pair(lambda: wait(run(tensor)), scipy_way, seconds=config.seconds, pairs=config.pairs)
    entries = {"case": "bare rfft2 + irfft2", "shape": shape_of(images), "dtype": "float32"}
    return [describe(pair, f"scipy.fft, {workers} workers", **entries)]


def round_trip(height: int, width: int) -> Callable:
    """`planes -> irfft2(rfft2(planes))` over the last two axes, by the backend's own functions."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return lambda x: tf.signal.irfft2d(tf.signal.rfft2d(x), [height, width])
    if backend == "jax":
        import jax.numpy as jnp

        return lambda x: jnp.fft.irfft2(jnp.fft.rfft2(x), s=(height, width))
    import torch

    return lambda x: torch.fft.irfft2(torch.fft.rfft2(x), s=(height, width))


def count_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def shape_of(images: np.ndarray) -> str:
    """`128 x 32 x 32`."""
    return " x ".join(map(str, images.shape[:3]))
