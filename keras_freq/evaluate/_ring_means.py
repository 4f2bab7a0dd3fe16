"""Low, middle and high part of a profile over radius, as three numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def ring_means(
    radii: Sequence[float], values: Sequence[float], size: tuple[int, int], edges: Sequence[float]
) -> dict[str, float]:
    """Mean of the bands below, between and above two edges in cycles per pixel of the smaller side."""
    edges = tuple(edges)
    if len(edges) != 2 or not 0 < edges[0] < edges[1]:
        raise ValueError(
            f"`edges` must be two ascending numbers above 0 (cycles per pixel). Received: edges={edges!r}"
        )
    scaled, values = np.array(radii) / min(size), np.array(values)
    rings = {
        "low": scaled < edges[0],
        "mid": (scaled >= edges[0]) & (scaled < edges[1]),
        "high": scaled >= edges[1],
    }
    return {name: float(values[ring].mean()) if ring.any() else float("nan") for name, ring in rings.items()}
