"""C-bar: plasma and Perlin noise, blended with the image."""

from __future__ import annotations

import numpy as np

from keras_freq.data._corruptions import draws


def plasma_noise(planes: np.ndarray, rngs: draws.Generators, amount: float) -> np.ndarray:
    """`(1 - w) image + w noise`, `w = 6.4 amount / 255`; the noise is three sines of warped places.

    An image of one channel gets their mean.
    """
    height, width = planes.shape[-2:]
    weight = 6.4 / 255 * amount
    result = np.empty_like(planes)
    for image, rng, out in zip(planes, rngs, result, strict=True):
        noise = _plasma(rng, height, width)
        out[...] = (1 - weight) * image + weight * (noise if len(image) == 3 else noise.mean(axis=0))
    return result


def _plasma(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    time, rounds, rough = rng.uniform(0, 6 * np.pi), rng.integers(4, 7), rng.uniform(0.5, 1)
    y, x = np.mgrid[:height, :width] / (min(height, width) * rng.uniform(0.075, 0.2))
    often = slow = small = 1.0
    for _ in range(rounds):
        first = np.cos(y * often + time / slow) / small
        second = np.sin(x * often + time / slow) / small
        x, y = x + first - 0.3 * second, y + second + 0.3 * first
        often, slow, small = often * 1.93, slow * 1.15, small * (2.25 - rough)
    return np.stack([np.sin(x - time), np.sin((x + y + np.sin(time)) / 2), np.sin(y + time)])


def perlin_noise(planes: np.ndarray, rngs: draws.Generators, amount: float) -> np.ndarray:
    """`(1 - w) image + w f`, `w = .05 amount`, `f` five octaves of gradient noise in [0, 1]."""
    height, width = planes.shape[-2:]
    step = 224 / (32 * min(height, width))
    result = np.empty_like(planes)
    for image, rng, out in zip(planes, rngs, result, strict=True):
        order, gradients = rng.permutation(256), rng.uniform(-1, 1, (256, 2))
        gradients /= np.hypot(*gradients.T)[:, None]
        total = np.zeros((height, width))
        for octave in (1, 2, 4, 8, 16):
            rows, columns = np.arange(height) * step * octave, np.arange(width) * step * octave
            total += np.abs(gradient_noise(rows, columns, order, gradients)) / octave
        weight = 0.05 * amount
        out[...] = (1 - weight) * image + weight * np.clip(0.5 + 0.5 * total, 0, 1)
    return result


def gradient_noise(y: np.ndarray, x: np.ndarray, order: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Perlin's noise of period 256 on the grid of the places `y` and `x`, times 1.5."""
    low_y, low_x = np.floor(y).astype(int), np.floor(x).astype(int)
    down, across = (y - low_y)[:, None], (x - low_x)[None]
    fade_y, fade_x = down**2 * (3 - 2 * down), across**2 * (3 - 2 * across)
    total = np.zeros((len(y), len(x)))
    for step_y, share_y in ((0, 1 - fade_y), (1, fade_y)):
        for step_x, share_x in ((0, 1 - fade_x), (1, fade_x)):
            row = order[(low_y + step_y) % 256][:, None]
            gradient = gradients[order[(row + low_x + step_x) % 256]]
            slope = gradient[..., 0] * (down - step_y) + gradient[..., 1] * (across - step_x)
            total += share_y * share_x * slope
    return 1.5 * total
