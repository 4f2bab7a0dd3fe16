"""Spectral density of images: mean and spread over a data set and over each of its classes."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from keras_freq._core.checks import check_flag, show
from keras_freq._core.compiled import compile_function
from keras_freq._core.feeds import Feed
from keras_freq._core.moments import Moments
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq._core.sweep import sweep_batches
from keras_freq.spectral import azimuthal_radii, spectral_density
from keras_freq.spectral._density import Bins, Center
from keras_freq.spectral._grid import Units, choose_units
from keras_freq.spectral._ring_means import ring_means


@dataclass(frozen=True, kw_only=True)
class SpectralDensityResult(Result):
    """Spectral density of images by radius. `model` is None: there is none.

    Attributes:
        size: Height and width of the images.
        radii: Inner radius of each band, in `units`; bands are one bin of the smaller side wide.
        counts: Bins of the spectrum in each band.
        mean: Mean over the images, one value for each band.
        deviation: Standard deviation over the images (divided by their number), one value for each band.
        mean_per_class: The mean of each class, `(classes, bands)`; NaN for a class without an image; empty
            where there are no labels.
        deviation_per_class: The deviation of each class, as `mean_per_class`.
        count_per_class: Images of each class.

    Example:
        >>> density = keras_freq.data.image_spectral_density((images, labels))
        >>> sorted(density.ring_means()), np.shape(density.mean_per_class)
        (['high', 'low', 'mid'], (4, 23))
    """

    size: tuple[int, int]
    radii: tuple[float, ...]
    counts: tuple[int, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    mean_per_class: tuple[tuple[float, ...], ...] = ()
    deviation_per_class: tuple[tuple[float, ...], ...] = ()
    count_per_class: tuple[int, ...] = ()

    def of_class(self, label: int) -> SpectralDensityResult:
        """The density of one class, without its own classes.

        Raises:
            ValueError: If no image of that class was measured.
        """
        whole = isinstance(label, (int, np.integer)) and not isinstance(label, bool)
        if not whole or not 0 <= label < len(self.count_per_class) or not self.count_per_class[label]:
            known = [k for k, count in enumerate(self.count_per_class) if count]
            raise ValueError(
                f"`label` must be a class with images, one of {known}. Received: label={show(label)}"
            )
        return replace(
            self,
            n=self.count_per_class[label],
            mean=self.mean_per_class[label],
            deviation=self.deviation_per_class[label],
            settings={**self.settings, "label": int(label)},
            mean_per_class=(),
            deviation_per_class=(),
            count_per_class=(),
        )

    @property
    def units(self) -> Units:
        """`"index"` or `"cycles_per_pixel"`, of the radii."""
        return self.settings.get("units", "index")

    def ring_means(self, edges: Sequence[float] = (1 / 8, 1 / 4)) -> dict[str, float]:
        """Mean over low, middle and high bands, as in `GradientSpectrumResult.ring_means`."""
        return ring_means(self.radii, self.mean, edges, size=self.size, units=self.units)

    def rows(self) -> list[dict[str, Any]]:
        """One row for each band, over all images and then for each class."""
        classes = zip(self.count_per_class, self.mean_per_class, self.deviation_per_class, strict=True)
        parts = [("all", (self.n, self.mean, self.deviation)), *enumerate(classes)]
        names = ("radius", "bins", "mean", "deviation")
        return [
            {"class": label, **dict(zip(names, band, strict=True)), "n": n}
            for label, (n, mean, deviation) in parts
            for band in zip(self.radii, self.counts, mean, deviation, strict=True)
        ]

    def _headline(self) -> dict[str, Any]:
        return {"bands": len(self.radii), "mean by frequency": self.ring_means()}


def image_spectral_density(
    data: Any,
    *,
    center: Center = "dc",
    bins: Bins = "all",
    units: Units | None = None,
    normalize: bool = True,
    n: int | None = None,
    batch_size: int | None = None,
    data_format: str = "channels_last",
    progress: bool | None = False,
) -> SpectralDensityResult:
    """Mean and standard deviation over images of `keras_freq.spectral.spectral_density`, whole and by class.

    `s = azimuthal_average(20 log(1 + |F(gray)|))`, image by image `(s - min s) / (max s - min s)`. The data
    are read once; each profile is computed in float32, their moments in float64.

    Args:
        data: Images alone, an array `(batch, height, width, channels)`; arrays `(images, labels)`; a
            `tf.data.Dataset`, a `keras.utils.PyDataset`, or an iterable of batches. Labels only sort the
            images into classes.
        center: As in `keras_freq.spectral.azimuthal_average`.
        bins: As in `keras_freq.spectral.azimuthal_average`.
        units: Of radii. `"index"` counts bins, as published. `"cycles_per_pixel"` divides each axis by its
            side first, with bands one bin of the smaller side wide. Default: bins for square images, where
            both are the same bands, and cycles per pixel for others.
        normalize: Whether to scale each image's profile to [0, 1]. Otherwise `20 log(1 + |F|)`.
        n: Measure the first `n` images. Default all.
        batch_size: Images per batch where `data` are arrays, default 128.
        data_format: `"channels_last"` or `"channels_first"`.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        A `SpectralDensityResult`.

    Raises:
        ValueError: If an option is unknown, the data are empty, images are not finite, labels are negative or
            `n` exceeds the data.

    Source: Lin, Gao and Sang, "Investigating and Explaining the Frequency Bias in Image Classification",
        IJCAI 2022, section 4.
        Differs from the original: centered on DC with every band, unless asked otherwise; a flat profile
        gives 0, not NaN.

    Example:
        >>> density = keras_freq.data.image_spectral_density((images, labels))
        >>> len(density.mean), density.n, density.of_class(3).n
        (23, 8, 2)
    """
    check_flag(normalize, "normalize")
    feed = Feed(data, batch_size=batch_size, n=n, data_format=data_format, needs_labels=False)
    units = choose_units(units, feed.size)
    radii, counts = azimuthal_radii(*feed.size, center=center, bins=bins, units=units)
    measure = _compile_density(feed.image_shape, center, bins, units, normalize, data_format)
    every, classes = Moments(len(radii)), defaultdict[int, Moments](lambda: Moments(len(radii)))
    with progress_bar(progress, "spectral densities") as advance:
        for (labels, valid), profiles in sweep_batches(feed, lambda images, *_: measure(images)):
            profiles = profiles[:valid]
            every.add(profiles)
            for label in np.unique(labels[:valid]) if feed.labeled else ():
                classes[int(label)].add(profiles[labels[:valid] == label])
            advance(valid)
    parts = [classes[label] for label in range(max(classes, default=-1) + 1)]
    return SpectralDensityResult(
        model=None,
        n=feed.n,
        settings={
            "center": center,
            "bins": bins,
            "units": units,
            "normalize": normalize,
            "data_format": data_format,
            "n": n,
            "batch_size": batch_size,
        },
        versions=versions(),
        size=feed.size,
        radii=tuple(radii.tolist()),
        counts=tuple(counts.tolist()),
        mean=every.mean,
        deviation=every.deviation,
        mean_per_class=tuple(part.mean for part in parts),
        deviation_per_class=tuple(part.deviation for part in parts),
        count_per_class=tuple(part.n for part in parts),
    )


@functools.lru_cache(maxsize=16)
def _compile_density(
    shape: tuple[int, ...], center: Center, bins: Bins, units: Units, normalize: bool, data_format: str
) -> Callable:
    """Profiles `(batch, bands)` of a batch as one compiled function, which a layer that does nothing holds.

    One for each `shape` of an image: the spectrum is written for a size that is known.
    """

    def build(forward, images):
        return spectral_density(
            images, center=center, bins=bins, units=units, normalize=normalize, data_format=data_format
        )

    return compile_function(keras.layers.Identity(dtype="float32"), ("spectral density",), build)
