"""Low, middle and high part of a profile over radius, as three numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from keras_freq._core.checks import show
from keras_freq.spectral._grid import Units


def ring_means(
    radii: ArrayLike,
    values: ArrayLike,
    edges: Sequence[float],
    *,
    size: tuple[int, int],
    units: Units = "cycles_per_pixel",
) -> dict[str, float]:
    """Mean of the bands below, between and above two edges in cycles per pixel; NaN where there is none."""
    edges = tuple(edges)
    if len(edges) != 2 or not 0 < edges[0] < edges[1]:
        raise ValueError(
            f"`edges` must be two ascending numbers above 0 (cycles per pixel). Received: edges={show(edges)}"
        )
    if units == "index" and size[0] != size[1]:
        raise ValueError(
            "Bands in index units of images that are not square mix frequencies and cannot be cut in cycles "
            f"per pixel; measure with units='cycles_per_pixel'. Received: units='index', size={size}"
        )
    scaled, bands = np.asarray(radii) / (size[0] if units == "index" else 1), np.asarray(values)
    rings = {
        "low": scaled < edges[0],
        "mid": (scaled >= edges[0]) & (scaled < edges[1]),
        "high": scaled >= edges[1],
    }
    return {name: float(bands[ring].mean()) if ring.any() else float("nan") for name, ring in rings.items()}
