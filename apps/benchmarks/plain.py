"""The plain ways: one image, one channel at a time, with NumPy and Pillow. No Keras here."""

from __future__ import annotations

from collections.abc import Callable

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


def without_block(size: int, row: int, column: int, patch: int) -> np.ndarray:
    """Centred mask without the block of bins in a row and column of blocks, and without its mirror image."""
    mask = np.ones((size, size))
    for i, j in ((row * patch, column * patch), (size - row * patch, size - column * patch)):
        mask[i : i + patch, j : j + patch] = 0
    return mask


def class_loss(batches: list[tuple], label: int, mask: np.ndarray, logits_of: Callable) -> float:
    """Loss of a class under a mask, as the published ranking of frequencies has it.

    Restated from what the published code does: every batch that holds the class is taken whole; image by
    image it is transformed (complex), shifted, multiplied by the mask, shifted back and transformed back, of
    which the real part is kept; then the batch goes through the network. Logits and labels are multiplied by
    the indicator of the class before the cross-entropy, whose means over the batches are averaged.
    """
    losses = []
    for images, labels in batches:
        own = labels == label
        if not own.any():
            continue
        filtered = np.empty_like(images)
        for n, image in enumerate(images):
            spectrum = np.fft.fftshift(np.fft.fft2(image, axes=(0, 1)), axes=(0, 1))
            back = np.fft.ifftshift(spectrum * mask[..., None], axes=(0, 1))
            filtered[n] = np.real(np.fft.ifft2(back, axes=(0, 1)))
        logits = logits_of(filtered) * own[:, None]
        target = logits[np.arange(len(labels)), labels * own]
        losses.append(np.mean(np.log(np.exp(logits).sum(axis=1)) - target))
    return float(np.mean(losses))


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
