"""Linear filters: gains multiplied onto the spectrum of each channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_freq.spectral._backend import Array, as_array, library_of, sides_of, symbolic
from keras_freq.spectral._dft import Method, filter_planes
from keras_freq.spectral._grid import Units
from keras_freq.spectral._images import to_planes
from keras_freq.spectral._masks import Kind, Symmetrize, band_mask, check_mask, low_pass_mask
from keras_freq.spectral._traced_masks import traced_band_mask


def _filter_band(
    images: Array,
    make_mask: Callable[[int, int], np.ndarray],
    low: float,
    high: float,
    data_format: str,
    method: Method,
    **options: Any,
) -> Array:
    """Filter with the mask of a band, also where the size is known only when compiled code runs."""
    planes, back = to_planes(images, data_format, open_size=True)
    return back(filter_planes(planes, _fit_band(planes, make_mask, low, high, **options), method=method))


def _fit_band(
    planes: Array, make_mask: Callable[[int, int], np.ndarray], low: float, high: float, **options: Any
) -> Array:
    height, width = sides_of(planes)
    if isinstance(height, int):
        return make_mask(height, width)
    make_mask(1, 1)  # checks the options
    return traced_band_mask(library_of(planes), height, width, float(low), float(high), **options)


@symbolic()
def apply_mask(
    images: Array,
    mask: Array,
    *,
    data_format: str = "channels_last",
    symmetrize: Symmetrize | None = None,
    method: Method = "auto",
) -> Array:
    """Multiply the spectrum of every channel by a gain.

    `y = Re IDFT(mask * DFT(x))` over the two spatial axes.

    Args:
        images: `(batch, height, width, channels)` or one image without the batch axis; NumPy array or tensor,
            any floating or integer type.
        mask: `(height, width)`, centered, DC at `(height // 2, width // 2)`. A NumPy array is checked to be
            Hermitian. A tensor of the active backend is taken as it is, so that one compiled step can serve
            many masks.
        data_format: `"channels_last"` or `"channels_first"`.
        symmetrize: `None` refuses a mask that is not Hermitian; `"mean"`, `"min"` or `"max"` makes it so
            first. `"mean"` is what dropping the imaginary part does.
        method: `"fft"`, `"matmul"` (DFT by matrix products) or `"auto"`.

    Returns:
        Filtered images, same shape and floating type (float32 for integer images). Not clipped, not rescaled.

    Raises:
        ValueError: if the mask has another size than the images, is not finite, or is not Hermitian.

    Example:
        >>> x = np.random.default_rng(0).random((2, 8, 8, 3))
        >>> bool(np.allclose(keras_freq.spectral.apply_mask(x, np.ones((8, 8))), x))
        True
    """
    mask = as_array(mask)

    known = isinstance(mask, np.ndarray)
    planes, back = to_planes(images, data_format, open_size=not known)
    height, width = planes.shape[-2:]
    if known:
        mask = check_mask(mask, height, width, how=symmetrize)
    elif tuple(mask.shape) != (height, width):
        raise ValueError(
            f"`mask` must have the images' size ({height}, {width}). Received: mask.shape={tuple(mask.shape)}"
        )
    return back(filter_planes(planes, mask, method=method))


@symbolic()
def low_pass(
    images: Array,
    radius: float,
    *,
    kind: Kind = "ideal",
    order: float = 2,
    units: Units = "index",
    data_format: str = "channels_last",
    method: Method = "auto",
) -> Array:
    """Keep the frequencies nearer to DC than `radius`.

    `y = Re IDFT(1[d < radius] * DFT(x))` for `kind="ideal"`.

    Args:
        images: `(batch, height, width, channels)` or one image without the batch axis.
        radius: Cut-off, at least 0, in `units`.
        kind: `"ideal"` (strict disk), `"gaussian"` (gain 0.607 at the radius), `"butterworth"` (1/2) or
            `"square"`.
        order: Steepness of the Butterworth filter.
        units: `"index"` (bins, as published) or `"cycles_per_pixel"`.
        data_format: `"channels_last"` or `"channels_first"`.
        method: `"fft"`, `"matmul"` or `"auto"`.

    Returns:
        Filtered images, same shape and floating type. Not clipped: values can leave the range of the input a
        little.

    Raises:
        ValueError: if the radius is negative or not a number, or `kind` is unknown.

    Source: Wang et al., CVPR 2020, section 3, where this is the low-frequency component.
        Differs from the original: centered on DC for odd sizes too; not rescaled by the image's maximum.

    Example:
        >>> x = np.ones((1, 8, 8, 1))
        >>> bool(np.allclose(keras_freq.spectral.low_pass(x, 1), x))
        True
    """

    def mask(height, width):
        return low_pass_mask(height, width, radius, **options)

    options = {"kind": kind, "order": order, "units": units}
    return _filter_band(images, mask, 0.0, radius, data_format, method, **options)


@symbolic()
def high_pass(
    images: Array,
    radius: float,
    *,
    kind: Kind = "ideal",
    order: float = 2,
    units: Units = "index",
    data_format: str = "channels_last",
    method: Method = "auto",
) -> Array:
    """Keep what `low_pass` of the same arguments removes: `low_pass(x, r) + high_pass(x, r) = x`.

    `y = Re IDFT(1[d >= radius] * DFT(x))` for `kind="ideal"`.

    Args:
        images: `(batch, height, width, channels)` or one image without the batch axis.
        radius: Cut-off, at least 0, in `units`.
        kind: `"ideal"`, `"gaussian"`, `"butterworth"` or `"square"`.
        order: Steepness of the Butterworth filter.
        units: `"index"` or `"cycles_per_pixel"`.
        data_format: `"channels_last"` or `"channels_first"`.
        method: `"fft"`, `"matmul"` or `"auto"`.

    Returns:
        Filtered images, same shape and floating type. The mean is gone unless `radius` is 0, so about half of
        the values are negative.

    Raises:
        ValueError: if the radius is negative or not a number, or `kind` is unknown.

    Source: Wang et al., CVPR 2020, section 3, where this is the high-frequency component.

    Example:
        >>> bool(np.allclose(keras_freq.spectral.high_pass(np.ones((1, 8, 8, 1)), 1), 0))
        True
    """

    def mask(height, width):
        return band_mask(height, width, radius, np.inf, **options)

    options = {"kind": kind, "order": order, "units": units}
    return _filter_band(images, mask, radius, np.inf, data_format, method, **options)


@symbolic()
def band_pass(
    images: Array,
    low: float,
    high: float,
    *,
    kind: Kind = "ideal",
    order: float = 2,
    units: Units = "index",
    data_format: str = "channels_last",
    method: Method = "auto",
) -> Array:
    """Keep the frequencies with `low <= d < high`.

    Bands whose edges meet, from 0 to infinity, add up to the image.

    Args:
        images: `(batch, height, width, channels)` or one image without the batch axis.
        low: Inner radius, at least 0, in `units`.
        high: Outer radius, at least `low`; `float("inf")` gives `high_pass(images, low)`.
        kind: `"ideal"`, `"gaussian"`, `"butterworth"` or `"square"`: the difference of two low-pass filters.
        order: Steepness of the Butterworth filters.
        units: `"index"` or `"cycles_per_pixel"`.
        data_format: `"channels_last"` or `"channels_first"`.
        method: `"fft"`, `"matmul"` or `"auto"`.

    Returns:
        Filtered images, same shape and floating type.

    Raises:
        ValueError: if a radius is negative or not a number, or `high` is below `low`.

    Example:
        >>> x = np.random.default_rng(0).random((2, 8, 8, 3))
        >>> inner = keras_freq.spectral.band_pass(x, 0, 3)
        >>> outer = keras_freq.spectral.band_pass(x, 3, float("inf"))
        >>> bool(np.allclose(inner + outer, x))
        True
    """

    def mask(height, width):
        return band_mask(height, width, low, high, **options)

    options = {"kind": kind, "order": order, "units": units}
    return _filter_band(images, mask, low, high, data_format, method, **options)


@symbolic(lambda shape, **options: [shape, shape])
def split_bands(
    images: Array,
    radius: float,
    *,
    kind: Kind = "ideal",
    order: float = 2,
    units: Units = "index",
    data_format: str = "channels_last",
    method: Method = "auto",
) -> tuple[Array, Array]:
    """Split images into a low- and a high-frequency part that add up to them.

    One filter is computed, the other part is the difference: `low = low_pass(x, radius)`, `high = x - low`.

    Args:
        images: `(batch, height, width, channels)` or one image without the batch axis.
        radius: Cut-off, at least 0, in `units`.
        kind: `"ideal"`, `"gaussian"`, `"butterworth"` or `"square"`.
        order: Steepness of the Butterworth filter.
        units: `"index"` or `"cycles_per_pixel"`.
        data_format: `"channels_last"` or `"channels_first"`.
        method: `"fft"`, `"matmul"` or `"auto"`.

    Returns:
        `(low, high)`, both of the images' shape and floating type.

    Raises:
        ValueError: if the radius is negative or not a number, or `kind` is unknown.

    Source: Wang et al., CVPR 2020, section 3.

    Example:
        >>> x = np.random.default_rng(0).random((2, 8, 8, 3))
        >>> low, high = keras_freq.spectral.split_bands(x, 3)
        >>> bool(np.allclose(low + high, x))
        True
    """

    def mask(height, width):
        return low_pass_mask(height, width, radius, **options)

    options = {"kind": kind, "order": order, "units": units}
    planes, back = to_planes(images, data_format, open_size=True)
    low = filter_planes(planes, _fit_band(planes, mask, 0.0, radius, **options), method=method)
    return back(low), back(planes - low)
