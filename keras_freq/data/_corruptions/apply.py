"""One function for all corruptions."""

from __future__ import annotations

import difflib
import os
from typing import Any

import numpy as np

from keras_freq._core.checks import check_choice, check_pixels, check_whole, show
from keras_freq._core.pixels import to_bytes, unit_float32
from keras_freq.data._corruptions import draws
from keras_freq.data._corruptions.catalog import CATALOG, TABLES, Corruption, check_severities, choose_jpeg
from keras_freq.data._corruptions.digital import through_jpeg
from keras_freq.data._corruptions.photographs import Photographs

# Values worked on at a time: few enough for the processor's cache, enough to hide Python.
_CHUNK = 2**18


def corrupt(
    images: Any,
    name: str,
    severity: int,
    *,
    seed: int = 0,
    start: int = 0,
    table: str = "auto",
    jpeg: int | None = None,
    frost: str | os.PathLike | None = None,
) -> np.ndarray:
    """Corrupts images as in CIFAR-10-C, Tiny ImageNet-C and ImageNet-C.

    The draws of image `i` follow from `seed`, `start + i`, the name and the severity alone: any split into
    batches gives the same images (up to float32 rounding), as long as `start` says where a batch begins.
    `CORRUPTIONS` lists the 15 corruptions of the benchmark, `EXTRA_CORRUPTIONS` the 4 meant for tuning,
    `CIFAR10_BAR_CORRUPTIONS` and `IMAGENET_BAR_CORRUPTIONS` the 10 of CIFAR-10-C-bar and of ImageNet-C-bar,
    which are unlike the augmentations in use.

    Args:
        images: `(n, height, width, channels)` or one image `(height, width, channels)`, 1 or 3 channels, any
            size: uint8, or floats in [0, 1].
        name: `"gaussian_noise"`, `"shot_noise"`, `"impulse_noise"`, `"defocus_blur"`, `"glass_blur"`,
            `"motion_blur"`, `"zoom_blur"`, `"snow"`, `"frost"`, `"fog"`, `"brightness"`, `"contrast"`,
            `"elastic_transform"`, `"pixelate"` or `"jpeg_compression"`; or one of the four others,
            `"speckle_noise"`, `"gaussian_blur"`, `"spatter"` and `"saturate"`; or, spelled as published, one
            of C-bar: `"blue_noise_sample"`, `"brownish_noise"`, `"checkerboard_cutout"`,
            `"inverse_sparkles"` and `"sparkles"` of both lists; `"pinch_and_twirl"`, `"ripple"`,
            `"circular_motion_blur"`, `"lines"` and `"transverse_chromatic_abberation"` of that for CIFAR-10;
            `"caustic_refraction"`, `"perlin_noise"`, `"plasma_noise"`, `"cocentric_sine_waves"` and
            `"single_frequency_greyscale"` of that for ImageNet.
        severity: 1 (mild) to 5.
        seed: Seed of the draws, a whole number of at least 0. Without effect on `"defocus_blur"`,
            `"zoom_blur"`, `"gaussian_blur"`, `"brightness"`, `"contrast"`, `"saturate"`, `"pixelate"`,
            `"jpeg_compression"` and `"circular_motion_blur"`.
        start: Place of the first image in its data set.
        table: Parameters of the severities: `"small"` those of CIFAR-10-C (32 pixels), `"medium"` those of
            Tiny ImageNet-C (64), `"large"` those of ImageNet-C (224), each stronger than the one before.
            `"auto"` takes the one nearest to the shorter side in ratio: `"small"` up to 45 pixels, `"medium"`
            up to 119. Lengths in pixels are not scaled to the images, except those of `"elastic_transform"`,
            which are shares of the shorter side. C-bar has two lists: `"small"` and `"medium"` take that for
            CIFAR-10, `"large"` that for ImageNet, all of them the one list that holds the corruption; lengths
            are shares of the shorter side.
        jpeg: Quality, 1 to 95, of the JPEG file that every corrupted image goes through at the end, as the
            images of Tiny ImageNet-C and ImageNet-C did before they were published: at 85 it takes half of
            the energy of `"gaussian_noise"` beyond half of the Nyquist frequency. 0: none. `None`: 85 where
            the table is `"medium"` or `"large"`, none where it is `"small"`, since CIFAR-10-C holds bare
            arrays. `"jpeg_compression"` is then compressed twice, as published.
        frost: Folder of photographs of ice for `"frost"`, of which pieces are laid over the images, reduced
            bilinearly to .2 (`"small"`), .3 (`"medium"`) or 1 (`"large"`) of their size. `None`: ice is
            generated. Without effect on other corruptions.

    Returns:
        The corrupted images in the shape they came in: uint8 from uint8, rounded (those of
        C-bar truncated); float32 in [0, 1] from floats, not rounded to bytes (but by `jpeg` and by
        `"jpeg_compression"`, which code bytes).

    Raises:
        ValueError: If the images are empty, infinite or outside [0, 1], of another rank, dtype or number of
            channels, or if there is no such name, severity, table or quality,
            or the folder `frost` holds no image, or one that is too small.
        FileNotFoundError: If there is no folder `frost`.
        TypeError: If `images` is no array.

    Source: Hendrycks, Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and
        Perturbations, ICLR 2019, section 3 and appendix; parameters as published with CIFAR-10-C,
        Tiny ImageNet-C and ImageNet-C. C-bar: Mintun, Kirillov, Xie, On Interaction Between Augmentations and
        Corruptions in Natural Corruption Robustness, NeurIPS 2021.
        Differs from the original: the published files are not reproduced pixel by pixel, since their draws
        were not seeded, and JPEG files depend on the library that writes them. Bytes are rounded, not
        truncated, and in between nothing is rounded at all. `"frost"` lays a generated texture of ice needles
        over the image, with the mean and deviation of the five photographs from which the original cuts
        pieces; pass such photographs as `frost`. The disk of `"defocus_blur"` sums to 1; that of the large
        table sums to 1.013 and 1.011 in the original at severities 4 and 5, which are that much brighter.
        `"motion_blur"` and the trails of `"snow"` are computed here, not by ImageMagick, from its definition.
        `"glass_blur"` moves pixels as the published loop does: its swap copies. `"spatter"` keeps liquid
        above 1, where the byte of the original wraps round. `"elastic_transform"` interpolates at exact
        places, not at 1/32 pixel. Height and width are treated alike in images that are not square.
        Bytes of C-bar are truncated at the end, as published, but not after every one of the `"lines"`, which
        cover pixels by their distance to the line alone. Gray images get one field of `"brownish_noise"`, the
        mean of the three of `"plasma_noise"`, and one of the zooms of `"transverse_chromatic_abberation"`.

    Example:
        >>> foggy = kf.data.corrupt(images, "fog", 3)
        >>> foggy.shape, foggy.dtype
        ((8, 32, 32, 3), dtype('float32'))
        >>> bool(np.abs(foggy[2:] - kf.data.corrupt(images[2:], "fog", 3, start=2)).max() < 1e-6)
        True
    """
    corruption = check_request(name, severity, table)
    seed, start = check_whole(seed, "seed", least=0), check_whole(start, "start", least=0)
    images = check_images(images)
    batch = images if images.ndim == 4 else images[None]
    height, width, channels = batch.shape[1:]
    values = corruption.parameters(severity, table=table, side=min(height, width))
    photographs = Photographs.of(frost) if name == "frost" else None
    extra = {} if photographs is None else {"photographs": photographs}
    quality = choose_jpeg(jpeg, table, min(height, width))

    result = np.empty(batch.shape, "uint8" if batch.dtype == np.uint8 else "float32")
    chunk = max(1, _CHUNK // (height * width * channels))
    for first in range(0, len(batch), chunk):
        part = slice(first, min(first + chunk, len(batch)))
        if corruption.takes_bytes and batch.dtype == np.uint8:
            planes = batch[part].transpose(0, 3, 1, 2)
        else:
            planes = np.ascontiguousarray(unit_float32(batch[part]).transpose(0, 3, 1, 2))
        if corruption.random:
            places = range(start + part.start, start + part.stop)
            generators = draws.seed_generators(name, severity, seed=seed, places=places)
            planes = corruption.function(planes, generators, *values, **extra)
        else:
            planes = corruption.function(planes, *values)
        if planes.dtype != np.uint8:
            planes = np.clip(planes, 0, 1)
        code = truncate_bytes if corruption.category == "bar" else to_bytes
        if quality:
            planes = through_jpeg(code(planes), quality)
        planes = code(planes) if result.dtype == np.uint8 else unit_float32(planes)
        result[part] = planes.transpose(0, 2, 3, 1)
    return result.reshape(images.shape)


def corrupt_to_bytes(
    images: np.ndarray, name: str, severity: int, start: int, options: dict[str, Any]
) -> np.ndarray:
    """uint8 of `corrupt`, as a worker process is asked for it."""
    return to_bytes(corrupt(images, name, severity, start=start, **options))


def truncate_bytes(planes: np.ndarray) -> np.ndarray:
    """Floats in [0, 1] as uint8, truncated; uint8 as it is. A whole number that rounding left short stays."""
    if planes.dtype == np.uint8:
        return planes
    return (planes * np.float32(255) + np.float32(1e-3)).astype("uint8")


def check_request(name: str, severity: int, table: str) -> Corruption:
    """The corruption of that name; raises where there is none, no such severity or table."""
    if not isinstance(name, str) or name not in CATALOG:
        near = difflib.get_close_matches(str(name), CATALOG, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"allowed are {', '.join(CATALOG)}."
        raise ValueError(f"`name` must be a known corruption: {hint} Received: name={show(name)}")
    check_whole(severity, "severity", least=1, most=5)
    check_choice(table, "table", TABLES)
    return CATALOG[name]


def check_corruptions(
    corruptions: Any, severities: Any, *, table: str = "auto"
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Names, each once, and severities in ascending order, or a one-line error."""
    severities = check_severities(severities)
    if isinstance(corruptions, str) or not corruptions:
        raise ValueError(f"`corruptions` must be a list of names. Received: corruptions={show(corruptions)}")
    names = tuple(dict.fromkeys(corruptions))
    for name in names:
        check_request(name, severities[0], table)
    return names, severities


def check_images(images: Any) -> np.ndarray:
    """Images as an array that `corrupt` takes, or a one-line error."""
    try:
        images = np.asarray(images)
    except (ValueError, TypeError) as error:
        raise TypeError(
            f"`images` must be one array. Received: {type(images).__name__} that NumPy cannot read"
        ) from error
    check_pixels(images, unit=True, single=True)
    if images.shape[-1] not in (1, 3):
        raise ValueError(
            f"`images` must have 1 or 3 channels, last. Received: images of shape {images.shape}"
        )
    return images
