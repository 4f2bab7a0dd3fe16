"""Two convolutions whose high frequencies take the place of an image's own."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Literal

import numpy as np

from keras_freq._core.checks import check_choice, check_radius
from keras_freq.spectral._backend import Array, as_array, dtype_of, library_of, sides_of
from keras_freq.spectral._dft import Method, filter_planes
from keras_freq.spectral._grid import radial_distance
from keras_freq.spectral._images import to_planes
from keras_freq.spectral._masks import symmetrize
from keras_freq.spectral._rescale import rescale as rescale_images
from keras_freq.spectral._traced_masks import traced_disk

Masks = Literal["complementary", "reference"]
Enhanced = Literal["minmax", "clip", "none"]
MASKS = ("complementary", "reference")
RESCALES = ("minmax", "clip", "none")


def enhance_density(
    images: Array,
    kernels: Sequence[Array],
    *,
    noise: Array | None = None,
    radius: float = 10,
    masks: Masks = "complementary",
    rescale: Enhanced = "minmax",
    data_format: str = "channels_last",
    method: Method = "auto",
) -> Array:
    """Replace the high frequencies of images by those of the images after two convolutions.

    `y = Re IDFT(L * DFT(x) + (1 - L) * DFT(f(x + n)))` with `f(x) = k2 * (k1 * x + b1) + b2` and
    `L = 1[d <= radius]`, then `(y - min y) / (max y - min y)` in every channel of every image. The
    convolutions are of the `same` size with zeros around; there is no non-linearity between them.

    Args:
        images: `(batch, height, width, channels)` or one image without the batch axis; NumPy array or tensor.
        kernels: `(k1, b1, k2, b2)` of shapes `(size, size, channels, filters)`, `(filters,)`,
            `(size, size, filters, channels)`, `(channels,)`.
        noise: `n`, of the shape of the images, or `None` for 0. It reaches the convolutions alone.
        radius: Cut-off, at least 0, in index units.
        masks: `"complementary"`, or `"reference"`: the two published masks, which leave out the ring between
            `radius` and `radius + 1` and are centered half a bin off DC (and, of odd sides, the middle row
            and column).
        rescale: `"minmax"` as above, `"clip"` to [0, 1], or `"none"`.
        data_format: `"channels_last"` or `"channels_first"`.
        method: `"fft"`, `"matmul"` or `"auto"`.

    Returns:
        Images of the same shape and floating type (float32 for integer images).

    Raises:
        ValueError: if the kernels do not fit the images or each other, or an option is unknown.

    Source: Lin, Gao and Sang, "Investigating and Explaining the Frequency Bias in Image Classification",
        IJCAI 2022 (CDES).
        Differs from the original: complementary masks centered on DC, unless asked otherwise.

    Example:
        >>> x = np.random.default_rng(0).random((2, 16, 16, 3))
        >>> k1, k2 = np.zeros((2, 3, 3, 3, 3))
        >>> k1[1, 1] = k2[1, 1] = np.eye(3)
        >>> y = keras_freq.spectral.enhance_density(x, (k1, np.zeros(3), k2, np.zeros(3)), rescale="none")
        >>> bool(np.allclose(x, y))
        True
    """
    radius = check_radius(radius)
    check_choice(masks, "masks", MASKS)
    check_choice(rescale, "rescale", RESCALES)
    open_size = masks == "complementary"
    planes, back = to_planes(images, data_format, open_size=open_size)
    changed = planes if noise is None else planes + to_planes(noise, data_format, open_size=open_size)[0]
    changed = convolve_twice(changed, kernels)
    if masks == "complementary":
        # One filter in place of two: L x + (1 - L) y = y + L (x - y).
        height, width = sides_of(planes)
        if isinstance(height, int):
            low = _low_mask(height, width, radius)
        else:
            low = traced_disk(library_of(planes), height, width, lambda distance: distance <= radius)
        result = changed + filter_planes(planes - changed, low, method=method)
    else:
        low, high = reference_masks(*planes.shape[-2:], radius)
        result = filter_planes(planes, low, method=method) + filter_planes(changed, high, method=method)
    return rescale_images(back(result), rescale, per="channel", data_format=data_format)


def convolve_twice(planes: Array, kernels: Sequence[Array]) -> Array:
    """`k2 * (k1 * x + b1) + b2` of planes `(batch, channels, height, width)`."""
    xp = library_of(planes)
    x = xp.transpose(planes, (0, 2, 3, 1))
    check_kernels([tuple(as_array(part).shape) for part in kernels], channels=x.shape[-1])
    first, first_bias, second, second_bias = (_convert_like(part, x) for part in kernels)
    x = xp.conv2d(x, first) + first_bias
    return xp.transpose(xp.conv2d(x, second) + second_bias, (0, 3, 1, 2))


def check_kernels(shapes: Sequence[tuple], *, channels: int | None = None) -> None:
    """Refuse shapes that are not those of two convolutions from images to images."""
    shapes = [tuple(shape) for shape in shapes]
    fits = bool(shapes) and len(shapes[0]) == 4
    if fits:
        side, _, found, filters = shapes[0]
        fits = shapes == [(side, side, found, filters), (filters,), (side, side, filters, found), (found,)]
        fits = fits and side % 2 == 1
    if not fits:
        raise ValueError(
            "`kernels` must be (size, size, channels, filters), (filters,), (size, size, filters, channels), "
            f"(channels,) with an odd size. Received: shapes {list(shapes)}"
        )
    if channels is not None and channels != found:
        raise ValueError(
            f"The images must have the {found} channels that the kernels are for. Received: {channels}"
        )


def _convert_like(part: Array, x: Array) -> Array:
    part, xp = as_array(part), library_of(x)
    return xp.constant(part, x) if isinstance(part, np.ndarray) else xp.cast(part, dtype_of(x))


@functools.lru_cache(maxsize=64)
def _low_mask(height: int, width: int, radius: float) -> np.ndarray:
    mask = (radial_distance(height, width) <= radius).astype("float32")
    mask.flags.writeable = False
    return mask


@functools.lru_cache(maxsize=64)
def reference_masks(height: int, width: int, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """The published low and high mask of CDES, as they act on real images.

    One quadrant holds `d <= radius`, or `d >= radius + 1`, and is mirrored about the middle of the array. The
    middle row and column of odd sides, the frequencies with a 0 in them, are in neither. The result is not
    Hermitian; dropping the imaginary part, as published, is the mean with its mirror image.
    """
    rows, columns = (n // 2 - np.minimum(np.arange(n), n - 1 - np.arange(n)) for n in (height, width))
    distance = np.hypot(rows[:, None], columns)
    inside = (rows > 0)[:, None] & (columns > 0)
    low, high = (symmetrize(mask & inside, "mean") for mask in (distance <= radius, distance >= radius + 1))
    low.flags.writeable = high.flags.writeable = False
    return low, high
