"""Spectrum of the loss gradient with respect to the images: which frequencies a model is learning from."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_freq._core.checks import check_choice, check_labels
from keras_freq._core.compiled import compile_function, compile_logits
from keras_freq._core.input_gradient import input_gradient
from keras_freq._core.losses import cross_entropy, nan_where_infinite
from keras_freq._core.probabilities import reject_probabilities
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import versions
from keras_freq.evaluate._counting import first_images, labelled_batches
from keras_freq.evaluate._gradient_spectrum_result import GradientSpectrumResult
from keras_freq.spectral import amplitude, azimuthal_average, azimuthal_radii
from keras_freq.spectral._images import DATA_FORMATS

CENTERS = ("dc", "pixel")
BINS = ("all", "inner")
# The host runs ahead of an accelerator by at most this many batches.
_AHEAD = 16
# A profile whose range is below this share of the spectrum's root mean square is rounding noise.
_FLAT = 1e-5


def input_gradient_spectrum(
    model: keras.Model,
    data: Any,
    *,
    center: Literal["dc", "pixel"] = "dc",
    bins: Literal["all", "inner"] = "all",
    normalize: bool = True,
    n: int | None = None,
    batch_size: int | None = None,
    data_format: str = "channels_last",
    progress: bool | None = False,
) -> GradientSpectrumResult:
    """Spectrum of the gradient of the cross-entropy with respect to the images, by radius.

    `g = sum_c dCE(model(x), y) / dx_c`, `a = azimuthal_average(|F(g)|)`, image by image
    `(a - min a) / (max a - min a)`, then mean and standard deviation over the images. `F` is the
    un-normalised DFT of the gradient, which is summed over the channels; neither square nor logarithm is
    taken.

    The model runs in inference mode. With `normalize=True` the gradient is taken of the log-odds of the wrong
    classes, `log sum_{k != y} exp(z_k) - z_y`: it is that of the cross-entropy times a number above 0, one an
    image, which the normalisation removes, and it does not vanish where the model is sure.

    Args:
        model: Keras classifier, images in, logits `(batch, classes)` out.
        data: Arrays `(images, labels)` with the true labels, a `tf.data.Dataset`, a `keras.utils.PyDataset`,
            or an iterable of batches.
        center: `"dc"` measures radii from DC, `(height // 2, width // 2)`; `"pixel"` from the middle of the
            array, half a bin off DC for even sizes, as published.
        bins: `"all"`, or `"inner"` to drop the first and the last band, as published: with `center="pixel"`
            20 bands for 32x32, 43 for 64x64, 156 for 224x224.
        normalize: Whether to scale each image's profile to [0, 1]; a flat one becomes 0. Otherwise profiles
            are in units of the loss of one image (natural logarithm) by pixel value.
        n: Measure the first `n` images, which are then held in memory (not a fair choice where data are
            sorted by class). Default all.
        batch_size: Images a batch where `data` are arrays, default 128.
        data_format: `"channels_last"` or `"channels_first"`.
        progress: Show a progress bar; `None`: on a terminal where tqdm is installed.

    Returns:
        A `GradientSpectrumResult`.

    Raises:
        ValueError: If an option is unknown, the data are empty, images are not finite, labels are not among
            the model's outputs, `n` exceeds the data, or the model ends in softmax or sigmoid.
        TypeError: If `model` is not a Keras model.

    Source: Lin, Gao and Sang, "Investigating and Explaining the Frequency Bias in Image Classification",
    IJCAI 2022, learning priority. Differs from the original: centred on DC with every band, unless asked
    otherwise; a flat profile gives 0, not NaN; gradients do not underflow for images that the model is sure
    of.

    Example:

    >>> spectrum = keras_freq.evaluate.input_gradient_spectrum(model, data.test)
    >>> len(spectrum.mean), {name: round(value, 2) for name, value in spectrum.ring_means().items()}
    (23, {'low': 0.71, 'mid': 0.62, 'high': 0.24})
    """
    options = check_options(center, bins, normalize, data_format)
    reject_probabilities(model)
    step = compile_function(model, ("gradient spectrum", *options.items()), _build(**options))
    if n is not None:
        data, batch_size = first_images(model, data, n, batch_size)
    state, seen = None, 0
    with progress_bar(progress, "input gradients") as advance:
        for number, (images, labels, valid) in enumerate(labelled_batches(model, data, batch_size)):
            if state is None:
                size = images.shape[1:3] if data_format == "channels_last" else images.shape[2:4]
                radii, counts = azimuthal_radii(*size, center=center, bins=bins)
                logits = ops.convert_to_numpy(compile_logits(model)(images))
                reject_probabilities(model, logits[:valid])
                state = tuple(np.zeros(shape, "float32") for shape in (len(radii), len(radii), 3))
            check_labels(labels, len(labels), logits.shape[-1])
            # Mean, squared deviations and counts go from step to step on the device.
            state = step(images, labels, np.int32(valid), state)
            seen += valid
            if (number + 1) % _AHEAD == 0:
                ops.convert_to_numpy(state[2])
            advance(valid)
    mean, squares, tally = (ops.convert_to_numpy(part).astype("float64") for part in state)
    measured, flat, undefined = tally.tolist()
    empty = np.full(len(radii), np.nan)
    return GradientSpectrumResult(
        model=model.name,
        n=seen,
        settings={**options, "n": n, "batch_size": batch_size},
        versions=versions(),
        size=tuple(map(int, size)),
        radii=tuple(radii.tolist()),
        counts=tuple(counts.tolist()),
        mean=tuple((mean if measured else empty).tolist()),
        deviation=tuple((np.sqrt(squares / measured) if measured else empty).tolist()),
        flat=int(flat),
        undefined=int(undefined),
    )


def check_options(center: Any, bins: Any, normalize: Any, data_format: Any) -> dict[str, Any]:
    """The options of `input_gradient_spectrum` that shape its numbers."""
    if not isinstance(normalize, bool):
        raise ValueError(f"`normalize` must be True or False. Received: normalize={normalize!r}")
    return {
        "center": check_choice(center, "center", CENTERS),
        "bins": check_choice(bins, "bins", BINS),
        "normalize": normalize,
        "data_format": check_choice(data_format, "data_format", DATA_FORMATS),
    }


@functools.lru_cache(maxsize=16)
def _build(center: str, bins: str, normalize: bool, data_format: str) -> Callable:
    """The step over one batch: gradients, their profiles, and how mean and deviation change."""

    def step(forward, images, labels, valid, state):
        def loss(x):
            logits = forward(x)
            losses = (wrong_log_odds if normalize else cross_entropy)(logits, labels)
            return ops.sum(losses * nan_where_infinite(logits))

        gradient = ops.cast(input_gradient(loss, images), "float32")
        gradient = ops.sum(gradient, axis=-1 if data_format == "channels_last" else 1)
        profiles, flat = _profiles(gradient, center, bins, normalize)
        real = ops.arange(ops.shape(labels)[0], dtype="int32") < valid
        finite = ops.all(ops.isfinite(profiles), axis=-1)
        return _join(state, profiles, real, finite, flat)

    return step


def wrong_log_odds(logits: Any, labels: Any) -> Any:
    """`m = log sum_{k != y} exp(z_k) - z_y`, `(batch,)`, of which the cross-entropy is `log(1 + exp(m))`.

    In this form float32 keeps the gradient of images that the model is sure of: `1 - p_y` is never taken.
    """
    own = ops.one_hot(labels, logits.shape[-1], dtype="float32")
    others = ops.where(own > 0, -1e30, logits)
    return ops.logsumexp(others, axis=-1) - ops.sum(own * logits, axis=-1)


def _profiles(gradient: Any, center: str, bins: str, normalize: bool) -> tuple[Any, Any]:
    """Azimuthal averages `(batch, bands)` of `|F|`, and which of them are flat."""
    # Scaled to a peak of 1 first: squares of small gradients would be lost in float32.
    peak = ops.max(ops.abs(gradient), axis=(1, 2), keepdims=True)
    gradient = gradient / ops.where(peak > 0, peak, 1.0)
    spectrum = ops.squeeze(amplitude(ops.expand_dims(gradient, -1)), -1)
    profile = azimuthal_average(spectrum, center=center, bins=bins)
    low, high = ops.min(profile, axis=-1, keepdims=True), ops.max(profile, axis=-1, keepdims=True)
    # By Parseval the norm of the gradient is the root mean square of its spectrum.
    norm = ops.sqrt(ops.sum(ops.square(gradient), axis=(1, 2)))  # at least 1, but for a gradient of zero
    flat = ops.squeeze(high - low, -1) <= _FLAT * ops.maximum(norm, 1.0)
    if not normalize:
        return profile * ops.squeeze(peak, -1), flat
    even = ops.expand_dims(flat, -1)
    return ops.where(even, 0.0, (profile - low) / ops.where(even, 1.0, high - low)), flat


def _join(state: tuple, profiles: Any, real: Any, finite: Any, flat: Any) -> tuple:
    """Mean, summed squared deviations and counts with those of a batch joined to them.

    Chan's formula: exact in float32 where a difference of sums of squares is not.
    """
    mean, squares, tally = state

    def count(which):
        return ops.sum(ops.cast(which, "float32"))

    kept = ops.logical_and(real, finite)
    here = count(kept)
    batch_mean = ops.sum(ops.where(kept[:, None], profiles, 0.0), axis=0) / ops.maximum(here, 1.0)
    spread = ops.sum(ops.square(ops.where(kept[:, None], profiles - batch_mean, 0.0)), axis=0)
    total = tally[0] + here
    share, step = here / ops.maximum(total, 1.0), batch_mean - mean
    counts = ops.stack(
        [
            here,
            count(ops.logical_and(kept, flat)),
            count(ops.logical_and(real, ops.logical_not(finite))),
        ]
    )
    return mean + step * share, squares + spread + ops.square(step) * tally[0] * share, tally + counts
