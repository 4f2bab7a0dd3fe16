"""The cells of a table: text, and the number to sort by."""

from __future__ import annotations

import math
from dataclasses import dataclass

from keras_freq._report._statistics import share_interval


@dataclass(frozen=True)
class Cell:
    """One cell.

    Args:
        text: What it shows.
        order: The number to sort by; `None` for text.
    """

    text: str
    order: float | None = None


def number(value: float | None, digits: int = 3) -> Cell:
    """A number; a dash where there is none."""
    if value is None or math.isnan(value):
        return Cell("–", -math.inf)
    return Cell(f"{value:.{digits}f}", float(value))


def share(count: float, n: int) -> Cell:
    """A share with its interval."""
    low, high = share_interval(count, n)
    return Cell(f"{count / n:.3f} ({low:.3f} to {high:.3f})", count / n)
