"""Digital: contrast, saturation, pixelation and JPEG compression."""

from __future__ import annotations

import functools
import io

import numpy as np

from keras_freq._core.pixels import to_bytes, unit_float32
from keras_freq.data._corruptions import filters


def contrast(planes: np.ndarray, factor: float) -> np.ndarray:
    """`(x - m) * factor + m`, `m` the mean of each channel of each image."""
    means = planes.mean(axis=(2, 3), keepdims=True, dtype="float64").astype("float32")
    return (planes - means) * np.float32(factor) + means


def saturate(planes: np.ndarray, factor: float, amount: float) -> np.ndarray:
    """`min(S * factor + amount, 1)` for the saturation S of HSV; hue and value stay.

    With `V = max(R, G, B)` every channel is `V - (V - x) * S' / S`. Gray pixels have hue 0, so what is added
    to them is red. Images of one channel have no color and stay as they are.
    """
    if planes.shape[1] == 1:
        return planes
    value = planes.max(axis=1, keepdims=True)
    spread = value - planes.min(axis=1, keepdims=True)
    saturation = spread / np.where(value > 0, value, 1)
    wanted = np.clip(saturation * factor + amount, 0, 1)
    # (V - x) / S is V for the smallest channel; of a gray pixel green and blue count as smallest.
    depth = value * (value - planes) / np.where(spread > 0, spread, 1)
    red = np.array([0, 1, 1], "float32")[:, None, None]
    return value - np.where(spread > 0, depth, value * red) * wanted


def pixelate(planes: np.ndarray, share: float) -> np.ndarray:
    """Reduced to `floor(side * share)` pixels a side by the mean, enlarged by the nearest pixel."""
    rows, columns = (_pixelation(size, max(int(size * share), 1)) for size in planes.shape[2:])
    return filters.separable(planes, rows, columns)


@functools.lru_cache(maxsize=32)
def _pixelation(size: int, small: int) -> np.ndarray:
    return _box(small, size) @ _box(size, small)


def _box(size: int, target: int) -> np.ndarray:
    """Box resampling `(target, size)`: the mean of the samples whose centers lie in the box."""
    scale = size / target
    centers = (np.arange(target) + 0.5) * scale
    distance = (np.arange(size) + 0.5 - centers[:, None]) / max(scale, 1)
    matrix = ((distance > -0.5) & (distance <= 0.5)).astype("float32")
    return matrix / matrix.sum(axis=1, keepdims=True)


def jpeg_compression(planes: np.ndarray, quality: int) -> np.ndarray:
    """Through a JPEG file of the given quality, color at half resolution, in Pillow; bytes stay bytes."""
    decoded = through_jpeg(to_bytes(planes), quality)
    return decoded if planes.dtype == np.uint8 else unit_float32(decoded)


def through_jpeg(planes: np.ndarray, quality: int) -> np.ndarray:
    """What is read back of uint8 `(n, channels, height, width)` that Pillow saves as JPEG.

    The published sets were saved with Pillow's `optimize=True`, which shortens files and changes no pixel.
    """
    from PIL import Image

    pixels = planes.transpose(0, 2, 3, 1)
    result = np.empty(pixels.shape, "uint8")
    for image, decoded in zip(pixels, result, strict=True):
        file = io.BytesIO()
        Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "JPEG", quality=quality)
        decoded[...] = np.asarray(Image.open(file)).reshape(image.shape)
    return result.transpose(0, 3, 1, 2)
