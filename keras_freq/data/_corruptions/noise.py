"""Noise: Gaussian, shot, impulse and speckle. Every value of every channel has a draw of its own."""

from __future__ import annotations

import numpy as np

from keras_freq.data._corruptions import draws


def gaussian_noise(planes: np.ndarray, rngs: draws.Generators, scale: float) -> np.ndarray:
    """`x + scale * n`, `n` standard normal."""
    noise = draws.normal(rngs, planes.shape[1:])
    noise *= scale
    noise += planes
    return noise


def speckle_noise(planes: np.ndarray, rngs: draws.Generators, scale: float) -> np.ndarray:
    """`x + x * scale * n`, `n` standard normal."""
    noise = draws.normal(rngs, planes.shape[1:])
    noise *= scale
    noise += 1
    noise *= planes
    return noise


def shot_noise(planes: np.ndarray, rngs: draws.Generators, photons: float) -> np.ndarray:
    """`Poisson(x * photons) / photons`."""
    counts = np.empty_like(planes)
    for rng, image, row in zip(rngs, planes, counts, strict=True):
        row[...] = rng.poisson(image * photons)
    counts /= photons
    return counts


def impulse_noise(planes: np.ndarray, rngs: draws.Generators, amount: float) -> np.ndarray:
    """A share `amount` of the values becomes 0 or 1, with even odds."""
    chance = draws.uniform(rngs, 0, 1, planes.shape[1:])
    return np.where(chance < amount, (chance < amount / 2).astype("float32"), planes)
