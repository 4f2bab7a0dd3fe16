"""Images without some of their frequencies: the images themselves, or the loss that they would have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from keras_freq._core.compiled import compile_function
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.input_gradient import input_gradient
from keras_freq._core.progress import progress_bar
from keras_freq._core.sweep import sweep_batches
from keras_freq.shortcuts._class_losses import compute_image_losses
from keras_freq.spectral._backend import library_of
from keras_freq.spectral._dft import full_spectrum, rfft2
from keras_freq.spectral._images import to_planes


def remove_waves(images: Any, waves: Any, *, mean: np.ndarray, data_format: str) -> Any:
    """Copies of the images `(groups * batch, ...)` without their projections on the waves of each group.

    Projected is what the channels hold beyond `mean`, `(channels,)`. `waves` is `(groups, waves, pixels)`.
    Two matrix products and no transform: one gives what the images hold of all waves, one builds what is
    taken away.
    """
    planes, back = to_planes(images, data_format)
    xp = library_of(planes)
    # TensorFlow forgets sizes that change from call to call.
    batch, channels, height, width = xp.shape(planes)
    groups, count, pixels = xp.shape(waves)
    flat = xp.reshape(planes, (batch * channels, pixels))
    beyond = flat
    if mean.any():
        center = mean[:, None, None]
        center = center if isinstance(planes, np.ndarray) else ops.convert_to_tensor(center)
        beyond = xp.reshape(planes - center, (batch * channels, pixels))
    held = xp.matmul(beyond, xp.transpose(xp.reshape(waves, (groups * count, pixels)), (1, 0)))
    held = xp.transpose(xp.reshape(held, (batch * channels, groups, count)), (1, 0, 2))
    rest = flat - xp.matmul(held, waves)
    return back(xp.reshape(rest, (groups * batch, channels, height, width)))


def estimate_removal(
    feed: ModelFeed, mean: np.ndarray, *, loss: str, progress: bool | None
) -> tuple[np.ndarray, np.ndarray]:
    """Estimated increase of the loss without each bin, and power of each bin, means by class.

    `-Re(F * conj(G)) / (height * width)`, with `F` the spectrum of an image and `G` that of the gradient of
    its loss, summed over the channels; a bin and its partner add up to the pair. The increase is the first
    term of the Taylor series.

    Returns:
        Two float64 maps `(classes, height, width)`, centered; NaN for a class without an image.
    """
    data_format = feed.data_format
    step = compile_function(
        feed.model,
        ("removal estimate", loss, data_format, *mean.tolist()),
        _build(loss, tuple(mean.tolist()), data_format),
    )
    sums = np.zeros(())
    with progress_bar(progress, "gradients", total=feed.n) as advance:
        for (_, valid), part in sweep_batches(feed, step):
            sums = sums + part.astype("float64")
            advance(valid)
    with np.errstate(invalid="ignore"):
        means = sums / feed.count_per_class[:, None, None]
    estimate, power = full_spectrum(means, np.zeros_like(means), feed.size[1])[0]
    return -estimate / np.prod(feed.size), power


@functools.lru_cache(maxsize=8)
def _build(loss: str, mean: tuple[float, ...], data_format: str) -> Callable:
    def step(forward, images, labels, valid):
        gradient = input_gradient(lambda x: ops.sum(compute_image_losses(forward(x), labels, loss)), images)
        planes, slopes = (to_planes(part, data_format)[0] for part in (images, gradient))
        (re, im), (g_re, g_im) = (
            rfft2(planes - ops.reshape(ops.convert_to_tensor(mean, "float32"), (-1, 1, 1))),
            rfft2(slopes),
        )
        products = [ops.sum(re * g_re + im * g_im, axis=1), ops.sum(re * re + im * im, axis=1)]
        classes = forward(images[:1]).shape[-1]
        real = ops.arange(ops.shape(labels)[0], dtype="int32") < valid
        own = ops.one_hot(labels, classes, dtype="float32") * ops.cast(real, "float32")[:, None]
        xp = library_of(own)
        own = xp.transpose(own, (1, 0))
        flat = [xp.matmul(own, ops.reshape(part, (-1, re.shape[-2] * re.shape[-1]))) for part in products]
        return ops.reshape(ops.stack(flat), (2, classes, *re.shape[-2:]))

    return step
