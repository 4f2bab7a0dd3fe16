"""The operations on NumPy arrays: of each image only the one that was drawn is computed, on bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_freq.layers._operations import tone
from keras_freq.layers._operations.warp import make_matrix


def apply_drawn(
    levels: np.ndarray, choice: np.ndarray, strength: np.ndarray, sign: np.ndarray, operations: Sequence[str]
) -> np.ndarray:
    """What `apply_operations` gives, to one level: the affine maps are Pillow's own."""
    pixels = levels.astype("uint8")
    moved = []
    for index, name in enumerate(operations):
        rows = np.flatnonzero(choice == index)
        if name not in tone.NAMES:
            moved.append(rows)
        elif rows.size:
            pixels[rows] = _tone(name, pixels[rows], strength[rows])
    if moved and (rows := np.concatenate(moved)).size:
        matrix = make_matrix(levels[rows], choice[rows], strength[rows], sign[rows], operations)
        for row, coefficients in zip(rows, np.stack(matrix, axis=1).tolist(), strict=True):
            pixels[row] = _affine(pixels[row], coefficients)
    return pixels.astype(levels.dtype)


def _tone(name, pixels, strength):
    column = (-1, 1, 1, 1)
    if name == "posterize":
        dropped = 2 ** (4 + np.floor(0.4 * strength).astype("int64"))
        return pixels & (256 - dropped).astype("uint8").reshape(column)
    if name == "solarize":
        threshold = 256 - np.floor(25.6 * strength).astype("int16")
        return np.where(pixels < threshold.reshape(column), pixels, ~pixels)
    # Counts are enough for both, and in the places where they are counted the curves are looked up.
    batch, channels = len(pixels), pixels.shape[-1]
    first = tone.LEVELS * np.arange(batch * channels).reshape(batch, 1, 1, channels)
    places = pixels + first
    counts = np.bincount(places.reshape(-1), minlength=first.size * tone.LEVELS)
    counts = counts.reshape(batch, channels, tone.LEVELS).astype("float32")
    grid = tone.grid_like(counts)
    if name == "equalize":
        curve = tone.equalize(grid, counts)
    else:
        present = counts > 0
        low = present.argmax(axis=-1)[..., None].astype("float32")
        high = 255 - present[..., ::-1].argmax(axis=-1)[..., None].astype("float32")
        curve = tone.autocontrast(grid, low, high)
    return curve.astype("uint8").reshape(-1)[places]


def _affine(pixels, coefficients):
    a, b, right, d, e, down = coefficients
    if (a, b, d, e) == (1, 0, 0, 1):
        return _shift(pixels, int(right), int(down))
    from PIL import Image

    height, width, channels = pixels.shape
    # Pillow takes three channels at once; of four it would take the last one for transparency.
    parts = [pixels] if channels == 3 else [pixels[..., k] for k in range(channels)]
    moved = [
        Image.fromarray(part).transform(
            (width, height), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
        )
        for part in parts
    ]
    return np.asarray(moved[0]) if channels == 3 else np.stack(moved, axis=-1)


def _shift(pixels, right, down):
    """Pixels from so many columns and rows farther on, black where there are none."""
    height, width, _ = pixels.shape
    moved = np.zeros_like(pixels)
    moved[max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)] = pixels[
        max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)
    ]
    return moved
