"""HARS in float64: both parts cut out of full spectra, image by image and channel by channel."""

import numpy as np
from scipy import fft

from tests.oracles.spectral import distance


def low_of(plane, radius, transform):
    """The low part of one `(height, width)` plane."""
    plane = np.asarray(plane, "float64")
    if transform == "dct":
        spectrum = fft.dctn(plane, norm="ortho")
        rows, columns = np.indices(plane.shape)
        return fft.idctn(spectrum * (rows < radius) * (columns < radius), norm="ortho")
    spectrum = np.fft.fftshift(np.fft.fft2(plane))
    cut = np.fft.ifft2(np.fft.ifftshift(spectrum * (distance(*plane.shape) < radius)))
    assert np.abs(cut.imag).max() < 1e-12
    return cut.real


def low_part(images, radius, transform):
    result = np.empty(images.shape)
    for index, image in enumerate(images):
        for channel in range(images.shape[-1]):
            result[index, ..., channel] = low_of(image[..., channel], radius, transform)
    return result


def hars(images, donors, *, radius, keep, transform):
    """Without rescaling."""
    low, own = low_part(images, radius, transform), np.asarray(images, "float64")
    high = own - low
    return high + low[donors] if keep == "high" else low + high[donors]
