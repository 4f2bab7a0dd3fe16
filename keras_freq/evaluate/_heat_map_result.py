"""A Fourier heat map: error at every frequency, and the geometry of the published pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_freq._core.checks import show
from keras_freq._core.result import Result
from keras_freq.spectral import radial_distance
from keras_freq.spectral._grid import mirror
from keras_freq.spectral._ring_means import ring_means

# Size of the images and half size of the window, by the size of the picture.
_PUBLISHED = {"31x31": (32, 15), "63x63": (224, 31)}


@dataclass(frozen=True, kw_only=True)
class FourierHeatMapResult(Result):
    """Errors on images with one Fourier basis image added, by frequency.

    The counts stand in the fields; the maps are made from them. Maps are float64 `(height, width)` with DC at
    `(height // 2, width // 2)` and NaN outside the window.

    Attributes:
        epsilon: L2 norm of what is added to each channel, pixel units.
        phase: Phase of the basis images in radians, or `"random"`.
        size: Height and width of the images.
        frequencies: Measured frequencies, centered indices `(i, j)`, from DC outward.
        correct_per_class: Correctly classified images at each of them, `(frequencies, classes)`.
        clean_correct_per_class: Correctly classified images with nothing added, `(classes,)`.
        count_per_class: Images of each class.
        undefined: Undefined outputs, of images as they are and changed; they count as wrong.
        layer: Name of the layer whose change was measured too, or `None`.
        layer_changes: Mean L2 norm of its change at each measured frequency, or `None`.

    Example:
        >>> heat = kf.evaluate.fourier_heat_map(model, data, window=2)
        >>> heat.size, len(heat.frequencies), sorted(heat.ring_means())
        ((32, 32), 13, ['high', 'low', 'mid'])
    """

    epsilon: float
    phase: float | str
    size: tuple[int, int]
    frequencies: tuple[tuple[int, int], ...]
    correct_per_class: tuple[tuple[int, ...], ...]
    clean_correct_per_class: tuple[int, ...]
    count_per_class: tuple[int, ...]
    undefined: int = 0
    layer: str | None = None
    layer_changes: tuple[float, ...] | None = None

    @property
    def clean_error(self) -> float:
        """Share of the images classified wrongly with nothing added."""
        return 1 - sum(self.clean_correct_per_class) / self.n

    @property
    def error(self) -> np.ndarray:
        """Share of the images classified wrongly, `(height, width)`, in [0, 1]."""
        correct = np.sum(self.correct_per_class, axis=1)
        return center_map(self.size, self.frequencies, 1 - correct / self.n)

    @property
    def difference(self) -> np.ndarray:
        """Error less the clean error, `(height, width)`, in [-1, 1]."""
        return self.error - self.clean_error

    @property
    def layer_change(self) -> np.ndarray:
        """Mean over the images of the L2 norm of the change of the layer's output, `(height, width)`."""
        if self.layer_changes is None:
            raise ValueError(
                "Changes of a layer need `layer` in `fourier_heat_map`. Received: a heat map with layer=None"
            )
        return center_map(self.size, self.frequencies, self.layer_changes)

    def ring_means(self, edges: Sequence[float] = (1 / 8, 1 / 4)) -> dict[str, float]:
        """Mean error over low, middle and high frequencies, every bin of the map counted once.

        `low`: `d < edges[0]`, `mid`: `edges[0] <= d < edges[1]`, `high`: `d >= edges[1]`, with `d` the
        distance from DC in cycles per pixel. By default the radii 4 and 8 of 32-pixel images.

        Args:
            edges: Two distances in cycles per pixel, ascending.

        Returns:
            The means by name; NaN for a ring that lies outside the window.

        Raises:
            ValueError: If `edges` are not two ascending numbers.
        """
        distance, error = radial_distance(*self.size, units="cycles_per_pixel"), self.error
        known = ~np.isnan(error)
        return ring_means(distance[known], error[known], edges, size=self.size)

    def to_dict(self) -> dict[str, Any]:
        """All numbers and settings as plain Python values, with the maps as nested lists."""
        maps = {"clean_error": self.clean_error, "error": self.error.tolist()}
        if self.layer is not None:
            maps["layer_change"] = self.layer_change.tolist()
        return {**super().to_dict(), **maps}

    def rows(self) -> list[dict[str, Any]]:
        """One row for the clean images, then one per bin of the map.

        `i` and `j` are centered indices, `u` and `v` the vertical and horizontal frequency (index units);
        `measured` is 0 where the number is that of the mirror.
        """
        shared = {"model": self.model, "n": self.n}
        error, measured = self.error, set(self.frequencies)
        change = None if self.layer is None else self.layer_change
        empty = {} if change is None else {"layer_change": 0.0}
        place: dict[str, Any] = dict.fromkeys(("i", "j", "u", "v", "measured"), "")
        clean = self.clean_error
        rows = [{"kind": "clean", **place, "error": clean, "difference": 0.0, **empty, **shared}]
        for i, j in np.argwhere(~np.isnan(error)).tolist():
            place = {"i": i, "j": j, "u": i - self.size[0] // 2, "v": j - self.size[1] // 2}
            place["measured"] = int((i, j) in measured)
            value = float(error[i, j])
            extra = {} if change is None else {"layer_change": float(change[i, j])}
            rows.append(
                {"kind": "map", **place, "error": value, "difference": value - clean, **extra, **shared}
            )
        return rows

    def _headline(self) -> dict[str, Any]:
        known = {"clean error": self.clean_error, "frequencies measured": len(self.frequencies)}
        return {**known, "error by frequency": self.ring_means()}


def center_map(
    size: tuple[int, int], frequencies: Sequence[tuple[int, int]], values: ArrayLike
) -> np.ndarray:
    """Values at their frequencies, each copied to a mirror that has none; NaN elsewhere."""
    picture = np.full(size, np.nan)
    rows, columns = np.asarray(frequencies, "int64").reshape(-1, 2).T
    picture[rows, columns] = values
    return np.where(np.isnan(picture), mirror(picture), picture)


def published_geometry(heat_map: FourierHeatMapResult | np.ndarray, kind: str) -> np.ndarray:
    """The part of a heat map that the published pictures show, DC in the middle.

    `"31x31"`: of 32-pixel images the frequencies -15 to 15, without the Nyquist row and column. `"63x63"`: of
    224-pixel images the frequencies -31 to 31; `fourier_heat_map(..., window=31)` measures no others.

    Args:
        heat_map: A `FourierHeatMapResult`, of which the error is taken, or a map `(height, width)` with DC at
            `(height // 2, width // 2)`.
        kind: `"31x31"` or `"63x63"`.

    Returns:
        A new float64 array, `(31, 31)` or `(63, 63)`.

    Raises:
        ValueError: If `kind` is unknown, the map is of another size, or a frequency was not measured.

    Source: Geometry of the PyTorch re-implementation of Yin et al., NeurIPS 2019. It measures both signs of
        the middle column; `fourier_heat_map(..., coverage="reference")` does so too.

    Example:
        >>> heat = kf.evaluate.fourier_heat_map(model, data, n=2, window=15)
        >>> kf.evaluate.published_geometry(heat, "31x31").shape
        (31, 31)
    """
    if kind not in _PUBLISHED:
        raise ValueError(f"`kind` must be one of '31x31', '63x63'. Received: kind={show(kind)}")
    size, half = _PUBLISHED[kind]
    picture = np.asarray(getattr(heat_map, "error", heat_map), "float64")
    if picture.shape != (size, size):
        raise ValueError(
            f"`heat_map` must be of {size}x{size} images for kind={show(kind)}. "
            f"Received: a map of shape {picture.shape}"
        )
    middle = slice(size // 2 - half, size // 2 + half + 1)
    part = picture[middle, middle].copy()
    if np.isnan(part).any():
        raise ValueError(
            f"`heat_map` must hold all frequencies up to {half}: measure it with window={half} or None. "
            f"Received: a map without {int(np.isnan(part).sum())} of them"
        )
    return part
