"""The names of the corruptions, and the parameters of their five severities for small and for large images.

Source: Hendrycks, Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and Perturbations,
ICLR 2019. The numbers are those of CIFAR-10-C (32 pixels) and of ImageNet-C (224 pixels).
"""

from __future__ import annotations

import math
from typing import Any

CORRUPTIONS = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
)
SEVERITIES = (1, 2, 3, 4, 5)
EXTRA_CORRUPTIONS = ("speckle_noise", "gaussian_blur", "spatter", "saturate")

# name: what the parameters are; then five rows of them, severity 1 to 5. Lengths are in pixels.
SMALL = {
    # standard deviation
    "gaussian_noise": ((0.04,), (0.06,), (0.08,), (0.09,), (0.10,)),
    # photons of a white pixel
    "shot_noise": ((500,), (250,), (100,), (75,), (50,)),
    # share of the values replaced
    "impulse_noise": ((0.01,), (0.02,), (0.03,), (0.05,), (0.07,)),
    # standard deviation relative to the pixel
    "speckle_noise": ((0.06,), (0.1,), (0.12,), (0.16,), (0.2,)),
    # standard deviation
    "gaussian_blur": ((0.4,), (0.6,), (0.7,), (0.8,), (1,)),
    # radius of the disk, standard deviation that smooths its rim
    "defocus_blur": ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
    # standard deviation of the blur before and after, reach, rounds
    "glass_blur": ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    # radius, standard deviation of the trail
    "motion_blur": ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
    # largest zoom (its end is open), step
    "zoom_blur": ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
    # mean and deviation of the flakes, their zoom, threshold, radius and deviation of the trail, weight of
    # the image against its whitened copy
    "snow": (
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    ),
    # weight of the image, weight of the ice, scale of the ice
    "frost": ((1, 0.2, 0.2), (1, 0.3, 0.2), (0.9, 0.4, 0.2), (0.85, 0.4, 0.2), (0.75, 0.45, 0.2)),
    # strength, decay of the fractal from octave to octave
    "fog": ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
    # added to the value
    "brightness": ((0.05,), (0.1,), (0.15,), (0.2,), (0.3,)),
    # factor
    "contrast": ((0.75,), (0.5,), (0.4,), (0.3,), (0.15,)),
    # strength and deviation of the displacement field, reach of the affine map, in shorter sides
    "elastic_transform": (
        (0, 0, 0.08),
        (0.05, 0.2, 0.07),
        (0.08, 0.06, 0.06),
        (0.1, 0.04, 0.05),
        (0.1, 0.03, 0.03),
    ),
    # size of the small copy in sizes of the image
    "pixelate": ((0.95,), (0.9,), (0.85,), (0.75,), (0.65,)),
    # JPEG quality
    "jpeg_compression": ((80,), (65,), (58,), (50,), (40,)),
    # mean and deviation of the liquid, its smoothing, threshold, strength (water) or smoothing (mud), mud
    "spatter": (
        (0.62, 0.1, 0.7, 0.7, 0.5, False),
        (0.65, 0.1, 0.8, 0.7, 0.5, False),
        (0.65, 0.3, 1, 0.69, 0.5, False),
        (0.65, 0.1, 0.7, 0.69, 0.6, True),
        (0.65, 0.1, 0.5, 0.68, 0.6, True),
    ),
    # factor on the saturation, added to it
    "saturate": ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
}

# The published displacements of ImageNet-C are shares of 244 pixels though its images have 224.
_244 = 244 / 224
LARGE = {
    "gaussian_noise": ((0.08,), (0.12,), (0.18,), (0.26,), (0.38,)),
    "shot_noise": ((60,), (25,), (12,), (5,), (3,)),
    "impulse_noise": ((0.03,), (0.06,), (0.09,), (0.17,), (0.27,)),
    "speckle_noise": ((0.15,), (0.2,), (0.35,), (0.45,), (0.6,)),
    "gaussian_blur": ((1,), (2,), (3,), (4,), (6,)),
    "defocus_blur": ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    "glass_blur": ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    "motion_blur": ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    "zoom_blur": ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    "snow": (
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    ),
    "frost": ((1, 0.4, 1), (0.8, 0.6, 1), (0.7, 0.7, 1), (0.65, 0.7, 1), (0.6, 0.75, 1)),
    "fog": ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    "brightness": ((0.1,), (0.2,), (0.3,), (0.4,), (0.5,)),
    "contrast": ((0.4,), (0.3,), (0.2,), (0.1,), (0.05,)),
    "elastic_transform": (
        (2 * _244, 0.7 * _244, 0.1 * _244),
        (2 * _244, 0.08 * _244, 0.2 * _244),
        (0.05 * _244, 0.01 * _244, 0.02 * _244),
        (0.07 * _244, 0.01 * _244, 0.02 * _244),
        (0.12 * _244, 0.01 * _244, 0.02 * _244),
    ),
    "pixelate": ((0.6,), (0.5,), (0.4,), (0.3,), (0.25,)),
    "jpeg_compression": ((25,), (18,), (15,), (10,), (7,)),
    "spatter": (
        (0.65, 0.3, 4, 0.69, 0.6, False),
        (0.65, 0.3, 3, 0.68, 0.6, False),
        (0.65, 0.3, 2, 0.68, 0.5, False),
        (0.65, 0.3, 1, 0.65, 1.5, True),
        (0.67, 0.4, 1, 0.65, 1.5, True),
    ),
    "saturate": ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
}
TABLES = {"small": SMALL, "large": LARGE}


def parameters(name: str, severity: int, *, table: str, side: int) -> tuple:
    """The row of a table for one corruption; `side` is the shorter side of the images.

    `"auto"` takes the table whose own size, 32 or 224, is nearer in ratio: small up to 84 pixels.
    """
    if table == "auto":
        table = "small" if side < math.sqrt(32 * 224) else "large"
    return TABLES[table][name][severity - 1]


def checked_severities(severities: Any) -> tuple[int, ...]:
    """Severities in ascending order, each once."""
    try:
        values = tuple(severities)
    except TypeError:
        values = ()
    if not values or any(isinstance(value, bool) or value not in SEVERITIES for value in values):
        raise ValueError(f"`severities` must be a list of 1 to 5. Received: severities={severities!r}")
    return tuple(sorted({int(value) for value in values}))
