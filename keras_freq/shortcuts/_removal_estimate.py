"""The first-order estimate: all frequencies from one backward pass."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_freq._core.compiled import compile_function
from keras_freq._core.input_gradient import input_gradient
from keras_freq._core.progress import progress_bar
from keras_freq.shortcuts._class_losses import image_losses
from keras_freq.shortcuts._search_images import SearchImages
from keras_freq.spectral._backend import library_of
from keras_freq.spectral._dft import rfft2
from keras_freq.spectral._images import to_planes


def removal_estimate(
    model: keras.Model, images: SearchImages, *, loss: str, data_format: str, progress: bool | None
) -> tuple[np.ndarray, np.ndarray]:
    """Estimated increase of the loss without each bin, and power of each bin, means by class.

    `-Re(F * conj(G)) / (height * width)`, with `F` the spectrum of an image and `G` that of the gradient of
    its loss, summed over the channels; a bin and its partner add up to the pair. The increase is the first
    term of the Taylor series.

    Returns:
        Two float64 maps `(classes, height, width)`, centred; NaN for a class without an image.
    """
    step = compile_function(model, ("removal estimate", loss, data_format), _build(loss, data_format))
    sums = 0.0
    with progress_bar(progress, "gradients", total=images.n) as advance:
        for count, batch in enumerate(images):
            sums = sums + ops.convert_to_numpy(step(*batch)).astype("float64")
            advance(min(images.batch_size, images.n - count * images.batch_size))
    with np.errstate(invalid="ignore"):
        means = sums / images.count_per_class[:, None, None]
    estimate, power = whole_plane(means, images.size)
    return -estimate / np.prod(images.size), power


@functools.lru_cache(maxsize=8)
def _build(loss: str, data_format: str) -> Callable:
    def step(forward, images, labels, valid):
        gradient = input_gradient(lambda x: ops.sum(image_losses(forward(x), labels, loss)), images)
        (re, im), (g_re, g_im) = (rfft2(to_planes(part, data_format)[0]) for part in (images, gradient))
        products = [ops.sum(re * g_re + im * g_im, axis=1), ops.sum(re * re + im * im, axis=1)]
        classes = forward(images[:1]).shape[-1]
        real = ops.arange(ops.shape(labels)[0], dtype="int32") < valid
        own = ops.one_hot(labels, classes, dtype="float32") * ops.cast(real, "float32")[:, None]
        xp = library_of(own)
        own = xp.transpose(own, (1, 0))
        flat = [xp.matmul(own, ops.reshape(part, (-1, re.shape[-2] * re.shape[-1]))) for part in products]
        return ops.reshape(ops.stack(flat), (2, classes, *re.shape[-2:]))

    return step


def whole_plane(half: np.ndarray, size: tuple[int, int]) -> Any:
    """Centred symmetric maps from their half `(..., height, columns)`."""
    height, width = size
    mirrored = half[..., (-np.arange(height)) % height, :][..., np.arange((width - 1) // 2, 0, -1)]
    return np.fft.fftshift(np.concatenate([half, mirrored], axis=-1), axes=(-2, -1))
