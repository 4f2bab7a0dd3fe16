"""C-bar: noise with a shaped spectrum, gratings and rings. Amplitudes are in shares of white."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keras_freq.data._corruptions import draws

# A sixteenth of the range of a byte, times .4: the unit in which the published amplitudes grow.
_UNIT = 6.4 / 255


def blue_noise_sample(planes: np.ndarray, rngs: draws.Generators, amount: float) -> np.ndarray:
    """Black in all channels where noise of amplitude `r` is at most `.3 amount - 2.5` deviations."""
    noise = spectral_noise(rngs, 1, planes.shape[-2:], lambda radius: radius)
    return planes * (noise > 0.3 * amount - 2.5)


def brownish_noise(planes: np.ndarray, rngs: draws.Generators, amount: float) -> np.ndarray:
    """Adds noise of amplitude `1 / (r² + 1)`, each channel its own."""
    noise = spectral_noise(rngs, planes.shape[1], planes.shape[-2:], lambda radius: 1 / (radius**2 + 1))
    return planes + np.float32(_UNIT * amount) * noise


def spectral_noise(
    rngs: draws.Generators, fields: int, size: tuple[int, int], amplitude: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """float32 `(n, fields, height, width)` of deviation 1, from an amplitude over cycles a side.

    The phases of one half of the spectrum are those of the other turned by 180 degrees, of the same sign: the
    inverse transform is complex, and its real part is taken, as published.
    """
    height, width = size
    y = (np.arange(height) - height // 2)[:, None] / height
    x = (np.arange(width) - width // 2) / width
    radius = min(size) * np.hypot(y, x)
    drawn = draws.uniform(rngs, 0, 2 * np.pi, (fields, height, (width + 1) // 2))
    phases = np.concatenate([drawn, drawn[..., ::-1, ::-1][..., width % 2 :]], axis=-1)
    spectrum = np.fft.ifftshift(amplitude(radius) * np.exp(1j * phases), axes=(-2, -1))
    noise = np.fft.ifft2(spectrum).real
    deviation = noise.std(axis=(-2, -1), keepdims=True)
    return (noise / np.where(deviation > 0, deviation, 1)).astype("float32")


def single_frequency_greyscale(planes: np.ndarray, rngs: draws.Generators, amount: float) -> np.ndarray:
    """Adds one sine, `19.6 amount sin(f y + g x + phase)` bytes, the same in all channels."""
    y, x = np.ogrid[: planes.shape[-2], : planes.shape[-1]]
    result = np.empty_like(planes)
    for image, rng, out in zip(planes, rngs, result, strict=True):
        first = rng.uniform(-np.pi, np.pi)
        pair = first, rng.uniform(-abs(first), abs(first))
        down, across = pair if rng.random() < 0.5 else pair[::-1]
        wave = np.sin(down * y + across * x + rng.uniform(0, 2 * np.pi))
        out[...] = image + 19.6 / 255 * amount * wave
    return result


def cocentric_sine_waves(planes: np.ndarray, rngs: draws.Generators, amount: float) -> np.ndarray:
    """Adds rings around a point, a saw-tooth over the distance that swings with the direction."""
    height, width = planes.shape[-2:]
    side = min(height, width)
    y, x = np.ogrid[:height, :width]
    result = np.empty_like(planes)
    for image, rng, out in zip(planes, rngs, result, strict=True):
        down, across = y - rng.uniform(0, height), x - rng.uniform(0, width)
        frequency, swing = rng.uniform(0, 10), rng.uniform(0, side / 10)
        ring = side / 10 - rng.uniform(0, side / 10)  # above 0
        phase = (np.hypot(down, across) + swing * np.sin(frequency * np.arctan2(across, down))) / ring
        out[...] = image + 12.8 / 255 * amount * (phase - np.floor(phase) - 0.5)
    return result
