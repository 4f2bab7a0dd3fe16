"""Amplitude and phase: taking images apart, and putting the amplitude of one onto the phase of another."""

from __future__ import annotations

from typing import Literal

import numpy as np

from keras_freq._core.checks import check_choice
from keras_freq.spectral._backend import Array, as_array, library_of, sides_of, symbolic
from keras_freq.spectral._dft import Method, dft_channels, full_spectrum, half_mask, irfft2, rfft2
from keras_freq.spectral._images import to_planes
from keras_freq.spectral._masks import check_mask

Axes = Literal["chw", "hw"]
# Added under square roots: a magnitude of 0 has no derivative, this one's is finite.
EPSILON = 1e-12
# Amplitudes below this share of an image's largest are none: gray images have no color, even ones DC alone.
EMPTY = 1e-6


def magnitude(re: Array, im: Array) -> Array:
    """`sqrt(re**2 + im**2 + 1e-12)`."""
    return library_of(re).sqrt(re * re + im * im + EPSILON)


def put_phase(gain: Array, phase_of: tuple[Array, Array], donor: tuple[Array, Array]) -> tuple[Array, Array]:
    """A spectrum of the magnitude `gain` with the phase of another; where that has none, the donor's own.

    Spectra are `(batch, channels, height, columns)`. A bin below `EMPTY` of the largest of its image is
    rounding noise, whose phase follows the backend and the method.
    """
    re, im = phase_of
    xp = library_of(re)
    power = re * re + im * im
    empty = power <= EMPTY**2 * xp.max(power, axis=(1, 2, 3), keepdims=True)
    scale = gain / xp.sqrt(xp.where(empty, xp.ones_like(power), power + EPSILON))
    return xp.where(empty, donor[0], re * scale), xp.where(empty, donor[1], im * scale)


def _may_be_equal(one: tuple, other: tuple) -> bool:
    """Whether two shapes are the same, as far as they are known."""
    if len(one) != len(other):
        return False
    return all(a is None or b is None or a == b for a, b in zip(one, other, strict=True))


@symbolic()
def amplitude(images: Array, *, data_format: str = "channels_last", method: Method = "auto") -> Array:
    """Amplitude of every frequency, per channel, centered.

    `A[u, v] = sqrt(|F[u, v]|**2 + 1e-12)`, with `F` the unnormalized DFT over the two spatial axes.

    Args:
        images: `(batch, height, width, channels)` or one image without the batch axis.
        data_format: `"channels_last"` or `"channels_first"`.
        method: `"fft"`, `"matmul"` or `"auto"`.

    Returns:
        Amplitudes in the images' shape and floating type, DC at `(height // 2, width // 2)`. The gradient is
        finite at 0.

    Raises:
        ValueError: if the images are not of rank 3 or 4 with a known size, or an option is unknown.

    Example:
        >>> float(keras_freq.spectral.amplitude(np.ones((1, 4, 4, 1)))[0, 2, 2, 0].round(6))
        16.0
    """
    planes, back = to_planes(images, data_format)
    re, im = full_spectrum(*rfft2(planes, method=method), planes.shape[-1])
    return back(magnitude(re, im))


@symbolic()
def phase(images: Array, *, data_format: str = "channels_last", method: Method = "auto") -> Array:
    """Phase of every frequency, per channel, centered, in radians from -pi to pi.

    `P[u, v] = atan2(Im F[u, v], Re F[u, v])`, and 0 where `F` is 0.

    Args:
        images: `(batch, height, width, channels)` or one image without the batch axis.
        data_format: `"channels_last"` or `"channels_first"`.
        method: `"fft"`, `"matmul"` or `"auto"`.

    Returns:
        Phases in the images' shape and floating type, DC at `(height // 2, width // 2)`. To train through a
        recombination use `recombine`, which needs no angles.

    Raises:
        ValueError: if the images are not of rank 3 or 4 with a known size, or an option is unknown.

    Example:
        >>> float(keras_freq.spectral.phase(-np.ones((1, 4, 4, 1)))[0, 2, 2, 0].round(4))
        3.1416
    """
    planes, back = to_planes(images, data_format)
    xp = library_of(planes)
    re, im = full_spectrum(*rfft2(planes, method=method), planes.shape[-1])
    # atan2 has no derivative at the origin: the angle is taken of 1 there.
    empty = re * re + im * im <= 0
    re = xp.where(empty, xp.ones_like(re), re)
    im = xp.where(empty, xp.zeros_like(im), im)
    return back(xp.arctan2(im, re))


@symbolic()
def recombine(
    amplitude_of: Array,
    phase_of: Array,
    axes: Axes = "chw",
    *,
    data_format: str = "channels_last",
    method: Method = "auto",
) -> Array:
    """Images with the amplitude of one batch and the phase of another.

    `y = Re IDFT(|F(a)| * F(p) / |F(p)|)`, and `F(a)` itself in bins where `|F(p)|` is below 1e-6 of its
    largest value: there is no phase but rounding noise, in all channel frequencies of a gray image but one
    for example. `recombine(x, x)` is `x`.

    Args:
        amplitude_of: `(batch, height, width, channels)` or one image without the batch axis.
        phase_of: Same shape. The label of the result is that of these images.
        axes: `"chw"` transforms over channels and space, as published; `"hw"` over space only, channel by
            channel. On RGB images the two differ by several gray levels.
        data_format: `"channels_last"` or `"channels_first"`.
        method: `"fft"`, `"matmul"` or `"auto"`.

    Returns:
        Images in the shape and floating type of `phase_of`. Not clipped: about 5 % of the values of a pair of
        natural images leave [0, 1].

    Raises:
        ValueError: if the shapes differ or `axes` is unknown.

    Source: Chen et al., "Amplitude-Phase Recombination: Rethinking Robustness of Convolutional Neural
        Networks in Frequency Domain", ICCV 2021, section 3.
        Differs from the original: a ratio in place of `angle` and `exp`, so that gradients are finite
        everywhere; the original takes the phase of rounding noise for one.

    Example:
        >>> x = np.random.default_rng(0).random((2, 8, 8, 3))
        >>> bool(np.allclose(keras_freq.spectral.recombine(x, x), x))
        True
    """
    check_choice(axes, "axes", ("chw", "hw"))
    amplitude_of, phase_of = as_array(amplitude_of), as_array(phase_of)
    if not _may_be_equal(amplitude_of.shape, phase_of.shape):
        raise ValueError(
            "`amplitude_of` and `phase_of` must have the same shape. Received: "
            f"amplitude_of.shape={tuple(amplitude_of.shape)}, phase_of.shape={tuple(phase_of.shape)}"
        )
    source, _ = to_planes(amplitude_of, data_format, open_size=True)
    planes, back = to_planes(phase_of, data_format, open_size=True)
    height, width = sides_of(planes)
    spectrum, target = rfft2(source, method=method), rfft2(planes, method=method)
    if axes == "chw":
        spectrum, target = dft_channels(*spectrum), dft_channels(*target)
    gain = magnitude(*spectrum)
    re, im = put_phase(gain, target, spectrum)
    if axes == "chw":
        re, im = dft_channels(re, im, inverse=True)
    return back(irfft2(re, im, height, width, method=method))


@symbolic()
def swap_low_amplitude(
    images: Array,
    donors: Array,
    mask: Array,
    *,
    data_format: str = "channels_last",
    method: Method = "auto",
) -> Array:
    """Images whose amplitude is that of other images where a mask is 1, with the phase they have.

    `y = Re IDFT((m * |F(d)| + (1 - m) * |F(x)|) * F(x) / |F(x)|)` per channel over space, and `F(d)` itself
    in place of `|F(d)| * F(x) / |F(x)|` in bins where `|F(x)|` is below 1e-6 of its largest value, which have
    no phase. Gains between 0 and 1 take that share of the donor's amplitude.

    Args:
        images: `(batch, height, width, channels)` or one image without the batch axis. The label of the
            result is that of these images.
        donors: Same shape: whose amplitude is taken.
        mask: `(height, width)`, centered, as for `apply_mask`: a low-pass such as `square_mask` swaps the low
            frequencies. A NumPy array is checked to be Hermitian, a tensor is taken as it is.
        data_format: `"channels_last"` or `"channels_first"`.
        method: `"fft"`, `"matmul"` or `"auto"`.

    Returns:
        Images in the shape and floating type of `images`. Not clipped.

    Raises:
        ValueError: if the shapes differ, or the mask has another size than the images, is not finite, or is
            not Hermitian.

    Source: Yang and Soatto, "FDA: Fourier Domain Adaptation for Semantic Segmentation", CVPR 2020, section 3.
        Differs from the original: any Hermitian mask; where it is 0, `F(x)` is kept as it is.

    Example:
        >>> x, d = np.random.default_rng(0).random((2, 1, 8, 8, 3))
        >>> y = keras_freq.spectral.swap_low_amplitude(x, d, keras_freq.spectral.square_mask(8, 8, 1))
        >>> bool(np.allclose(y - y.mean((1, 2)), x - x.mean((1, 2)))), bool(np.allclose(y.mean(), d.mean()))
        (True, True)
    """
    images, donors, mask = as_array(images), as_array(donors), as_array(mask)
    if not _may_be_equal(images.shape, donors.shape):
        raise ValueError(
            "`images` and `donors` must have the same shape. Received: "
            f"images.shape={tuple(images.shape)}, donors.shape={tuple(donors.shape)}"
        )
    known = isinstance(mask, np.ndarray)
    planes, back = to_planes(images, data_format, open_size=not known)
    source, _ = to_planes(donors, data_format, open_size=not known)
    xp = library_of(planes)
    height, width = sides_of(planes)
    if known:
        share = xp.constant(half_mask(check_mask(mask, height, width), height, width), planes)
    elif tuple(mask.shape) == tuple(planes.shape[-2:]):
        share = xp.cast(half_mask(mask, height, width), planes.dtype)
    else:
        raise ValueError(
            f"`mask` must have the images' size ({height}, {width}). Received: mask.shape={tuple(mask.shape)}"
        )
    re, im = rfft2(planes, method=method)
    donor = rfft2(source, method=method)
    swapped = put_phase(magnitude(*donor), (re, im), donor)
    re, im = (1 - share) * re + share * swapped[0], (1 - share) * im + share * swapped[1]
    return back(irfft2(re, im, height, width, method=method))
