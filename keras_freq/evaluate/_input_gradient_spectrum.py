"""Spectrum of the loss gradient with respect to the images: which frequencies a model is learning from."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import keras
import numpy as np
from keras import ops

from keras_freq._core.checks import check_choice, check_flag
from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import compile_function
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.input_gradient import input_gradient
from keras_freq._core.losses import cross_entropy, nan_where_infinite, wrong_log_odds
from keras_freq._core.moments import Moments
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq._core.sweep import sweep_items
from keras_freq.spectral import amplitude, azimuthal_average, azimuthal_radii
from keras_freq.spectral._density import Bins, Center
from keras_freq.spectral._grid import UNITS, Units, choose_units
from keras_freq.spectral._ring_means import ring_means

# A profile whose range is below this share of the spectrum's root mean square is rounding noise.
_FLAT = 1e-5


@dataclass(frozen=True, kw_only=True)
class GradientSpectrumResult(Result):
    """Spectrum of the input gradients of one model, by radius.

    Attributes:
        size: Height and width of the images.
        radii: Inner radius of each band, in `units`; bands are one bin of the smaller side wide.
        counts: Bins of the spectrum in each band.
        mean: Mean over the images, one value for each band; NaN where no image has a finite gradient.
        deviation: Standard deviation over the images (divided by their number), one value for each band.
        flat: Images whose profile is the same at all radii, a gradient of zero for one: 0 in every band once
            normalized, and part of the mean.
        undefined: Images whose gradient is NaN or infinite; they are left out of mean and deviation.

    Example:
        >>> spectrum = keras_freq.evaluate.input_gradient_spectrum(model, data)
        >>> sorted(spectrum.ring_means()), sum(spectrum.counts) == 32 * 32
        (['high', 'low', 'mid'], True)
    """

    size: tuple[int, int]
    radii: tuple[float, ...]
    counts: tuple[int, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    flat: int
    undefined: int

    @property
    def units(self) -> Units:
        """`"index"` or `"cycles_per_pixel"`, of the radii."""
        return self.settings.get("units", "index")

    def ring_means(self, edges: Sequence[float] = (1 / 8, 1 / 4)) -> dict[str, float]:
        """Mean over low, middle and high bands, every band counted once.

        `low`: `radius < edges[0]`, `mid`: `edges[0] <= radius < edges[1]`, `high`: the rest, in cycles per
        pixel. By default the radii 4 and 8 of 32-pixel images.

        Args:
            edges: Two ascending numbers above 0, cycles per pixel.

        Returns:
            The means by name; NaN for a ring without a band.

        Raises:
            ValueError: If `edges` are not two ascending numbers, or images that are not square were measured
                in index units.
        """
        return ring_means(self.radii, self.mean, edges, size=self.size, units=self.units)

    def rows(self) -> list[dict[str, Any]]:
        """One row for each band."""
        bands = zip(self.radii, self.counts, self.mean, self.deviation, strict=True)
        names = ("radius", "bins", "mean", "deviation")
        return [{"model": self.model, **dict(zip(names, band, strict=True)), "n": self.n} for band in bands]

    def _headline(self) -> dict[str, Any]:
        return {**super()._headline(), "mean by frequency": self.ring_means()}


def input_gradient_spectrum(
    model: keras.Model | Classifier,
    data: Any,
    *,
    center: Center = "dc",
    bins: Bins = "all",
    units: Units | None = None,
    normalize: bool = True,
    n: int | None = None,
    batch_size: int | None = None,
    data_format: str | None = None,
    progress: bool | None = False,
) -> GradientSpectrumResult:
    """Spectrum of the gradient of the cross-entropy with respect to the images, by radius.

    `g = sum_c dCE(model(x), y) / dx_c`, `a = azimuthal_average(|F(g)|)`, image by image
    `(a - min a) / (max a - min a)`, then mean and standard deviation over the images. `F` is the
    unnormalized DFT of the gradient, which is summed over the channels; neither square nor logarithm is
    taken.

    The model runs in inference mode. With `normalize=True` the gradient is taken of the log-odds of the wrong
    classes, `log sum_{k != y} exp(z_k) - z_y`: it is that of the cross-entropy times a number above 0, one an
    image, which the normalization removes, and it does not vanish where the model is sure.

    Args:
        model: Keras classifier, images in, logits `(batch, classes)` out.
        data: Arrays `(images, labels)` with the true labels, a `tf.data.Dataset`, a `keras.utils.PyDataset`,
            or an iterable of batches.
        center: `"dc"` measures radii from DC, `(height // 2, width // 2)`; `"pixel"` from the middle of the
            array, half a bin off DC for even sizes, as published.
        bins: `"all"`, or `"inner"` to drop the first and the last band, as published: with `center="pixel"`
            20 bands for 32x32, 43 for 64x64, 156 for 224x224.
        units: Of radii. `"index"` counts bins, as published. `"cycles_per_pixel"` divides each axis by its
            side first, with bands one bin of the smaller side wide. Default: bins for square images, where
            both are the same bands, and cycles per pixel for others.
        normalize: Whether to scale each image's profile to [0, 1]; a flat one becomes 0. Otherwise profiles
            are in units of the loss of one image (natural logarithm) by pixel value.
        n: Measure the first `n` images, which are then held in memory (not a fair choice where data are
            sorted by class). Default all.
        batch_size: Images per batch where `data` are arrays, default 128.
        data_format: `"channels_last"` or `"channels_first"`; default that of the model.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        A `GradientSpectrumResult`.

    Raises:
        ValueError: If an option is unknown, the data are empty, images are not finite, labels are not among
            the model's outputs, `n` exceeds the data, or the model ends in softmax or sigmoid.
        TypeError: If `model` is not a Keras model.

    Source: Lin, Gao and Sang, "Investigating and Explaining the Frequency Bias in Image Classification",
        IJCAI 2022, learning priority.
        Differs from the original: centered on DC with every band, unless asked otherwise; a flat profile
        gives 0, not NaN; gradients do not underflow for images that the model is sure of.

    Example:
        >>> spectrum = keras_freq.evaluate.input_gradient_spectrum(model, data)
        >>> len(spectrum.mean), spectrum.radii[-1]
        (23, 22)
    """
    options = check_options(center, bins, units, normalize)
    feed = ModelFeed(model, data, batch_size=batch_size, n=n, data_format=data_format, needs_gradients=True)
    options["units"] = units = choose_units(units, feed.size)
    radii, counts = azimuthal_radii(*feed.size, center=center, bins=bins, units=units)
    build = _build_step(center, bins, units, normalize, feed.data_format)
    what = ("gradient spectrum", *options.items(), feed.data_format)
    measure = compile_function(feed.model, what, build)
    moments = Moments(len(radii))

    def fold(total: Any, part: tuple[np.ndarray, np.ndarray], labels: np.ndarray, valid: int) -> np.ndarray:
        profiles, even = (array[:valid] for array in part)
        finite = np.isfinite(profiles).all(axis=-1)
        moments.add(profiles[finite])
        counts = np.array([[np.sum(even & finite), np.sum(~finite)]])
        return counts if total is None else total + counts

    with progress_bar(progress, "input gradients") as advance:
        ((flat, undefined),) = sweep_items(
            {"all": None},
            feed,
            lambda images, labels, valid, chunk: measure(images, labels),
            load=list,
            fold=fold,
            per_step=1,
            advance=advance,
        )
    return GradientSpectrumResult(
        model=feed.model.name,
        n=feed.n,
        settings={**options, "n": n, "batch_size": batch_size, **feed.settings},
        versions=versions(),
        size=feed.size,
        radii=tuple(radii.tolist()),
        counts=tuple(counts.tolist()),
        mean=moments.mean,
        deviation=moments.deviation,
        flat=int(flat),
        undefined=int(undefined),
    )


def check_options(center: Any, bins: Any, units: Any, normalize: Any) -> dict[str, Any]:
    """The options of `input_gradient_spectrum` that shape its numbers."""
    if units is not None:
        check_choice(units, "units", UNITS)
    return {
        "center": check_choice(center, "center", get_args(Center)),
        "bins": check_choice(bins, "bins", get_args(Bins)),
        "units": units,
        "normalize": check_flag(normalize, "normalize"),
    }


@functools.lru_cache(maxsize=16)
def _build_step(center: Center, bins: Bins, units: Units, normalize: bool, data_format: str) -> Callable:
    """The step over one batch: the gradients of its images, their profiles, and which of these are flat."""

    def step(forward, images, labels):
        def loss(x):
            logits = forward(x)
            losses = (wrong_log_odds if normalize else cross_entropy)(logits, labels)
            return ops.sum(losses * nan_where_infinite(logits))

        gradient = ops.cast(input_gradient(loss, images), "float32")
        gradient = ops.sum(gradient, axis=-1 if data_format == "channels_last" else 1)
        return _average_by_radius(gradient, center, bins, units, normalize)

    return step


def _average_by_radius(
    gradient: Any, center: Center, bins: Bins, units: Units, normalize: bool
) -> tuple[Any, Any]:
    """Azimuthal averages `(batch, bands)` of `|F|`, and which of them are flat."""
    # Scaled to a peak of 1 first: squares of small gradients would be lost in float32.
    peak = ops.max(ops.abs(gradient), axis=(1, 2), keepdims=True)
    gradient = gradient / ops.where(peak > 0, peak, 1.0)
    spectrum = ops.squeeze(amplitude(ops.expand_dims(gradient, -1)), -1)
    profile = azimuthal_average(spectrum, center=center, bins=bins, units=units)
    low, high = ops.min(profile, axis=-1, keepdims=True), ops.max(profile, axis=-1, keepdims=True)
    # By Parseval the norm of the gradient is the root mean square of its spectrum.
    norm = ops.sqrt(ops.sum(ops.square(gradient), axis=(1, 2)))  # at least 1, but for a gradient of zero
    flat = ops.squeeze(high - low, -1) <= _FLAT * ops.maximum(norm, 1.0)
    if not normalize:
        return profile * ops.squeeze(peak, -1), flat
    even = ops.expand_dims(flat, -1)
    return ops.where(even, 0.0, (profile - low) / ops.where(even, 1.0, high - low)), flat
