"""Frequency arithmetic on images: pure functions, NumPy arrays or tensors in, the same out.

Conventions, for the whole package:

* Images are `(batch, height, width, channels)`, or `(batch, channels, height, width)` with
  `data_format="channels_first"`; floats in [0, 1] unless a `value_range` says otherwise. Nothing is clipped
  or rescaled unless asked.
* The transform is the two-dimensional DFT over space, per channel, unnormalized forward and `1 / (height *
  width)` backward. Amplitude-phase recombination also transforms over channels, as published (`axes="hw"`
  does not).
* Spectra and masks are centered: DC at `(height // 2, width // 2)`, for even and odd sizes.
* A radius is a distance from DC in bins (`units="index"`); a low-pass keeps `d < radius`, a high-pass `d >=
  radius`.
* Masks must be Hermitian, `m[u, v] == m[-u, -v]`; an error names the entries that are not.
* Any height, width and number of channels. float16, bfloat16 and integers are computed in float32; floating
  results come back in the type of the input, those of integers as float32. No complex tensor is ever seen.
"""

from keras_freq.spectral._basis import fourier_basis
from keras_freq.spectral._density import azimuthal_average, azimuthal_radii, spectral_density
from keras_freq.spectral._enhance import enhance_density
from keras_freq.spectral._filters import apply_mask, band_pass, high_pass, low_pass, split_bands
from keras_freq.spectral._grid import mirror_index, radial_distance
from keras_freq.spectral._masks import (
    blur_mask,
    butterworth_mask,
    disk_mask,
    gaussian_mask,
    is_hermitian,
    ring_mask,
    square_mask,
    symmetrize,
)
from keras_freq.spectral._recombine import amplitude, phase, recombine, swap_low_amplitude
from keras_freq.spectral._rescale import rescale

__all__ = [
    "amplitude",
    "apply_mask",
    "azimuthal_average",
    "azimuthal_radii",
    "band_pass",
    "blur_mask",
    "butterworth_mask",
    "disk_mask",
    "enhance_density",
    "fourier_basis",
    "gaussian_mask",
    "high_pass",
    "is_hermitian",
    "low_pass",
    "mirror_index",
    "phase",
    "radial_distance",
    "recombine",
    "rescale",
    "ring_mask",
    "spectral_density",
    "split_bands",
    "square_mask",
    "swap_low_amplitude",
    "symmetrize",
]


def __dir__() -> list[str]:
    return __all__
