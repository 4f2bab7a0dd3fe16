"""The images of an experiment: some classes of a set, at one size."""

from __future__ import annotations

import numpy as np

from apps.freq_shortcuts.config import LabelledImages
from apps.runner import Run
from apps.runner import images as runner_images
from apps.runner.images import Images

# Beyond this a split stays uint8: CIFAR-10 is float32, the ImageNet-10 images at 224 pixels are not.
MOST_BYTES = 1 << 30


def load_images(run: Run, settings: LabelledImages) -> Images:
    """Loads what the settings name, or their fallback, and says which it was.

    Images are float32 in [0, 1], or uint8 where a split would take more than 1 GiB.

    Raises:
        RunError: If neither is there, there are no two splits, or a class is missing.
    """
    return runner_images.load_images(
        run,
        settings,
        image_size=settings.image_size,
        classes=settings.classes,
        most_bytes=MOST_BYTES,
    )


def floats(pixels: np.ndarray) -> np.ndarray:
    """Images as float32 in [0, 1]."""
    return np.divide(pixels, np.float32(255), dtype="float32") if pixels.dtype == np.uint8 else pixels
