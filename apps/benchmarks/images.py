"""Filters and augmentation on batches of images, against one image at a time."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
from collections.abc import Callable

import keras
import numpy as np

import keras_freq as kf
from apps.benchmarks import plain
from apps.benchmarks.config import Benchmarks
from apps.benchmarks.timing import Pair, describe, time_pair


def low_pass(config: Benchmarks, test: tuple) -> list[dict]:
    """`LowPass(8)` in a compiled model against NumPy, image by image and channel by channel."""
    batch = test[0][: config.batch_size]
    run = compiled(kf.layers.LowPass(8), batch)
    height, width = batch.shape[1:3]
    mask = kf.spectral.disk_mask(height, width, 8)
    pair = time_pair(run, lambda: plain.low_pass(batch, mask), repeats=config.repeats, inner=20)
    name = f"LowPass(8), {len(batch)} images 32x32x3, NumPy loop over images and channels"
    return [_record(name, pair, "at least 50x")]


def apr_single(config: Benchmarks, test: tuple) -> list[dict]:
    """`APRSingle()` in a compiled model against Pillow and NumPy, on one core and on all of them."""
    batch = test[0][: config.batch_size]
    run = compiled(kf.layers.APRSingle(seed=0), batch)
    levels = np.round(batch * 255).astype("uint8")
    one = time_pair(run, lambda: plain.apr_single_batch(levels), repeats=config.repeats, inner=5)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # Enough work a task that handing it to the worker does not count.
    shares = [np.tile(levels, (4, 1, 1, 1))] * cores
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(cores, mp_context=spawn) as pool:

        def everywhere():
            return sum(pool.map(plain.apr_single_batch, shares))

        many = time_pair(
            lambda: [run() for _ in range(4 * cores)], everywhere, repeats=max(1, config.repeats // 2)
        )
    scale = 4 * cores
    many = Pair(many.ours / scale, many.other / scale, many.ratio)
    name = f"APRSingle(), {len(batch)} images 32x32x3, Pillow + NumPy image by image"
    return [
        _record(f"{name}, one process", one, "-"),
        _record(f"{name}, {cores} processes (the same cores)", many, "at least 10x"),
    ]


def compiled(layer: keras.Layer, batch: np.ndarray) -> Callable[[], np.ndarray]:
    """The layer at work in training, compiled where the backend compiles, on a batch on the device."""
    images = keras.ops.convert_to_tensor(batch)
    options = {"training": True} if hasattr(layer, "seed") else {}
    layer(images, **options)
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        run = tf.function(lambda x: layer(x, **options))
    elif backend == "jax":
        import jax

        def pure(state, x):
            with keras.StatelessScope(list(zip(layer.variables, state, strict=True))):
                return layer(x, **options)

        jitted = jax.jit(pure)

        def run(x):
            return jitted([variable.value for variable in layer.variables], x)
    else:
        import torch

        def run(x):
            with torch.no_grad():
                return layer(x, **options)

    return lambda: keras.ops.convert_to_numpy(run(images))


def _record(what: str, pair: Pair, target: str) -> dict:
    ours, other = f"{1e3 * pair.ours:.2f} ms", f"{1e3 * pair.other:.1f} ms"
    return describe(what, ours, other, f"{pair.ratio:.1f}x", target)
