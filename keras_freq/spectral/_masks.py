"""Gains over a centered spectrum: NumPy float32, cached by shape, read-only."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from keras_freq._core.checks import check_choice, check_number, check_radius, check_whole
from keras_freq.spectral._grid import Units, frequency_axes, mirror, radial_distance

Kind = Literal["ideal", "gaussian", "butterworth", "square"]
KINDS = ("ideal", "gaussian", "butterworth", "square")
Symmetrize = Literal["mean", "min", "max"]
_COMBINE: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "mean": lambda a, b: (a + b) / 2,
    "min": np.minimum,
    "max": np.maximum,
}


def _freeze(mask: np.ndarray) -> np.ndarray:
    mask = np.ascontiguousarray(mask, dtype="float32")
    mask.flags.writeable = False
    return mask


@functools.lru_cache(maxsize=256)
def _disk(height, width, radius, units):
    return _freeze(radial_distance(height, width, units=units) < radius)


@functools.lru_cache(maxsize=256)
def _square(height, width, radius, units):
    rows, columns = frequency_axes(height, width, units=units)
    return _freeze(np.maximum(np.abs(rows), np.abs(columns)) < radius)


@functools.lru_cache(maxsize=256)
def _gaussian(height, width, radius, units):
    if radius == 0:
        return _disk(height, width, 0.0, units)
    # Far outside a tiny radius the exponent overflows to infinity, where the gain is rightly 0.
    with np.errstate(over="ignore"):
        return _freeze(np.exp(-0.5 * (radial_distance(height, width, units=units) / radius) ** 2))


@functools.lru_cache(maxsize=256)
def _butterworth(height, width, radius, order, units):
    if radius == 0:
        return _disk(height, width, 0.0, units)
    # A steep order or a tiny radius overflows to infinity far outside, where the gain is rightly 0.
    with np.errstate(over="ignore"):
        return _freeze(1 / (1 + (radial_distance(height, width, units=units) / radius) ** (2 * order)))


@functools.lru_cache(maxsize=256)
def _blur(height, width, sigma, kernel_size):
    offsets = np.arange(kernel_size) - kernel_size // 2
    # A sigma near 0 overflows to infinity beside the middle tap, whose weight is rightly all there is.
    with np.errstate(over="ignore"):
        kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()
    rows, columns = (
        np.cos(2 * np.pi * axis.ravel()[:, None] * offsets) @ kernel
        for axis in frequency_axes(height, width, units="cycles_per_pixel")
    )
    return _freeze(np.outer(rows, columns))


def disk_mask(height: int, width: int, radius: float, *, units: Units = "index") -> np.ndarray:
    """Ideal low-pass: 1 where the distance from DC is below `radius`, else 0.

    `m[i, j] = 1 if d[i, j] < radius else 0`, with `d` of `radial_distance`.

    Args:
        height: Rows of the spectrum.
        width: Columns of the spectrum.
        radius: At least 0, in `units`. 0 keeps nothing; on 32x32 a radius of 23 keeps all.
        units: `"index"` or `"cycles_per_pixel"`.

    Returns:
        A read-only float32 array of shape `(height, width)`, DC at `(height // 2, width // 2)`.

    Raises:
        ValueError: if a side is no whole number of at least 1, the radius is negative or not a number, or the
            units are unknown.

    Source: Wang et al., CVPR 2020, section 3 (the comparison is strict, as in the authors' code).

    Example:
        >>> int(keras_freq.spectral.disk_mask(32, 32, 4).sum())
        45
    """
    return _disk(height, width, check_radius(radius), units)


def ring_mask(height: int, width: int, low: float, high: float, *, units: Units = "index") -> np.ndarray:
    """Ideal band-pass: 1 where `low <= d < high`, else 0.

    Rings whose edges meet add up to one without overlap, and `ring_mask(h, w, 0, r)` is `disk_mask(h, w, r)`.

    Args:
        height: Rows of the spectrum.
        width: Columns of the spectrum.
        low: Inner radius, at least 0, included.
        high: Outer radius, at least `low`, excluded.
        units: `"index"` or `"cycles_per_pixel"`.

    Returns:
        A read-only float32 array of shape `(height, width)`.

    Raises:
        ValueError: if a side is no whole number of at least 1, a radius is negative or not a number, `high`
            is below `low`, or the units are unknown.

    Example:
        >>> int(keras_freq.spectral.ring_mask(32, 32, 4, 8).sum())
        148
    """
    return band_mask(height, width, low, high, kind="ideal", units=units)


def square_mask(height: int, width: int, radius: float, *, units: Units = "index") -> np.ndarray:
    """Square low-pass: 1 where both axes' frequencies are below `radius` in magnitude.

    `m[i, j] = 1 if max(|i - height // 2|, |j - width // 2|) < radius else 0`

    Args:
        height: Rows of the spectrum.
        width: Columns of the spectrum.
        radius: Half the side, at least 0, in `units`.
        units: `"index"` or `"cycles_per_pixel"`.

    Returns:
        A read-only float32 array of shape `(height, width)`.

    Raises:
        ValueError: if a side is no whole number of at least 1, the radius is negative or not a number, or the
            units are unknown.

    Example:
        >>> int(keras_freq.spectral.square_mask(32, 32, 2).sum())
        9
    """
    return _square(height, width, check_radius(radius), units)


def gaussian_mask(height: int, width: int, radius: float, *, units: Units = "index") -> np.ndarray:
    """Gaussian low-pass; the gain at `radius` is `exp(-1/2)`, about 0.607.

    `m[i, j] = exp(-d[i, j]**2 / (2 * radius**2))`

    Args:
        height: Rows of the spectrum.
        width: Columns of the spectrum.
        radius: Standard deviation in the frequency domain, at least 0, in `units`; 0 keeps nothing.
        units: `"index"` or `"cycles_per_pixel"`.

    Returns:
        A read-only float32 array of shape `(height, width)`, 1 at DC; zeros for a radius of 0.

    Raises:
        ValueError: if a side is no whole number of at least 1, the radius is negative or not a number, or the
            units are unknown.

    Example:
        >>> keras_freq.spectral.gaussian_mask(32, 32, 4)[16, 20].round(3)
        np.float32(0.607)
    """
    return _gaussian(height, width, check_radius(radius), units)


def butterworth_mask(
    height: int, width: int, radius: float, *, order: float = 2, units: Units = "index"
) -> np.ndarray:
    """Butterworth low-pass; the gain at `radius` is 1/2.

    `m[i, j] = 1 / (1 + (d[i, j] / radius)**(2 * order))`

    Args:
        height: Rows of the spectrum.
        width: Columns of the spectrum.
        radius: Cut-off, at least 0, in `units`; 0 keeps nothing.
        order: Steepness, above 0. Toward infinity the mask becomes `disk_mask`.
        units: `"index"` or `"cycles_per_pixel"`.

    Returns:
        A read-only float32 array of shape `(height, width)`, 1 at DC; zeros for a radius of 0.

    Raises:
        ValueError: if a side is no whole number of at least 1, the radius is negative or not a number, the
            order is not above 0, or the units are unknown.

    Source: Butterworth, "On the Theory of Filter Amplifiers", 1930; the squared (power) form, as is usual for
        images.

    Example:
        >>> keras_freq.spectral.butterworth_mask(32, 32, 4)[16, 20]
        np.float32(0.5)
    """
    order = order if order == np.inf else check_number(order, "order", above=0)
    return _butterworth(height, width, check_radius(radius), order, units)


def blur_mask(height: int, width: int, sigma: float, *, kernel_size: int = 3) -> np.ndarray:
    """Transfer function of a Gaussian blur with a small sampled kernel, as image libraries do it.

    `m[u, v] = g(u / height) * g(v / width)` with `g(f) = sum over |j| <= kernel_size // 2 of k[j] * cos(2 *
    pi * f * j)` and `k[j]` proportional to `exp(-j**2 / (2 * sigma**2))`, of sum 1. Filtering with it is the
    convolution with `k` along both axes, exactly, where the image repeats beyond its borders.

    Args:
        height: Rows of the spectrum.
        width: Columns of the spectrum.
        sigma: Standard deviation of the kernel in pixels, above 0. A larger one keeps fewer frequencies.
        kernel_size: Taps along each axis, odd. A kernel that is short for its sigma cuts the Gaussian off:
            the gain may be negative at high frequencies.

    Returns:
        A read-only float32 array of shape `(height, width)`, 1 at DC.

    Raises:
        ValueError: if `sigma` is not above 0 or `kernel_size` is not odd.

    Source: Gonzalez and Woods, "Digital Image Processing": a filter kernel and its transfer function.

    Example:
        >>> keras_freq.spectral.blur_mask(32, 32, 0.5)[16, 0].round(3)
        np.float32(0.574)
    """
    sigma, kernel_size = check_number(sigma, "sigma", above=0), check_whole(kernel_size, "kernel_size")
    if kernel_size % 2 == 0:
        raise ValueError(f"`kernel_size` must be odd. Received: kernel_size={kernel_size}")
    return _blur(height, width, sigma, kernel_size)


def low_pass_mask(
    height: int,
    width: int,
    radius: float,
    *,
    kind: Kind = "ideal",
    order: float = 2,
    units: Units = "index",
) -> np.ndarray:
    """The low-pass mask of a `kind`: `disk_mask`, `gaussian_mask`, `butterworth_mask` or `square_mask`."""
    check_choice(kind, "kind", KINDS)
    if kind == "butterworth":
        return butterworth_mask(height, width, radius, order=order, units=units)
    make = {"ideal": disk_mask, "gaussian": gaussian_mask, "square": square_mask}[kind]
    return make(height, width, radius, units=units)


def band_mask(
    height: int,
    width: int,
    low: float,
    high: float,
    *,
    kind: Kind = "ideal",
    order: float = 2,
    units: Units = "index",
) -> np.ndarray:
    """What low-pass `high` keeps and low-pass `low` does not; `high=inf` gives the high-pass."""
    low, high = check_radius(low, name="low"), check_radius(high, name="high")
    if high < low:
        raise ValueError(f"`high` must be at least `low`. Received: low={low:g}, high={high:g}")
    inner = low_pass_mask(height, width, low, kind=kind, order=order, units=units)
    if np.isinf(high):
        return _freeze(1 - inner)
    return _freeze(low_pass_mask(height, width, high, kind=kind, order=order, units=units) - inner)


def is_hermitian(mask: np.ndarray, *, tolerance: float = 0.0) -> bool:
    """Whether a centered gain mask keeps real images real: `m[u, v] == m[-u, -v]` for all frequencies.

    Args:
        mask: Shape `(height, width)`, DC at `(height // 2, width // 2)`.
        tolerance: Largest absolute difference that still counts as equal.

    Returns:
        `True` or `False`.

    Raises:
        ValueError: if the mask has not two axes.

    Example:
        >>> keras_freq.spectral.is_hermitian(keras_freq.spectral.disk_mask(31, 31, 8))
        True
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ValueError(f"`mask` must have shape (height, width). Received: shape={mask.shape}")
    return bool(np.all(np.abs(mask.astype("float64") - mirror(mask)) <= tolerance))


def symmetrize(mask: np.ndarray, how: Symmetrize = "mean") -> np.ndarray:
    """Make a mask Hermitian by combining each entry with its conjugate partner.

    Args:
        mask: Shape `(height, width)`, centered.
        how: `"mean"` is what taking the real part of the filtered image amounts to; `"min"` removes a
            frequency if either partner is removed; `"max"` keeps it if either is kept.

    Returns:
        A float32 array of shape `(height, width)`.

    Raises:
        ValueError: if `how` is unknown.

    Example:
        >>> one_sided = np.zeros((5, 5)); one_sided[2, 3] = 1
        >>> keras_freq.spectral.symmetrize(one_sided, "max")[2]
        array([0., 1., 0., 1., 0.], dtype=float32)
    """
    check_choice(how, "how", tuple(_COMBINE))
    mask = _as_mask(mask)
    return _COMBINE[how](mask, mirror(mask))


def _as_mask(mask: Any) -> np.ndarray:
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.dtype.kind not in "biuf" or not mask.size:
        raise ValueError(
            "`mask` must be an array of real numbers (height, width). "
            f"Received: mask of shape {mask.shape}, {mask.dtype}"
        )
    return mask.astype("float32")


def check_mask(mask: np.ndarray, height: int, width: int, *, how: Symmetrize | None = None) -> np.ndarray:
    """The mask as float32, after checking size, finiteness and symmetry (or making it symmetric)."""
    mask = _as_mask(mask)
    if mask.shape != (height, width):
        raise ValueError(
            f"`mask` must have the images' size ({height}, {width}). Received: mask.shape={mask.shape}"
        )
    if not np.isfinite(mask.astype("float64")).all():
        raise ValueError(
            f"`mask` must hold finite gains. Received: {int((~np.isfinite(mask)).sum())} entries that are not"
        )
    if how is not None:
        return symmetrize(mask, how)
    wrong = np.argwhere(np.abs(mask.astype("float64") - mirror(mask)) > 1e-6)
    if len(wrong):
        shown = ", ".join(str((int(i), int(j))) for i, j in wrong[:4]) + (", ..." if len(wrong) > 4 else "")
        raise ValueError(
            "`mask` must be Hermitian (m[u, v] == m[-u, -v]), else the filtered image is not real; pass "
            f'symmetrize="mean", "min" or "max" to make it so. Received: {len(wrong)} entries that '
            f"differ from their conjugate partner, at {shown}"
        )
    return mask.astype("float32")
