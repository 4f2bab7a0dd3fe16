"""HARS: images whose low and high frequencies belong to different classes."""

from __future__ import annotations

import dataclasses
import functools
from typing import Literal

import numpy as np

from keras_freq._core.checks import check_choice, check_labeled_images, check_radius, check_whole
from keras_freq._core.pixels import unit_float32
from keras_freq.spectral._dft import LARGEST_MATMUL, Method
from keras_freq.spectral._enhance import RESCALES, Enhanced
from keras_freq.spectral._filters import low_pass
from keras_freq.spectral._rescale import rescale as rescale_images

Keep = Literal["high", "low"]
Transform = Literal["dft", "dct"]


@dataclasses.dataclass(frozen=True, eq=False)
class HARS:
    """Images whose labels hold for one part of the spectrum only.

    Attributes:
        images: float32 `(n, height, width, channels)`, in the order of the given images.
        labels: Class of the kept part, which is the class of the given image: int32 `(n,)`.
        donors: Index of the image that gave the other part, int64 `(n,)`: a permutation that keeps no class.

    Example:
        >>> hars = keras_freq.cdes.make_hars(images, labels, keep="low")
        >>> hars.images.shape, hars.labels.tolist()
        ((8, 32, 32, 3), [0, 1, 2, 3, 0, 1, 2, 3])
    """

    images: np.ndarray
    labels: np.ndarray
    donors: np.ndarray


def make_hars(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    radius: float = 12,
    keep: Keep = "high",
    transform: Transform = "dft",
    rescale: Enhanced = "minmax",
    seed: int = 0,
    batch_size: int = 256,
) -> HARS:
    """Give every image a part of the spectrum of an image of another class.

    `keep="high"`: `y = Re IDFT(m * DFT(x') + (1 - m) * DFT(x))`; `keep="low"`: `y = Re IDFT(m * DFT(x) +
    (1 - m) * DFT(x'))`, with `x'` the donor of `x` and `m = 1[d < radius]`, in every channel. A network that
    trains on `y` with the class of `x` finds that class in the kept part alone; the other part speaks for
    other classes.

    The donors follow from `labels` and `seed` alone, so that data sets of either transform and part can be
    compared image by image: the images are shuffled, then those that met their own class exchange donors with
    images that have nothing to do with that class. One pass always suffices: of `n` images let a class have
    `c`, and `k` of those a donor of the same class; then `n - 2c + k` images neither are of that class nor
    have a donor of it, at least `k` where no class holds more than half of the images.

    Args:
        images: `(n, height, width, channels)`, uint8 in [0, 255] or floats in [0, 1], of any size.
        labels: `(n,)` class indices or one-hot `(n, classes)`; no class may hold more than half of the
            images.
        radius: Where the parts meet, at least 0, in index units.
        keep: Which part the label holds for, `"high"` or `"low"`.
        transform: `"dft"`, where the low part is the disk `d < radius`, or `"dct"` (orthonormal DCT-II),
            where it is the square of indices below `radius` in both directions.
        rescale: What becomes of the result: `"minmax"` in every channel of every image, as published,
            `"clip"` to [0, 1], or `"none"`.
        seed: Seed of the donors, at least 0.
        batch_size: Images per step, at least 1. The result does not depend on it beyond rounding.

    Returns:
        `HARS`: images, labels and donors.

    Raises:
        ValueError: if images, labels or an option are not as above.

    Source: Lin, Gao and Sang, "Investigating and Explaining the Frequency Bias in Image Classification",
        IJCAI 2022, section on class consistency; radius 12.
        Differs from the original: the result stays float, the published images are truncated to 8 bits;
        donors are drawn from all images of other classes alike, not class by class, from one seed and
        without the loop that has no end once only the own class has donors left.

    Example:
        >>> hars = keras_freq.cdes.make_hars(images, labels, radius=12, keep="high")
        >>> bool((labels[hars.donors] != hars.labels).all())
        True
    """
    check_radius(radius)
    check_choice(keep, "keep", ("high", "low"))
    check_choice(transform, "transform", ("dft", "dct"))
    check_choice(rescale, "rescale", RESCALES)
    batch_size = check_whole(batch_size, "batch_size")
    images, labels = check_labeled_images(images, labels)
    donors = draw_donors(labels, seed=seed)
    method: Method = "matmul" if max(images.shape[1:3]) <= LARGEST_MATMUL else "auto"
    result = np.empty(images.shape, "float32")
    for begin in range(0, len(images), batch_size):
        part = slice(begin, begin + batch_size)
        own, other = unit_float32(images[part]), unit_float32(images[donors[part]])
        of_low, of_high = (other, own) if keep == "high" else (own, other)
        # Both filters are linear and add up to 1: one of them, of the difference, does.
        difference = of_low - of_high
        low = (
            low_pass(difference, radius, method=method) if transform == "dft" else low_dct(difference, radius)
        )
        result[part] = rescale_images(of_high + low, rescale, per="channel")
    return HARS(result, labels.astype("int32"), donors)


def draw_donors(labels: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """A seeded permutation that takes every image to one of another class.

    Raises:
        ValueError: if a class holds more than half of the images: then there is none.
    """
    random = np.random.default_rng(check_whole(seed, "seed", least=0))
    classes, labels, counts = np.unique(labels, return_inverse=True, return_counts=True)
    largest = int(np.argmax(counts))
    if 2 * counts[largest] > len(labels):
        raise ValueError(
            "`labels` must have no class with more than half of the images, for want of donors. "
            f"Received: class {classes[largest]} with {counts[largest]} of {len(labels)} images"
        )
    donors = random.permutation(len(labels))
    for number in range(len(classes)):
        own, given = labels == number, labels[donors] == number
        conflicts = np.flatnonzero(own & given)
        # As many places without this class; what an exchange brings to either side is right.
        partners = random.choice(np.flatnonzero(~own & ~given), len(conflicts), replace=False)
        donors[conflicts], donors[partners] = donors[partners], donors[conflicts]
    return donors


@functools.lru_cache(maxsize=16)
def _projection(size: int, count: int) -> np.ndarray:
    """The projection onto the first `count` functions of the orthonormal DCT-II, `(size, size)`."""
    frequencies, places = np.arange(min(count, size))[:, None], np.arange(size)[None, :]
    # The product modulo its period keeps the angle exact for large sizes.
    basis = np.sqrt(2 / size) * np.cos(np.pi / (2 * size) * (frequencies * (2 * places + 1) % (4 * size)))
    basis[:1] /= np.sqrt(2)
    return (basis.T @ basis).astype("float32")


def low_dct(images: np.ndarray, radius: float) -> np.ndarray:
    """What remains of the DCT-II indices below `radius` in both directions, in every channel."""
    count = int(np.ceil(min(radius, max(images.shape[1:3]))))
    rows, columns = (_projection(size, count) for size in images.shape[1:3])
    planes = np.matmul(np.matmul(rows, np.moveaxis(images, -1, 1)), columns)
    return np.moveaxis(planes, 1, -1)
