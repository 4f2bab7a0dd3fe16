"""A generator for each image, so that what an image gets does not depend on the batch it is in."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

import numpy as np

Generators = Sequence[np.random.Generator]


def seed_generators(name: str, severity: int, *, seed: int, places: Iterable[int]) -> Generators:
    """`default_rng([seed, place, crc32(name), severity])` for every place of an image in its data set."""
    code = zlib.crc32(name.encode())
    return [np.random.default_rng([seed, place, code, severity]) for place in places]


def normal(rngs: Generators, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal float32 `(n, *shape)`, row `i` from generator `i`."""
    values = np.empty((len(rngs), *shape), "float32")
    for rng, row in zip(rngs, values, strict=True):
        rng.standard_normal(dtype="float32", out=row)
    return values


def uniform(rngs: Generators, low: float, high: float, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform float32 in [low, high) of shape `(n, *shape)`."""
    values = np.empty((len(rngs), *shape), "float32")
    for rng, row in zip(rngs, values, strict=True):
        rng.random(dtype="float32", out=row)
    values *= high - low
    values += low
    return values


def integers(rngs: Generators, low: int, high: int, shape: tuple[int, ...]) -> np.ndarray:
    """Whole numbers in [low, high), int8 of shape `(n, *shape)`."""
    return np.stack([rng.integers(low, high, shape, dtype="int8") for rng in rngs])
