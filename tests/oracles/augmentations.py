"""Float64 NumPy and Pillow, one image at a time, from the numbers that a layer drew."""

import numpy as np
from PIL import Image

from keras_freq.layers._operations import OPERATIONS
from tests.oracles import pillow
from tests.oracles import spectral as oracle


def blurred(image, sigma, kernel_size):
    """Two convolutions with a sampled Gaussian; the image repeats beyond its borders."""
    reach = kernel_size // 2
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        image = sum(k * np.roll(image, j - reach, axis=axis) for j, k in enumerate(kernel))
    return image


def hybrid(images, draws, *, sigma, kernel_size, recombine, probability, scope):
    """HybridAugment and, with `recombine`, HybridAugment++ of a batch; `draws` is `(4, batch)`."""
    images = np.asarray(images, "float64")
    high_of, amplitude_of = np.argsort(draws[0]), np.argsort(draws[1])
    result = images.copy()
    for k in range(len(images)):
        coin = 0 if scope == "batch" else k
        if draws[3, coin] >= probability:
            continue
        low = blurred(images[k], sigma, kernel_size)
        if recombine and draws[2, coin] < probability:
            other = blurred(images[amplitude_of[k]], sigma, kernel_size)
            low = oracle.recombined(other[None], low[None], "chw")[0]
        partner = images[high_of[k]]
        result[k] = low + partner - blurred(partner, sigma, kernel_size)
    return result


def low_amplitude_swapped(image, donor, half_width):
    """FDA of one image, channel by channel, with full complex transforms; one half width, or one a side."""
    height, width = image.shape[:2]
    spectra = [np.fft.fftshift(np.fft.fft2(np.float64(x), axes=(0, 1)), axes=(0, 1)) for x in (image, donor)]
    sizes, phases = np.abs(spectra[0]), np.angle(spectra[0])
    rows, columns = np.broadcast_to(half_width, 2)
    for u in range(-rows, rows + 1):
        for v in range(-columns, columns + 1):
            i, j = u + height // 2, v + width // 2
            if 0 <= i < height and 0 <= j < width:
                sizes[i, j] = np.abs(spectra[1][i, j])
    swapped = np.fft.ifftshift(sizes * np.exp(1j * phases), axes=(0, 1))
    swapped = np.fft.ifft2(swapped, axes=(0, 1))
    assert np.abs(swapped.imag).max() < 1e-9
    return swapped.real


def aug_mix(image, draws, *, chains, depth, level):
    """AugMix of one image in [0, 1] by Pillow."""
    mixture, total = 0.0, 0.0
    for chain in np.reshape(draws[1:], (chains, -1)):
        levels = np.round(np.float64(image) * 255).astype("uint8")
        for step in range(1 + int(3 * chain[1]) if depth == -1 else depth):
            which, how_strong, sign = chain[2 + 3 * step : 5 + 3 * step]
            strength = 0.1 + (level - 0.1) * how_strong
            levels = pillow.operate(
                Image.fromarray(levels), OPERATIONS[int(9 * which)], strength, -1 if sign < 0.5 else 1
            )
        weight = -np.log(np.float64(chain[0]))
        mixture, total = mixture + weight * levels / 255, total + weight
    share = np.float64(draws[0])
    return (1 - share) * image + share * mixture / total
