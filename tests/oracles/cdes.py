"""CDES in float64 NumPy: convolutions pixel by pixel, target, losses, and the image that comes out."""

import numpy as np

from tests.oracles import spectral


def convolve(images, kernel, bias):
    """`same` size, zeros around, NHWC; correlation, as in every deep-learning library."""
    images, kernel = np.asarray(images, "float64"), np.asarray(kernel, "float64")
    side = kernel.shape[0] // 2
    padded = np.pad(images, ((0, 0), (side, side), (side, side), (0, 0)))
    result = np.zeros((*images.shape[:3], kernel.shape[3]))
    for i in range(images.shape[1]):
        for j in range(images.shape[2]):
            patch = padded[:, i : i + kernel.shape[0], j : j + kernel.shape[1], :]
            result[:, i, j] = np.tensordot(patch, kernel, axes=((1, 2, 3), (0, 1, 2))) + bias
    return result


def convolve_twice(images, kernels):
    return convolve(convolve(images, *kernels[:2]), *kernels[2:])


def target(bands, size, rho):
    def bell(k, centre, width):
        return np.exp(-((k - centre) ** 2) / (2 * width**2)) / (width * np.sqrt(2 * np.pi))

    values = np.array([bell(k, 0, size / 10) + rho * bell(k, size / 2, size / 10) for k in range(bands)])
    return (values - values.min()) / (values.max() - values.min())


def losses(enhanced, similar_to, target, center, bins, reduction):
    density = (spectral.density(enhanced, center, bins) - target) ** 2
    similarity = (np.asarray(enhanced, "float64") - similar_to) ** 2
    if reduction == "mean":
        return density.mean(), similarity.mean()
    return density.sum(axis=1).mean(), similarity.sum(axis=(1, 2, 3)).mean()


def reference_masks(size, radius):
    """The published masks: the quadrant before the middle holds the radius, the others mirror it."""
    half = size // 2
    low, high = np.zeros((2, size, size))
    for i in range(half):
        for j in range(half):
            distance = np.hypot(half - i, half - j)
            for a in (i, size - 1 - i):
                for b in (j, size - 1 - j):
                    low[a, b] = distance <= radius
                    high[a, b] = distance >= radius + 1
    return low, high


def enhanced(images, kernels, radius, masks, rescale):
    images = np.asarray(images, "float64")
    changed = convolve_twice(images, kernels)
    if masks == "reference":
        low, high = reference_masks(images.shape[1], radius)
    else:
        low = (spectral.distance(*images.shape[1:3]) <= radius).astype("float64")
        high = 1 - low
    both = spectral.spectrum(images) * low[..., None] + spectral.spectrum(changed) * high[..., None]
    # The published masks are not Hermitian: the real part is what is left.
    result = np.fft.ifft2(np.fft.ifftshift(both, axes=(1, 2)), axes=(1, 2)).real
    return spectral.rescaled(result, rescale, per="channel")
