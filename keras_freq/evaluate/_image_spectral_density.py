"""Spectral density of images: mean and spread over a data set and over each of its classes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_freq._core.checks import check_whole
from keras_freq._core.compiled import compile_function
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq.data import iterate_batches
from keras_freq.evaluate._input_gradient_spectrum import check_options
from keras_freq.evaluate._ring_means import ring_means
from keras_freq.spectral import azimuthal_radii, spectral_density


@dataclass(frozen=True, kw_only=True)
class SpectralDensityResult(Result):
    """Spectral density of images by radius. `model` is None: there is none.

    Attributes:
        size: Height and width of the images.
        radii: Radius of each band, whole index units; band `k` holds the distances from `k` to `k + 1`.
        counts: Bins of the spectrum in each band.
        mean: Mean over the images, one value a band.
        deviation: Standard deviation over the images (divided by their number), one value a band.
        mean_per_class: The mean of each class, `(classes, bands)`; NaN for a class without an image; empty
            where there are no labels.
        deviation_per_class: The deviation of each class, as `mean_per_class`.
        count_per_class: Images of each class.
    """

    size: tuple[int, int]
    radii: tuple[int, ...]
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
                f"`label` must be a class with images, one of {known}. Received: label={label!r}"
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

    def ring_means(self, edges: Sequence[float] = (1 / 8, 1 / 4)) -> dict[str, float]:
        """Mean over low, middle and high bands, as in `GradientSpectrumResult.ring_means`."""
        return ring_means(self.radii, self.mean, self.size, edges)

    def rows(self) -> list[dict[str, Any]]:
        """One row a band, over all images and then for each class."""
        parts = [("all", self.n, self.mean, self.deviation)]
        classes = zip(self.count_per_class, self.mean_per_class, self.deviation_per_class, strict=True)
        parts += [(label, *part) for label, part in enumerate(classes)]
        names = ("radius", "bins", "mean", "deviation")
        return [
            {"class": label, **dict(zip(names, band, strict=True)), "n": n}
            for label, n, mean, deviation in parts
            for band in zip(self.radii, self.counts, mean, deviation, strict=True)
        ]


def image_spectral_density(
    data: Any,
    *,
    center: Literal["dc", "pixel"] = "dc",
    bins: Literal["all", "inner"] = "all",
    normalize: bool = True,
    n: int | None = None,
    batch_size: int | None = None,
    data_format: str = "channels_last",
    progress: bool | None = False,
) -> SpectralDensityResult:
    """Mean and standard deviation over images of `keras_freq.spectral.spectral_density`, whole and by class.

    `s = azimuthal_average(20 log(1 + |F(grey)|))`, image by image `(s - min s) / (max s - min s)`. The data
    are read once; each profile is computed in float32, their moments in float64.

    Args:
        data: Images alone, an array `(batch, height, width, channels)`; arrays `(images, labels)`; a
            `tf.data.Dataset`, a `keras.utils.PyDataset`, or an iterable of batches. Labels only sort the
            images into classes.
        center: As in `keras_freq.spectral.azimuthal_average`.
        bins: As in `keras_freq.spectral.azimuthal_average`.
        normalize: Whether to scale each image's profile to [0, 1]. Otherwise `20 log(1 + |F|)`.
        n: Measure the first `n` images. Default all.
        batch_size: Images a batch where `data` are arrays, default 128.
        data_format: `"channels_last"` or `"channels_first"`.
        progress: Show a progress bar; `None`: on a terminal where tqdm is installed.

    Returns:
        A `SpectralDensityResult`.

    Raises:
        ValueError: If an option is unknown, the data are empty, images are not finite, labels are negative or
            `n` exceeds the data.

    Source: Lin, Gao and Sang, "Investigating and Explaining the Frequency Bias in Image Classification",
    IJCAI 2022, section 4. Differs from the original: centred on DC with every band, unless asked otherwise;
    a flat profile gives 0, not NaN.

    Example:

    >>> density = keras_freq.evaluate.image_spectral_density(data.test)
    >>> len(density.mean), density.n, density.of_class(3).n
    (23, 1000, 100)
    """
    options = check_options(center, bins, normalize, data_format)
    if n is not None:
        check_whole(n, "n")
    # Images alone are an array; a pair of arrays is a tuple, and feeds have no shape.
    labelled = not (hasattr(data, "shape") and len(data.shape) == 4)
    if not labelled:
        data = data, np.zeros(len(data), "int64")
    every, classes = _Moments(), {}
    with progress_bar(progress, "spectral densities") as advance:
        for images, labels in _first(iterate_batches(data, batch_size), n):
            size = images.shape[1:3] if data_format == "channels_last" else images.shape[2:4]
            profiles = _compiled(images.shape[1:], **options)
            found = ops.convert_to_numpy(profiles(images)).astype("float64")[: len(labels)]
            every.add(found)
            for label in np.unique(labels) if labelled else ():
                classes.setdefault(int(label), _Moments()).add(found[labels == label])
            advance(len(labels))
    if n is not None and every.n < n:
        raise ValueError(f"`n` must be at most the number of images, here {every.n}. Received: n={n}")
    radii, counts = azimuthal_radii(*size, center=center, bins=bins)
    empty = _Moments.none(len(radii))
    parts = [classes.get(label, empty) for label in range(max(classes, default=-1) + 1)]
    return SpectralDensityResult(
        model=None,
        n=every.n,
        settings={**options, "n": n, "batch_size": batch_size},
        versions=versions(),
        size=tuple(map(int, size)),
        radii=tuple(radii.tolist()),
        counts=tuple(counts.tolist()),
        mean=tuple(every.mean.tolist()),
        deviation=tuple(every.deviation.tolist()),
        mean_per_class=tuple(tuple(part.mean.tolist()) for part in parts),
        deviation_per_class=tuple(tuple(part.deviation.tolist()) for part in parts),
        count_per_class=tuple(part.n for part in parts),
    )


def _first(batches: Iterator, n: int | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Whole batches of images, with the labels of those that count, up to `n` of them."""
    seen = 0
    for images, labels, valid in batches:
        valid = valid if n is None else min(valid, n - seen)
        yield images, labels[:valid]
        seen += valid
        if seen == n:
            return


@functools.lru_cache(maxsize=16)
def _compiled(shape: tuple[int, ...], center: str, bins: str, normalize: bool, data_format: str) -> Callable:
    """Profiles `(batch, bands)` of a batch as one compiled function, which a layer that does nothing holds.

    One for each `shape` of an image: the spectrum is written for a size that is known.
    """

    def build(forward, images):
        return spectral_density(
            images, center=center, bins=bins, normalize=normalize, data_format=data_format
        )

    return compile_function(keras.layers.Identity(dtype="float32"), ("spectral density",), build)


class _Moments:
    """Number, mean and summed squared deviations of profiles, joined batch by batch (Chan's formula)."""

    def __init__(self):
        self.n, self.mean, self.squares = 0, np.float64(0), np.float64(0)

    @classmethod
    def none(cls, bands: int) -> _Moments:
        moments = cls()
        moments.mean = moments.squares = np.full(bands, np.nan)
        return moments

    def add(self, profiles: np.ndarray) -> None:
        here = len(profiles)
        mean, total = profiles.mean(axis=0), self.n + here
        step = mean - self.mean
        squares = np.square(profiles - mean).sum(axis=0)
        self.squares = self.squares + squares + step * step * (self.n * here / total)
        self.mean = self.mean + step * (here / total)
        self.n = total

    @property
    def deviation(self) -> np.ndarray:
        return np.sqrt(self.squares / max(self.n, 1))
