"""Spectra of the input gradients over a training, as a map of epochs and bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_freq._core.checks import check_numbers, show
from keras_freq._core.result import Result
from keras_freq.evaluate._input_gradient_spectrum import GradientSpectrumResult
from keras_freq.spectral._grid import Units


@dataclass(frozen=True, kw_only=True)
class GradientSpectrumMap(Result):
    """Spectra of the input gradients over the epochs of a training.

    Numbers are stored as measured; `normalized` scales the whole map.

    Attributes:
        epochs: How many epochs the model was trained for, one number for each row; 0 is the untrained model.
        radii: Inner radius of each band, in `units`.
        counts: Bins of the spectrum in each band.
        mean: Mean over the images, `(epochs, bands)`.
        deviation: Standard deviation over the images, `(epochs, bands)`.
        flat: Images with a flat profile, one number for each epoch.
        undefined: Images without a finite gradient, one number for each epoch.

    Example:
        >>> spectrum = keras_freq.evaluate.input_gradient_spectrum(model, data)
        >>> spectra = keras_freq.evaluate.gradient_spectrum_map([spectrum, spectrum])
        >>> spectra.epochs, float(spectra.normalized.min()), float(spectra.normalized.max())
        ((1, 2), 0.0, 1.0)
    """

    epochs: tuple[float, ...]
    radii: tuple[float, ...]
    counts: tuple[int, ...]
    mean: tuple[tuple[float, ...], ...]
    deviation: tuple[tuple[float, ...], ...]
    flat: tuple[int, ...]
    undefined: tuple[int, ...]

    @property
    def units(self) -> Units:
        """`"index"` or `"cycles_per_pixel"`, of the radii."""
        return self.settings.get("units", "index")

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
        """One row for each epoch and band."""
        return [
            {"model": self.model, "epoch": epoch, "radius": radius, "mean": mean, "deviation": spread}
            | {"n": self.n}
            for epoch, means, spreads in zip(self.epochs, self.mean, self.deviation, strict=True)
            for radius, mean, spread in zip(self.radii, means, spreads, strict=True)
        ]

    def _headline(self) -> dict[str, Any]:
        lows, highs = np.nanmin(self.spectra), np.nanmax(self.spectra)
        return {"epochs": self.epochs, "bands": len(self.radii), "lowest": lows, "highest": highs}


def gradient_spectrum_map(
    results: Sequence[GradientSpectrumResult], *, epochs: Sequence[float] | None = None
) -> GradientSpectrumMap:
    """One map of several spectra of the same images: of the checkpoints of a training, say.

    Args:
        results: What `input_gradient_spectrum` returned for each model, with the same options.
        epochs: How many epochs each of them was trained for. Default 1, 2, 3, ...

    Returns:
        A `GradientSpectrumMap` with one row for each result, in the order given, under the name of the first
        model.

    Raises:
        ValueError: If there is no result, they differ in size, number of images or options, or `epochs` are
            not one number for each result.

    Example:
        >>> after_1, after_5 = (
        ...     keras_freq.evaluate.input_gradient_spectrum(checkpoint, data)
        ...     for checkpoint in (model, keras.models.clone_model(model))
        ... )
        >>> spectra = keras_freq.evaluate.gradient_spectrum_map([after_1, after_5], epochs=(1, 5))
        >>> spectra.spectra.shape
        (2, 23)
    """
    results = list(results)
    if not results:
        raise ValueError("`results` must hold at least one spectrum. Received: results=[]")
    epochs = tuple(range(1, len(results) + 1) if epochs is None else epochs)
    check_numbers(epochs, "epochs")
    if len(epochs) != len(results):
        raise ValueError(
            f"`epochs` must be {len(results)} numbers, one for each result. Received: epochs={show(epochs)}"
        )
    first, wanted = results[0], _list_options(results[0])
    for number, other in enumerate(results):
        for name, value in _list_options(other).items():
            if value != wanted[name]:
                raise ValueError(
                    f"`results` must be of the same images and options. Received: {name}={wanted[name]!r} "
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
        mean=tuple(result.mean for result in results),
        deviation=tuple(result.deviation for result in results),
        flat=tuple(result.flat for result in results),
        undefined=tuple(result.undefined for result in results),
    )


def _list_options(result: GradientSpectrumResult) -> dict[str, Any]:
    options = ("center", "bins", "normalize", "data_format")
    return {"size": result.size, "n": result.n, "units": result.units} | {
        name: result.settings[name] for name in options
    }
