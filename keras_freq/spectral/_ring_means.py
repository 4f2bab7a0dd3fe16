"""Low, middle and high part of a profile over radius, as three numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def ring_means(
    radii: ArrayLike, values: ArrayLike, size: tuple[int, int], edges: Sequence[float]
) -> dict[str, float]:
    """Mean of the bands below, between and above two edges in cycles per pixel of the smaller side.

    NaN for a ring without a band.
    """
    edges = tuple(edges)
    if len(edges) != 2 or not 0 < edges[0] < edges[1]:
        raise ValueError(
            f"`edges` must be two ascending numbers above 0 (cycles per pixel). Received: edges={edges!r}"
        )
    scaled, bands = np.asarray(radii) / min(size), np.asarray(values)
    rings = {
        "low": scaled < edges[0],
        "mid": (scaled >= edges[0]) & (scaled < edges[1]),
        "high": scaled >= edges[1],
    }
    return {name: float(bands[ring].mean()) if ring.any() else float("nan") for name, ring in rings.items()}
