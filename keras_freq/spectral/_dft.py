"""Real two-dimensional DFT of image planes, as small matrix products or by the backend's FFT.

Planes are float arrays of shape `(..., height, width)`; a spectrum is a pair `(re, im)` of real arrays of
shape `(..., height, width // 2 + 1)`, not centered, unnormalized forward and `1 / (height * width)` backward.
Which way is taken is decided by `choose_method`:

* JAX under a `keras.distribution`: matrix products. There an FFT makes every device compute the whole batch,
  and some forms crash; a matrix product needs no communication.
* JAX, radial filters up to 64 pixels a side: matrix products too, the real ones of the Hartley transform,
  which are faster than its FFT.
* elsewhere the library's own real FFT, the fastest there.
"""

from __future__ import annotations

import functools
from typing import Any, Literal

import numpy as np

from keras_freq._core.checks import check_choice
from keras_freq.spectral._backend import Array, is_distributed, library_of, sides_of
from keras_freq.spectral._grid import mirror_index

Method = Literal["auto", "matmul", "fft"]
METHODS = ("auto", "matmul", "fft")
LARGEST_MATMUL = 64


def choose_method(x: Array, method: Method = "auto", *, real: bool = False) -> str:
    """How to transform planes `x`; `real` says whether the Hartley transform would do."""
    check_choice(method, "method", METHODS)
    if method != "auto":
        return method
    if library_of(x).name != "jax":
        return "fft"
    return "matmul" if is_distributed() or (real and max(x.shape[-2:]) <= LARGEST_MATMUL) else "fft"


@functools.lru_cache(maxsize=64)
def _angles(n: int, columns: int) -> np.ndarray:
    # The product modulo n keeps the angle exact for large sizes.
    return 2 * np.pi / n * (np.outer(np.arange(n), np.arange(columns)) % n)


@functools.lru_cache(maxsize=64)
def _along_width(width: int) -> np.ndarray:
    """(width, 2K): image rows times this are `[re | im]` of their half spectra."""
    angles = _angles(width, width // 2 + 1)
    return np.concatenate([np.cos(angles), -np.sin(angles)], axis=1)


@functools.lru_cache(maxsize=64)
def _back_along_width(width: int) -> np.ndarray:
    """(2K, width): `[re | im]` times this are image rows; columns that stand for two frequencies count
    twice."""
    weight = np.full(width // 2 + 1, 2.0)
    weight[0] = 1
    if width % 2 == 0:
        weight[-1] = 1
    angles = _angles(width, width // 2 + 1).T
    return np.concatenate([weight[:, None] * np.cos(angles), -weight[:, None] * np.sin(angles)]) / width


@functools.lru_cache(maxsize=64)
def _along_height(height: int) -> np.ndarray:
    """(2 * height, height): cosines over sines."""
    angles = _angles(height, height)
    return np.concatenate([np.cos(angles), np.sin(angles)])


@functools.lru_cache(maxsize=64)
def _hartley(n: int) -> np.ndarray:
    angles = _angles(n, n)
    return (np.cos(angles) + np.sin(angles)) / np.sqrt(n)


def _hartley_like(n: Any, x: Array) -> Array:
    """`_hartley` in the type of `x`, by operations where the size is known only when compiled code runs."""
    xp = library_of(x)
    if isinstance(n, int):
        return xp.constant(_hartley(n), x)
    places, size = xp.arange(n), xp.cast(n, "float64")
    angles = 2 * np.pi / size * xp.cast(xp.expand_dims(places, 1) * places % n, "float64")
    return xp.cast((xp.cos(angles) + xp.sin(angles)) / xp.sqrt(size), x.dtype)


def check_known_sides(x: Array) -> None:
    if None in tuple(x.shape[-2:]):
        raise ValueError(
            '`method="matmul"` needs images of a known height and width here: give keras.Input the size, or '
            f'take "auto" or "fft". Received: planes of shape {tuple(x.shape)}'
        )


def rfft2(x: Array, *, method: Method = "auto") -> tuple[Array, Array]:
    """Half spectrum `(re, im)` of real planes."""
    xp = library_of(x)
    if choose_method(x, method) == "fft":
        return xp.rfft2(x)
    check_known_sides(x)
    height, width = x.shape[-2:]
    columns = width // 2 + 1
    rows = xp.matmul(x, xp.constant(_along_width(width), x))
    # Quadrants of the product: cos*re, cos*im over sin*re, sin*im.
    product = xp.matmul(xp.constant(_along_height(height), x), rows)
    cosine, sine = product[..., :height, :], product[..., height:, :]
    re = cosine[..., :columns] + sine[..., columns:]
    im = cosine[..., columns:] - sine[..., :columns]
    return re, im


def irfft2(re: Array, im: Array, height: int, width: int, *, method: Method = "auto") -> Array:
    """Real planes of a half spectrum."""
    xp = library_of(re)
    if choose_method(re, method) == "fft":
        return xp.irfft2(re, im, height, width)
    check_known_sides(re)
    columns = width // 2 + 1
    product = xp.matmul(xp.constant(_along_height(height) / height, re), xp.concatenate([re, im], axis=-1))
    cosine, sine = product[..., :height, :], product[..., height:, :]
    rows = xp.concatenate(
        [cosine[..., :columns] - sine[..., columns:], cosine[..., columns:] + sine[..., :columns]], axis=-1
    )
    return xp.matmul(rows, xp.constant(_back_along_width(width), re))


def half_mask(mask: Array, height: int, width: int) -> Array:
    """The columns of a centered mask that a half spectrum has, in its order."""
    if not isinstance(height, int):  # known only when compiled code runs
        xp = library_of(mask)
        rolled = xp.roll(xp.roll(mask, -(height // 2), 0), -(width // 2), 1)
        return rolled[:, : width // 2 + 1]
    rows = np.roll(np.arange(height), -(height // 2))
    columns = np.roll(np.arange(width), -(width // 2))[: width // 2 + 1]
    if isinstance(mask, np.ndarray):
        return mask[np.ix_(rows, columns)]
    xp = library_of(mask)
    return xp.take(xp.take(mask, xp.indices(rows), axis=0), xp.indices(columns), axis=1)


def _flips_onto_itself(mask: Array) -> bool:
    """Whether a NumPy mask is symmetric about each axis, as all radial ones are and a one-pair mask is
    not."""
    if not isinstance(mask, np.ndarray):
        return False
    rows, columns = mirror_index(mask.shape[0]), mirror_index(mask.shape[1])
    return np.array_equal(mask, mask[rows]) and np.array_equal(mask, mask[:, columns])


def filter_planes(x: Array, mask: Array, *, method: Method = "auto") -> Array:
    """Multiply the spectrum of real planes by a centered Hermitian mask of shape `(height, width)`."""
    xp = library_of(x)
    height, width = sides_of(x)
    # Masks made by operations, for a size not known yet, are those of bands.
    flips = not isinstance(height, int) or _flips_onto_itself(mask)
    if choose_method(x, method, real=flips) == "fft":
        half = half_mask(mask, height, width)
        return xp.filter2(x, xp.constant(half, x) if isinstance(half, np.ndarray) else half)
    if flips:
        # Then the real Hartley transform does, C (M * (C x C)) C: half the products of the complex one.
        left, right = _hartley_like(height, x), _hartley_like(width, x)
        if isinstance(mask, np.ndarray):
            gain = xp.constant(np.fft.ifftshift(mask), x)
        else:
            gain = xp.cast(xp.roll(xp.roll(mask, -(height // 2), 0), -(width // 2), 1), x.dtype)
        return xp.matmul(xp.matmul(left, gain * xp.matmul(xp.matmul(left, x), right)), right)
    half = half_mask(mask, height, width)
    half = xp.constant(half, x) if isinstance(half, np.ndarray) else half
    re, im = rfft2(x, method="matmul")
    return irfft2(re * half, im * half, height, width, method="matmul")


def dft_channels(re: Array, im: Array, *, inverse: bool = False) -> tuple[Array, Array]:
    """Complex DFT of a spectrum `(batch, channels, height, columns)` along its channel axis."""
    xp = library_of(re)
    channels = re.shape[1]
    angles = _angles(channels, channels)
    cosine, sine = np.cos(angles), -np.sin(angles) if inverse else np.sin(angles)
    if inverse:
        cosine, sine = cosine / channels, sine / channels
    if channels <= 4 and xp.name not in ("numpy", "torch"):
        # Written out, which XLA fuses: several times faster there than matrix products this thin. NumPy and
        # PyTorch walk through memory for each step; TensorFlow does too, but rounds products on a GPU.
        parts = [(re[:, k], im[:, k]) for k in range(channels)]
        rows = [
            [(float(c), float(s)) for c, s in zip(*row, strict=True)]
            for row in zip(cosine, sine, strict=True)
        ]
        out_re = [sum(c * r + s * i for (c, s), (r, i) in zip(row, parts, strict=True)) for row in rows]
        out_im = [sum(c * i - s * r for (c, s), (r, i) in zip(row, parts, strict=True)) for row in rows]
        return xp.stack(out_re, axis=1), xp.stack(out_im, axis=1)
    height, columns = sides_of(re)
    both = xp.reshape(xp.concatenate([re, im], axis=1), (-1, 2 * channels, height * columns))
    matrix = xp.constant(np.block([[cosine, sine], [-sine, cosine]]), re)
    both = xp.reshape(xp.matmul(matrix, both), (-1, 2 * channels, height, columns))
    return both[:, :channels], both[:, channels:]


def full_spectrum(re: Array, im: Array, width: int) -> tuple[Array, Array]:
    """All columns of the spectrum, centered, from its half."""
    xp = library_of(re)
    height, columns = re.shape[-2:]
    rows = xp.indices((-np.arange(height)) % height)
    mirrored = xp.indices(np.arange(width - columns, 0, -1))

    def complete(half, sign):
        partner = sign * xp.take(xp.take(half, rows, axis=-2), mirrored, axis=-1)
        full = xp.concatenate([half, partner], axis=-1)
        full = xp.take(full, xp.indices(np.roll(np.arange(height), height // 2)), axis=-2)
        return xp.take(full, xp.indices(np.roll(np.arange(width), width // 2)), axis=-1)

    return complete(re, 1), complete(im, -1)
