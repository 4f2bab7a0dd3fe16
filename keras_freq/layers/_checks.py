"""Checks of arguments that several layers take."""

from __future__ import annotations

import math


def check_probability(value: float, *, name: str = "probability") -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"`{name}` must lie in 0 to 1. Received: {name}={value!r}")
    return float(value)


def check_value_range(
    value: tuple[float, float] | None, *, name: str = "value_range"
) -> tuple[float, float] | None:
    """Two finite numbers, the lower first."""
    try:
        low, high = (float(bound) for bound in value)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"`{name}` must be two finite numbers, the lower first. Received: {name}={value!r}")
    return low, high
