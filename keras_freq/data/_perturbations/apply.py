"""One function for all perturbation sequences."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_freq._core.checks import check_whole
from keras_freq._core.pixels import to_bytes, unit_float32
from keras_freq.data._corruptions import draws
from keras_freq.data._corruptions.apply import check_images
from keras_freq.data._perturbations.catalog import check_perturbation, choose_size
from keras_freq.data._perturbations.sequences import truncate

# Values worked on at a time: few enough for the processor's cache, enough to hide Python.
_CHUNK = 2**18
# And so many images at least, which share the places where a frame is read.
_LEAST = 8


def perturb(
    images: Any,
    name: str,
    *,
    difficulty: int = 1,
    size: int | str = "auto",
    seed: int = 0,
    start: int = 0,
) -> np.ndarray:
    """Perturbation sequences as in CIFAR-10-P and ImageNet-P: every image becomes a film of 16 to 41 frames.

    The draws of image `i` follow from `seed`, `start + i`, the name and the difficulty alone: any split into
    batches gives the same frames, as long as `start` says where a batch begins. `PERTURBATIONS` lists the ten
    sequences of the benchmark, `EXTRA_PERTURBATIONS` the four meant for validation. `evaluate.flip_rate`
    counts how often a model changes its mind along them.

    Args:
        images: `(n, height, width, channels)` or one image `(height, width, channels)`, 1 or 3 channels:
            uint8, or floats in [0, 1], which are rounded to bytes first.
        name: `"gaussian_noise"`, `"shot_noise"`, `"motion_blur"`, `"zoom_blur"`, `"snow"`, `"brightness"`,
            `"translate"`, `"rotate"`, `"tilt"` or `"scale"`; or one of the four others, `"speckle_noise"`,
            `"gaussian_blur"`, `"spatter"` and `"shear"`.
        difficulty: 1 to 3: strength of the noises, whose first frame is clean. Without effect on the others,
            which `flip_rate` compares over longer steps instead.
        size: Whose numbers: 32 those of CIFAR-10-P, 224 those of ImageNet-P, 64 those between. `"auto"` takes
            the nearest in ratio to the shorter side. There is no `"motion_blur"` for 64: the published one
            blurred the pictures before they were resized.
        seed: Seed of the draws, a whole number of at least 0; noises, snow and spatter draw.
        start: Place of the first image in its data set.

    Returns:
        uint8 `(n, frames, height, width, channels)`, or `(frames, height, width, channels)` of one image.

    Raises:
        ValueError: If the images are empty, infinite or outside [0, 1], of another rank, dtype or number of
            channels, or if there is no such name, difficulty or size.
        TypeError: If `images` is no array.

    Source: Hendrycks, Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and
        Perturbations, ICLR 2019, section 3; parameters as published with CIFAR-10-P and ImageNet-P. Bytes are
        truncated, as published, those of `"motion_blur"` and `"tilt"` rounded.
        Differs from the original: its draws were not seeded, so its files are not reproduced; those of
        ImageNet-P are compressed films. ImageNet-P moves, turns and zooms pictures of 256 pixels and then
        cuts the middle 224: pass such pictures and cut the frames, or black comes in at once, as in
        CIFAR-10-P. Pictures turn about their exact center, and `"shear"` keeps their height.
        `"motion_blur"`, the trails of `"snow"` and the drops of `"spatter"` are computed as in `corrupt`.

    Example:
        >>> frames = kf.data.perturb(images, "translate")
        >>> frames.shape, frames.dtype
        ((8, 16, 32, 32, 3), dtype('uint8'))
        >>> np.array_equal(frames[2:], kf.data.perturb(images[2:], "translate", start=2))
        True
    """
    record = check_perturbation(name, difficulty)
    seed, start = check_whole(seed, "seed", least=0), check_whole(start, "start", least=0)
    images = to_bytes(check_images(images))
    batch = images if images.ndim == 4 else images[None]
    height, width, channels = batch.shape[1:]
    size = choose_size(size, min(height, width), (name,))
    level = difficulty if record.noisy else 1

    result = np.empty((len(batch), record.frames(size), *batch.shape[1:]), "uint8")
    chunk = max(_LEAST, _CHUNK // (height * width * channels))
    for first in range(0, len(batch), chunk):
        part = slice(first, min(first + chunk, len(batch)))
        planes = np.ascontiguousarray(unit_float32(batch[part]).transpose(0, 3, 1, 2))
        places = range(start + part.start, start + part.stop)
        # Not the draws that `corrupt` makes under that name.
        rngs = draws.seed_generators(f"{name} sequence", level, seed=seed, places=places)
        for number, frame in enumerate(record.function(planes, rngs, *record.parameters(size, level))):
            levels = to_bytes(frame) if record.rounded else truncate(frame)
            result[part, number] = levels.transpose(0, 2, 3, 1)
    return result if images.ndim == 4 else result[0]
