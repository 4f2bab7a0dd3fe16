"""All corruptions, a record each: to add one, write its function and enter it here.

Source: Hendrycks, Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and Perturbations,
ICLR 2019. The numbers are those of CIFAR-10-C (32 pixels), Tiny ImageNet-C (64) and ImageNet-C (224).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from keras_freq._core.checks import check_whole, show
from keras_freq.data._corruptions import (
    bar_blur,
    bar_tables,
    blur,
    digital,
    elastic,
    frost,
    glass,
    noise,
    spatter,
    weather,
)

SEVERITIES = (1, 2, 3, 4, 5)
# The side in pixels that each published table is meant for.
SIDES = {"small": 32, "medium": 64, "large": 224}
# The JPEG quality in which each published set is stored; 0 is none.
STORED_QUALITY = {"small": 0, "medium": 85, "large": 85}
TABLES = ("auto", *SIDES)
# The parameters of a function at the severities 1 to 5. Lengths are in pixels.
Rows = tuple[tuple[Any, ...], ...]


@dataclasses.dataclass(frozen=True)
class Corruption:
    """A corruption of the benchmark, one of the four meant for tuning, or one of C-bar.

    Attributes:
        function: `function(planes, generators, *parameters)`, without generators where nothing is random:
            float32 `(n, channels, height, width)` in [0, 1] to the same, not clipped yet. Its name is that of
            the corruption.
        category: The paper's; "bar" those of C-bar, whose bytes are truncated, as published.
        small: Parameters for images of 32 pixels, a row for each severity.
        medium: The same for 64 pixels.
        large: The same for 224 pixels.
        random: Whether it draws.
        extra: Whether it is meant for tuning, outside of the benchmark.
        takes_bytes: Whether bytes need not become floats for it, and stay bytes.
    """

    function: Callable[..., np.ndarray]
    category: Literal["noise", "blur", "weather", "digital", "bar"]
    small: Rows
    medium: Rows
    large: Rows
    random: bool = True
    extra: bool = False
    takes_bytes: bool = False

    @property
    def name(self) -> str:
        return self.function.__name__

    def parameters(self, severity: int, *, table: str, side: int) -> tuple[Any, ...]:
        """The row of a table; `side` is the shorter side of the images."""
        rows: Rows = getattr(self, choose_table(table, side))
        return rows[severity - 1]


def choose_table(table: str, side: int) -> str:
    """`"auto"` is the table whose own side is nearest in ratio: small up to 45 pixels, large from 120 on."""
    if table != "auto":
        return table
    return min(SIDES, key=lambda name: abs(math.log(side / SIDES[name])))


def choose_jpeg(jpeg: int | None, table: str, side: int) -> int:
    """The quality asked for, else that in which the images of the table were published; 0 is none."""
    if jpeg is None:
        return STORED_QUALITY[choose_table(table, side)]
    return check_whole(jpeg, "jpeg", least=0, most=95)


# The published displacements of ImageNet-C are shares of 244 pixels though its images have 224.
_244 = 244 / 224

_RECORDS = (
    Corruption(
        noise.gaussian_noise,
        "noise",
        # standard deviation
        small=((0.04,), (0.06,), (0.08,), (0.09,), (0.10,)),
        medium=((0.04,), (0.08,), (0.12,), (0.15,), (0.18,)),
        large=((0.08,), (0.12,), (0.18,), (0.26,), (0.38,)),
    ),
    Corruption(
        noise.shot_noise,
        "noise",
        # photons of a white pixel
        small=((500,), (250,), (100,), (75,), (50,)),
        medium=((250,), (100,), (50,), (30,), (15,)),
        large=((60,), (25,), (12,), (5,), (3,)),
    ),
    Corruption(
        noise.impulse_noise,
        "noise",
        # share of the values replaced
        small=((0.01,), (0.02,), (0.03,), (0.05,), (0.07,)),
        medium=((0.01,), (0.02,), (0.05,), (0.08,), (0.14,)),
        large=((0.03,), (0.06,), (0.09,), (0.17,), (0.27,)),
    ),
    Corruption(
        blur.defocus_blur,
        "blur",
        # radius of the disk, standard deviation that smooths its rim
        small=((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        medium=((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
        large=((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
        random=False,
    ),
    Corruption(
        glass.glass_blur,
        "blur",
        # standard deviation of the blur before and after, reach, rounds
        small=((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        medium=((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
        large=((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    ),
    Corruption(
        blur.motion_blur,
        "blur",
        # radius, standard deviation of the trail
        small=((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        medium=((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
        large=((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    ),
    Corruption(
        blur.zoom_blur,
        "blur",
        # largest zoom (its end is open), step
        small=((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
        medium=((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
        large=((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
        random=False,
    ),
    Corruption(
        weather.snow,
        "weather",
        # mean and deviation of the flakes, their zoom, threshold, radius and deviation of the trail, weight
        # of the image against its whitened copy
        small=(
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        medium=(
            (0.1, 0.2, 1, 0.6, 8, 3, 0.8),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.8),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.7),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.65),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.6),
        ),
        large=(
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    ),
    Corruption(
        frost.frost,
        "weather",
        # weight of the image, weight of the ice, scale of the ice
        small=((1, 0.2, 0.2), (1, 0.3, 0.2), (0.9, 0.4, 0.2), (0.85, 0.4, 0.2), (0.75, 0.45, 0.2)),
        medium=((1, 0.3, 0.3), (0.9, 0.4, 0.3), (0.8, 0.45, 0.3), (0.75, 0.5, 0.3), (0.7, 0.55, 0.3)),
        large=((1, 0.4, 1), (0.8, 0.6, 1), (0.7, 0.7, 1), (0.65, 0.7, 1), (0.6, 0.75, 1)),
    ),
    Corruption(
        weather.fog,
        "weather",
        # strength, decay of the fractal from octave to octave
        small=((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        medium=((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)),
        large=((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    ),
    Corruption(
        weather.brightness,
        "weather",
        # added to the value
        small=((0.05,), (0.1,), (0.15,), (0.2,), (0.3,)),
        medium=((0.1,), (0.2,), (0.3,), (0.4,), (0.5,)),
        large=((0.1,), (0.2,), (0.3,), (0.4,), (0.5,)),
        random=False,
    ),
    Corruption(
        digital.contrast,
        "digital",
        # factor
        small=((0.75,), (0.5,), (0.4,), (0.3,), (0.15,)),
        medium=((0.4,), (0.3,), (0.2,), (0.1,), (0.05,)),
        large=((0.4,), (0.3,), (0.2,), (0.1,), (0.05,)),
        random=False,
    ),
    Corruption(
        elastic.elastic_transform,
        "digital",
        # strength and deviation of the displacement field, reach of the affine map, in shorter sides
        small=(
            (0, 0, 0.08),
            (0.05, 0.2, 0.07),
            (0.08, 0.06, 0.06),
            (0.1, 0.04, 0.05),
            (0.1, 0.03, 0.03),
        ),
        medium=(
            (0, 0, 0.08),
            (0.05, 0.3, 0.06),
            (0.1, 0.08, 0.06),
            (0.1, 0.03, 0.03),
            (0.16, 0.03, 0.02),
        ),
        large=(
            (2 * _244, 0.7 * _244, 0.1 * _244),
            (2 * _244, 0.08 * _244, 0.2 * _244),
            (0.05 * _244, 0.01 * _244, 0.02 * _244),
            (0.07 * _244, 0.01 * _244, 0.02 * _244),
            (0.12 * _244, 0.01 * _244, 0.02 * _244),
        ),
    ),
    Corruption(
        digital.pixelate,
        "digital",
        # size of the small copy in sizes of the image
        small=((0.95,), (0.9,), (0.85,), (0.75,), (0.65,)),
        medium=((0.9,), (0.8,), (0.7,), (0.6,), (0.5,)),
        large=((0.6,), (0.5,), (0.4,), (0.3,), (0.25,)),
        random=False,
    ),
    Corruption(
        digital.jpeg_compression,
        "digital",
        # JPEG quality
        small=((80,), (65,), (58,), (50,), (40,)),
        medium=((65,), (58,), (50,), (40,), (25,)),
        large=((25,), (18,), (15,), (10,), (7,)),
        random=False,
        takes_bytes=True,
    ),
    Corruption(
        noise.speckle_noise,
        "noise",
        # standard deviation relative to the pixel
        small=((0.06,), (0.1,), (0.12,), (0.16,), (0.2,)),
        medium=((0.15,), (0.2,), (0.25,), (0.3,), (0.35,)),
        large=((0.15,), (0.2,), (0.35,), (0.45,), (0.6,)),
        extra=True,
    ),
    Corruption(
        blur.gaussian_blur,
        "blur",
        # standard deviation
        small=((0.4,), (0.6,), (0.7,), (0.8,), (1,)),
        medium=((0.5,), (0.75,), (1,), (1.25,), (1.5,)),
        large=((1,), (2,), (3,), (4,), (6,)),
        random=False,
        extra=True,
    ),
    Corruption(
        spatter.spatter,
        "weather",
        # mean and deviation of the liquid, its smoothing, threshold, strength (water) or smoothing (mud), mud
        small=(
            (0.62, 0.1, 0.7, 0.7, 0.5, False),
            (0.65, 0.1, 0.8, 0.7, 0.5, False),
            (0.65, 0.3, 1, 0.69, 0.5, False),
            (0.65, 0.1, 0.7, 0.69, 0.6, True),
            (0.65, 0.1, 0.5, 0.68, 0.6, True),
        ),
        medium=(
            (0.62, 0.1, 0.7, 0.7, 0.6, False),
            (0.65, 0.1, 0.8, 0.7, 0.6, False),
            (0.65, 0.3, 1, 0.69, 0.6, False),
            (0.65, 0.1, 0.7, 0.68, 0.6, True),
            (0.65, 0.1, 0.5, 0.67, 0.6, True),
        ),
        large=(
            (0.65, 0.3, 4, 0.69, 0.6, False),
            (0.65, 0.3, 3, 0.68, 0.6, False),
            (0.65, 0.3, 2, 0.68, 0.5, False),
            (0.65, 0.3, 1, 0.65, 1.5, True),
            (0.67, 0.4, 1, 0.65, 1.5, True),
        ),
        extra=True,
    ),
    Corruption(
        digital.saturate,
        "digital",
        # factor on the saturation, added to it
        small=((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
        medium=((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (30, 0.2)),
        large=((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
        random=False,
        extra=True,
    ),
)


def _bar_records() -> tuple[Corruption, ...]:
    """Those of C-bar: two tables at most, of which that of CIFAR-10 is nearer to 64 pixels too."""
    records = []
    for function in bar_tables.CIFAR10 | bar_tables.IMAGENET:
        cifar10 = bar_tables.CIFAR10.get(function) or bar_tables.IMAGENET[function]
        imagenet = bar_tables.IMAGENET.get(function) or cifar10
        small, large = (tuple((value,) for value in row) for row in (cifar10, imagenet))
        drawn = function is not bar_blur.circular_motion_blur
        records.append(Corruption(function, "bar", small=small, medium=small, large=large, random=drawn))
    return tuple(records)


CATALOG = {record.name: record for record in (*_RECORDS, *_bar_records())}
CORRUPTIONS = tuple(name for name, record in CATALOG.items() if not record.extra and record.category != "bar")
EXTRA_CORRUPTIONS = tuple(name for name, record in CATALOG.items() if record.extra)


def check_severities(severities: Any) -> tuple[int, ...]:
    """Severities in ascending order, each once."""
    try:
        values = tuple(severities)
    except TypeError:
        values = ()
    if not values or any(isinstance(value, bool) or value not in SEVERITIES for value in values):
        raise ValueError(f"`severities` must be a list of 1 to 5. Received: severities={show(severities)}")
    return tuple(sorted({int(value) for value in values}))
