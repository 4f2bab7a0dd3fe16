"""The plain ways: one image, one channel at a time, with NumPy and Pillow. No Keras here."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps


def low_pass(images: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Image by image, channel by channel: transform, shift, mask, shift back, transform back."""
    result = np.empty(images.shape)
    for k in range(images.shape[0]):
        for c in range(images.shape[3]):
            spectrum = np.fft.fftshift(np.fft.fft2(images[k, :, :, c]))
            result[k, :, :, c] = np.real(np.fft.ifft2(np.fft.ifftshift(spectrum * mask)))
    return result


def apr_single(levels: np.ndarray, seed: int) -> np.ndarray:
    """APR-S of a uint8 image: Pillow for the operations, NumPy for the recombination."""
    rng = np.random.default_rng(seed)
    first = _operate(Image.fromarray(levels), rng)
    if rng.random() > 0.5:
        return np.asarray(first)
    second = _operate(first, rng)
    spectra = [np.fft.fftn(np.asarray(image)) for image in (first, second)]
    if rng.random() < 0.5:
        spectra.reverse()
    mixed = np.fft.ifftn(np.abs(spectra[0]) * np.exp(1j * np.angle(spectra[1])))
    return np.clip(np.round(mixed.real), 0, 255).astype("uint8")


def apr_single_batch(images: np.ndarray) -> int:
    """What one worker process does with its share; returns how many, so that nothing large travels back."""
    return len([apr_single(image, seed) for seed, image in enumerate(images)])


def _operate(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    size = image.size[0]
    strength = rng.uniform(0.1, 3)
    sign = rng.choice([-1, 1])

    def affine(*matrix):
        return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)

    operations = (
        lambda: ImageOps.autocontrast(image),
        lambda: ImageOps.equalize(image),
        lambda: ImageOps.posterize(image, 4 - int(0.4 * strength)),
        lambda: image.rotate(sign * int(3 * strength), resample=Image.Resampling.BILINEAR),
        lambda: ImageOps.solarize(image, 256 - int(25.6 * strength)),
        lambda: affine(1, sign * 0.03 * strength, 0, 0, 1, 0),
        lambda: affine(1, 0, 0, sign * 0.03 * strength, 1, 0),
        lambda: affine(1, 0, sign * int(strength * size / 30), 0, 1, 0),
        lambda: affine(1, 0, 0, 0, 1, sign * int(strength * size / 30)),
    )
    return operations[rng.integers(len(operations))]()
