"""Spectra of input gradients: of one model, and of a training as a map of epochs and bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from keras_freq._core.result import Result
from keras_freq.evaluate._ring_means import ring_means


@dataclass(frozen=True, kw_only=True)
class GradientSpectrumResult(Result):
    """Spectrum of the input gradients of one model, by radius.

    Attributes:
        size: Height and width of the images.
        radii: Radius of each band, whole index units; band `k` holds the distances from `k` to `k + 1`.
        counts: Bins of the spectrum in each band.
        mean: Mean over the images, one value a band; NaN where no image has a finite gradient.
        deviation: Standard deviation over the images (divided by their number), one value a band.
        flat: Images whose profile is the same at all radii, a gradient of zero for one: 0 in every band once
            normalised, and part of the mean.
        undefined: Images whose gradient is NaN or infinite; they are left out of mean and deviation.
    """

    size: tuple[int, int]
    radii: tuple[int, ...]
    counts: tuple[int, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    flat: int
    undefined: int

    def ring_means(self, edges: Sequence[float] = (1 / 8, 1 / 4)) -> dict[str, float]:
        """Mean over low, middle and high bands, every band counted once.

        `low`: `radius < edges[0] * s`, `mid`: `edges[0] * s <= radius < edges[1] * s`, `high`: the rest, with
        `s` the smaller side of the images. By default the radii 4 and 8 of 32-pixel images.

        Args:
            edges: Two ascending numbers above 0, cycles per pixel of the smaller side.

        Returns:
            The means by name; NaN for a ring without a band.

        Raises:
            ValueError: If `edges` are not two ascending numbers.
        """
        return ring_means(self.radii, self.mean, self.size, edges)

    def rows(self) -> list[dict[str, Any]]:
        """One row a band."""
        bands = zip(self.radii, self.counts, self.mean, self.deviation, strict=True)
        names = ("radius", "bins", "mean", "deviation")
        return [{"model": self.model, **dict(zip(names, band, strict=True)), "n": self.n} for band in bands]


@dataclass(frozen=True, kw_only=True)
class GradientSpectrumMap(Result):
    """Spectra of the input gradients over the epochs of a training.

    Numbers are stored as measured; `normalized` scales the whole map.

    Attributes:
        epochs: How many epochs the model was trained for, one number a row; 0 is the untrained model.
        radii: Radius of each band, whole index units.
        counts: Bins of the spectrum in each band.
        mean: Mean over the images, `(epochs, bands)`.
        deviation: Standard deviation over the images, `(epochs, bands)`.
        flat: Images with a flat profile, one number an epoch.
        undefined: Images without a finite gradient, one number an epoch.
    """

    epochs: tuple[float, ...]
    radii: tuple[int, ...]
    counts: tuple[int, ...]
    mean: tuple[tuple[float, ...], ...]
    deviation: tuple[tuple[float, ...], ...]
    flat: tuple[int, ...]
    undefined: tuple[int, ...]

    @property
    def spectra(self) -> np.ndarray:
        """The means as a float64 array `(epochs, bands)`."""
        return np.array(self.mean, "float64")

    @property
    def normalized(self) -> np.ndarray:
        """`(s - min s) / (max s - min s)` over all epochs and bands, as published; 0 for a flat map."""
        spectra = self.spectra
        finite = spectra[np.isfinite(spectra)]
        low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
        return (spectra - low) / ((high - low) or 1.0)

    def rows(self) -> list[dict[str, Any]]:
        """One row an epoch and band."""
        return [
            {"model": self.model, "epoch": epoch, "radius": radius, "mean": mean, "deviation": spread}
            | {"n": self.n}
            for epoch, means, spreads in zip(self.epochs, self.mean, self.deviation, strict=True)
            for radius, mean, spread in zip(self.radii, means, spreads, strict=True)
        ]


def gradient_spectrum_map(
    results: Sequence[GradientSpectrumResult], *, epochs: Sequence[float] | None = None
) -> GradientSpectrumMap:
    """One map of several spectra of the same images: of the checkpoints of a training, say.

    Args:
        results: What `input_gradient_spectrum` returned for each model, with the same options.
        epochs: How many epochs each of them was trained for. Default 1, 2, 3, ...

    Returns:
        A `GradientSpectrumMap` with one row a result, in the order given, under the name of the first model.

    Raises:
        ValueError: If there is no result, they differ in size, number of images or options, or `epochs` are
            not one number a result.

    Example:

    >>> paths = ["epoch_1.keras", "epoch_5.keras", "epoch_10.keras"]
    >>> spectra = [
    ...     keras_freq.evaluate.input_gradient_spectrum(keras.saving.load_model(path), data.test)
    ...     for path in paths
    ... ]
    >>> keras_freq.evaluate.gradient_spectrum_map(spectra, epochs=(1, 5, 10)).spectra.shape
    (3, 23)
    """
    results = list(results)
    if not results:
        raise ValueError("`results` must hold at least one spectrum. Received: results=[]")
    epochs = tuple(range(1, len(results) + 1) if epochs is None else epochs)
    if len(epochs) != len(results) or not all(_is_number(epoch) for epoch in epochs):
        raise ValueError(
            f"`epochs` must be {len(results)} finite numbers, one a result. Received: epochs={epochs!r}"
        )
    first, kept = results[0], [_comparable(result) for result in results]
    for number, other in enumerate(kept):
        for name, value in other.items():
            if value != kept[0][name]:
                raise ValueError(
                    f"`results` must be of the same images and options. Received: {name}={kept[0][name]!r} "
                    f"for the first, {name}={value!r} for number {number}, counted from 0"
                )
    return GradientSpectrumMap(
        model=first.model,
        n=first.n,
        settings=first.settings,
        versions=first.versions,
        epochs=epochs,
        radii=first.radii,
        counts=first.counts,
        **{
            name: tuple(getattr(result, name) for result in results)
            for name in ("mean", "deviation", "flat", "undefined")
        },
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and bool(np.isfinite(value))


def _comparable(result: GradientSpectrumResult) -> dict[str, Any]:
    options = ("center", "bins", "normalize", "data_format")
    return {"size": result.size, "n": result.n} | {name: result.settings[name] for name in options}
