"""From a centered map over frequencies to a profile over radius."""

from __future__ import annotations

import functools
from typing import Literal

import numpy as np

from keras_freq._core.checks import check_choice, check_flag, show
from keras_freq.spectral._backend import Array, as_array, dtype_of, is_floating, library_of, symbolic
from keras_freq.spectral._dft import Method, full_spectrum, rfft2
from keras_freq.spectral._grid import UNITS, Units, check_sides
from keras_freq.spectral._images import to_planes
from keras_freq.spectral._recombine import magnitude

Center = Literal["dc", "pixel"]
Bins = Literal["all", "inner"]
# ITU-R BT.601, as in the published code.
LUMA = (0.2989, 0.5870, 0.1140)
# A profile whose range is below this share of 1 + its maximum is rounding noise of float32.
_FLAT = 1e-5


@functools.lru_cache(maxsize=64)
def band_of(height: int, width: int, center: Center, units: Units) -> np.ndarray:
    """Whole radius of every entry of a centered map, in bins of the smaller side."""
    row, column = (height // 2, width // 2) if center == "dc" else ((height - 1) / 2, (width - 1) / 2)
    rows, columns = np.arange(height)[:, None] - row, np.arange(width) - column
    if units == "cycles_per_pixel":
        smaller = min(height, width)
        rows, columns = rows * smaller / height, columns * smaller / width
    return np.hypot(rows, columns).astype(int)


def azimuthal_radii(
    height: int, width: int, *, center: Center = "dc", bins: Bins = "all", units: Units = "index"
) -> tuple[np.ndarray, np.ndarray]:
    """Radii of the values that `azimuthal_average` returns, and how many entries each one averages.

    Args:
        height: Rows of the map.
        width: Columns of the map.
        center: As in `azimuthal_average`.
        bins: As in `azimuthal_average`.
        units: As in `azimuthal_average`.

    Returns:
        `(radii, counts)`, two arrays of shape `(bins,)`. A radius that no entry has is left out. Counts are
        integers, and so are radii in index units; in cycles per pixel radii are float64.

    Raises:
        ValueError: if a side is no whole number of at least 1, or an option is unknown.

    Example:
        >>> radii, counts = keras_freq.spectral.azimuthal_radii(32, 32)
        >>> len(radii), int(counts.sum())
        (23, 1024)
        >>> len(keras_freq.spectral.azimuthal_radii(32, 32, center="pixel", bins="inner")[0])
        20
    """
    height, width = check_sides(height, width)
    check_choice(center, "center", ("dc", "pixel"))
    check_choice(bins, "bins", ("all", "inner"))
    check_choice(units, "units", UNITS)
    radii, counts = np.unique(band_of(height, width, center, units), return_counts=True)
    if bins == "inner":
        radii, counts = radii[1:-1], counts[1:-1]
    return (radii / min(height, width) if units == "cycles_per_pixel" else radii), counts


@functools.lru_cache(maxsize=64)
def _averaging_matrix(height: int, width: int, center: Center, bins: Bins, units: Units) -> np.ndarray:
    radii, counts = azimuthal_radii(height, width, center=center, bins=bins, units=units)
    if not len(radii):
        raise ValueError(
            f'A map of {height}x{width} has no inner bins; take bins="all". Received: bins={show(bins)}'
        )
    bin_of = band_of(height, width, center, units)
    kept = np.unique(bin_of)[1:-1] if bins == "inner" else np.unique(bin_of)
    return (bin_of.reshape(-1, 1) == kept) / counts


def _profile_shape(shape, **options):
    return (*shape[:-2], len(azimuthal_radii(*shape[-2:], **options)[0]))


@symbolic(_profile_shape)
def azimuthal_average(
    map: Array, *, center: Center = "dc", bins: Bins = "all", units: Units = "index"
) -> Array:
    """Mean of a centered map over rings one bin wide.

    `a[k] = mean of map[i, j] over all entries whose distance from the center, rounded down, is k`; the
    distance is in bins, with `units="cycles_per_pixel"` in bins of the smaller side.

    Args:
        map: `(..., height, width)`, centered; NumPy array or tensor. The gradient is exact: it is a matrix
            product.
        center: `"dc"` measures from `(height // 2, width // 2)`; `"pixel"` from the middle of the array, half
            a bin off DC for even sizes, as the published code does.
        bins: `"all"`, or `"inner"` to drop the first and the last one, as the published code does: with
            `center="pixel"` 20 values for 32x32, 43 for 64x64, 156 for 224x224.
        units: `"index"` measures distances in bins, as the published code does: where an image is not square
            a ring then mixes frequencies. `"cycles_per_pixel"` divides each axis by its side first; rings are
            one bin of the smaller side wide. Both are the same rings for square images.

    Returns:
        `(..., bins)`; the radii are those of `azimuthal_radii`.

    Raises:
        ValueError: if the map has fewer than two axes, or an option is unknown.

    Source: Lin, Gao and Sang, "Investigating and Explaining the Frequency Bias in Image Classification",
        IJCAI 2022.
        Differs from the original: centered on DC with every bin, unless asked otherwise.

    Example:
        >>> keras_freq.spectral.azimuthal_average(np.eye(3))
        array([1.  , 0.25])
    """
    map = as_array(map)
    xp = library_of(map)
    if len(map.shape) < 2:
        raise ValueError(f"`map` must have shape (..., height, width). Received: shape={tuple(map.shape)}")
    height, width = map.shape[-2:]
    matrix = _averaging_matrix(height, width, center, bins, units)
    dtype = dtype_of(map)
    values = map if dtype in ("float32", "float64") else xp.cast(map, "float32")
    flat = xp.reshape(values, (-1, height * width))
    lead = xp.shape(map)[:-2]
    profile = xp.reshape(xp.matmul(flat, xp.constant(matrix, flat)), (*lead, matrix.shape[1]))
    if is_floating(dtype) and dtype_of(profile) != dtype:
        profile = xp.cast(profile, map.dtype if isinstance(map, np.ndarray) else dtype)
    return profile


def _density_shape(shape, data_format="channels_last", center="dc", bins="all", units="index", **options):
    size = shape[-3:-1] if data_format == "channels_last" else shape[-2:]
    return (*shape[:-3], len(azimuthal_radii(*size, center=center, bins=bins, units=units)[0]))


@symbolic(_density_shape)
def spectral_density(
    images: Array,
    *,
    center: Center = "dc",
    bins: Bins = "all",
    units: Units = "index",
    normalize: bool = True,
    data_format: str = "channels_last",
    method: Method = "auto",
) -> Array:
    """Log-amplitude of the gray image by radius, scaled to [0, 1] image by image.

    `s = azimuthal_average(20 * log(1 + |F(gray)|))`, then `(s - min s) / (max s - min s)`; natural logarithm.

    Args:
        images: `(batch, height, width, channels)` or one image without the batch axis. Three channels are
            weighted .2989, .5870, .1140; any other number is averaged.
        center: As in `azimuthal_average`.
        bins: As in `azimuthal_average`.
        units: As in `azimuthal_average`.
        normalize: Whether to scale each profile to [0, 1]. A flat profile becomes 0.
        data_format: `"channels_last"` or `"channels_first"`.
        method: `"fft"`, `"matmul"` or `"auto"`.

    Returns:
        `(batch, bins)`, or `(bins,)` for one image.

    Raises:
        ValueError: if the images are not of rank 3 or 4 with a known size, or an option is unknown.

    Source: Lin, Gao and Sang, IJCAI 2022, section 4.
        Differs from the original: centered on DC with every bin, unless asked otherwise; a flat profile gives
        0, not NaN.

    Example:
        >>> keras_freq.spectral.spectral_density(np.random.default_rng(0).random((2, 32, 32, 3))).shape
        (2, 23)
    """
    check_flag(normalize, "normalize")
    images = as_array(images)
    planes, _ = to_planes(images, data_format)
    xp = library_of(planes)
    channels, _, width = planes.shape[1:]
    weights = np.asarray(LUMA if channels == 3 else [1 / channels] * channels).reshape(1, channels, 1, 1)
    gray = xp.sum(planes * xp.constant(weights, planes), axis=1)
    re, im = full_spectrum(*rfft2(gray, method=method), width)
    profile = azimuthal_average(20 * xp.log(1 + magnitude(re, im)), center=center, bins=bins, units=units)
    if normalize:
        low, high = xp.min(profile, axis=-1, keepdims=True), xp.max(profile, axis=-1, keepdims=True)
        # Rounding must not be blown up to [0, 1], so that a black image has no structure.
        flat = high - low <= _FLAT * (1 + high)
        span = xp.where(flat, high * 0 + 1, high - low)
        profile = xp.where(flat, (profile - low) * 0, (profile - low) / span)
    if len(images.shape) == 3:
        profile = xp.squeeze(profile, 0)
    dtype = dtype_of(images)
    if is_floating(dtype) and dtype_of(profile) != dtype:
        profile = xp.cast(profile, images.dtype if isinstance(images, np.ndarray) else dtype)
    return profile
