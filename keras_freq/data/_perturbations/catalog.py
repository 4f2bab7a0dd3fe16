"""All perturbation sequences, a record each.

Source: Hendrycks, Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and Perturbations,
ICLR 2019. The numbers are those of CIFAR-10-P (32 pixels), its sister of 64 pixels, and ImageNet-P (224).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from keras_freq._core.checks import check_choice, check_whole, show
from keras_freq.data._perturbations import sequences

SIZES = (32, 64, 224)
DIFFICULTIES = 3


@dataclasses.dataclass(frozen=True)
class Perturbation:
    """A sequence of the benchmark, or one of the four meant for validation.

    Attributes:
        function: `function(planes, generators, *parameters)`, which yields frames.
        tables: Parameters by the size of the images, the number of frames first; of noises the level at each
            difficulty instead. Lengths are in pixels.
        noisy: Whether frames are noise on the first one, which is clean, rather than steps from one to the
            next.
        extra: Whether it is meant for validation, outside of the benchmark.
        rounded: Whether the published frames are rounded to bytes, not truncated.
    """

    function: Callable[..., Iterator[np.ndarray]]
    tables: Mapping[int, tuple[Any, ...]]
    noisy: bool = False
    extra: bool = False
    rounded: bool = False

    def parameters(self, size: int, difficulty: int) -> tuple[Any, ...]:
        row = self.tables[size]
        return (row[difficulty - 1],) if self.noisy else row

    def frames(self, size: int) -> int:
        """How many frames it has."""
        return 31 if self.noisy else self.tables[size][0]


def _rows(small: tuple, middle: tuple, large: tuple) -> dict[int, tuple]:
    return dict(zip(SIZES, (small, middle, large), strict=True))


CATALOG = {
    # standard deviation
    "gaussian_noise": Perturbation(
        sequences.gaussian_noise,
        _rows((0.02, 0.04, 0.06), (0.025, 0.05, 0.075), (0.03, 0.05, 0.08)),
        noisy=True,
    ),
    # photons of a white pixel
    "shot_noise": Perturbation(
        sequences.shot_noise, _rows((700, 400, 200), (500, 250, 125), (300, 120, 60)), noisy=True
    ),
    # radius and deviation of the trail, degrees; at 64 pixels it was made before the pictures were resized
    "motion_blur": Perturbation(
        sequences.motion_blur, {32: (21, 6, 1.8, 9), 224: (31, 10, 3, 4)}, rounded=True
    ),
    # step of the zoom
    "zoom_blur": Perturbation(sequences.zoom_blur, _rows((31, 0.004), (31, 0.004), (31, 0.004))),
    # mean and deviation of the flakes, their zoom, radius and deviation of the trail
    "snow": Perturbation(
        sequences.snow,
        _rows((31, 0.05, 0.3, 2, 10, 2), (31, 0.05, 0.28, 2, 10, 2.5), (31, 0.05, 0.3, 3, 14, 4)),
    ),
    # step of the value
    "brightness": Perturbation(sequences.brightness, _rows((31, 0.015), (31, 0.02), (31, 0.02))),
    # first shift
    "translate": Perturbation(sequences.translate, _rows((16, -7), (31, -15), (41, -20))),
    # degrees
    "rotate": Perturbation(sequences.rotate, _rows((31, 1), (31, 1), (31, 1))),
    # degrees
    "tilt": Perturbation(sequences.tilt, _rows((31, 0.75), (31, 1), (31, 1)), rounded=True),
    # least factor, step
    "scale": Perturbation(sequences.scale, _rows((31, 0.7, 0.02), (31, 0.4, 0.025), (31, 0.4, 0.025))),
    # standard deviation relative to the pixel
    "speckle_noise": Perturbation(
        sequences.speckle_noise,
        _rows((0.05, 0.07, 0.1), (0.05, 0.1, 0.15), (0.05, 0.1, 0.15)),
        noisy=True,
        extra=True,
    ),
    # least deviation, step, reach in deviations
    "gaussian_blur": Perturbation(
        sequences.gaussian_blur,
        _rows((31, 0.3, 0.015, 7), (31, 0.35, 0.014, 7), (31, 0.25, 0.035, 6)),
        extra=True,
    ),
    # mean and deviation of the liquid, its smoothing, threshold, how it runs
    "spatter": Perturbation(
        sequences.water,
        _rows(
            (31, 0.6, 0.265, 1.75, 0.7, (0.2, 0.8)),
            (31, 0.6, 0.25, 1.75, 0.7, (0.2, 0.8)),
            (31, 0.65, 0.27, 3.7, 0.69, (0.05, 0.1, 0.15, 0.7)),
        ),
        extra=True,
    ),
    # degrees
    "shear": Perturbation(sequences.shear, _rows((31, 1), (31, 1), (31, 1)), extra=True),
}
PERTURBATIONS = tuple(name for name, record in CATALOG.items() if not record.extra)
EXTRA_PERTURBATIONS = tuple(name for name, record in CATALOG.items() if record.extra)


def check_perturbation(name: Any, difficulty: Any) -> Perturbation:
    """The sequence of that name; raises where there is none, or no such difficulty."""
    check_choice(name, "name", tuple(CATALOG))
    check_whole(difficulty, "difficulty", most=DIFFICULTIES)
    return CATALOG[name]


def choose_size(size: Any, side: int, names: tuple[str, ...]) -> int:
    """The size whose numbers are taken; `"auto"`: that which is nearest in ratio to the shorter side."""
    if size == "auto":
        size = min(SIZES, key=lambda known: abs(math.log(known / side)))
    elif isinstance(size, bool) or size not in SIZES:
        raise ValueError(f"`size` must be 'auto', 32, 64 or 224. Received: size={show(size)}")
    for name in names:
        if size not in CATALOG[name].tables:
            raise ValueError(
                f"{name!r} has no numbers for {size} pixels: the published ones blurred the pictures before "
                "they were resized to that, which images that have this size do not allow. Leave it out, or "
                f"choose size=32 or 224. Received: size={size} for images of "
                f"{side} pixels"
            )
    return size
