"""Corruptions of arrays, on the host, beside the rounding to bytes and back that stored sets go through."""

from __future__ import annotations

import numpy as np

import keras_freq as kf
from apps.benchmarks.config import Speed
from apps.benchmarks.limits import shape_of
from apps.benchmarks.timing import describe, time_pair

SEVERITY = 3


def choose_corruptions(config: Speed, large: bool) -> tuple[str, ...]:
    """The 15 of the benchmark; with `full` also the four held out, and those of C-bar at 32 pixels."""
    names = kf.data.CORRUPTIONS
    if config.full:
        names = (*names, *kf.data.EXTRA_CORRUPTIONS, *(() if large else kf.data.CIFAR10_BAR_CORRUPTIONS))
    return tuple(names)


def time_corruption(config: Speed, name: str, images: np.ndarray) -> list[dict]:
    """One corruption at severity 3, without JPEG behind it."""

    def ours():
        return kf.data.corrupt(images, name, SEVERITY, jpeg=0)

    def bytes_and_back():
        return np.round(images * 255).astype("uint8").astype("float32") / np.float32(255)

    pair = time_pair(ours, bytes_and_back, seconds=config.seconds / 2, pairs=config.pairs)
    return [describe(pair, "to bytes and back, NumPy", case=name, shape=shape_of(images), dtype="float32")]
