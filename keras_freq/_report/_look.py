"""What a section of a report is given, and what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_freq._core.classifier import Classifier

# Share of the frequencies that a class or an image keeps, as in the figures of the paper on shortcuts.
SHARE = 0.05
# So many images are shown.
PICTURES = 8


@dataclass(frozen=True, kw_only=True)
class Look:
    """One model and the images it is looked at with.

    Attributes:
        model: The classifier.
        images: Images in mixed order, as the data hold them.
        labels: Their classes.
        size: Height and width.
        classes: The number of classes.
        full: Whether everything is measured with more images, steps and severities.
        seed: Of corruptions, attacks and pairs.
        unknown: Images of other classes, or `None`.
        checkpoints: Folder for what long sweeps have measured, or `None`.
        progress: Whether bars are shown; `None`: on a terminal.
    """

    model: Classifier
    images: np.ndarray
    labels: np.ndarray
    size: tuple[int, int]
    classes: int
    full: bool = False
    seed: int = 0
    unknown: Any = None
    checkpoints: Path | None = None
    progress: bool | None = False

    @property
    def n(self) -> int:
        """The number of images."""
        return len(self.images)

    @property
    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels."""
        return self.images, self.labels

    @property
    def radii(self) -> tuple[float, ...]:
        """Cut-off radii of the bands."""
        return cut_off_radii(self.size)

    def at_most(self, quick: int, full: int | None = None) -> int:
        """So many images, or all where there are not more."""
        return min(self.n, quick if not self.full else full or self.n)

    def first(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The first images, which are as good as any others: their order is mixed."""
        return self.images[:count], self.labels[:count]

    def checkpoint(self, name: str) -> Path | None:
        """File for a sweep."""
        return None if self.checkpoints is None else self.checkpoints / f"{name}.jsonl"


@dataclass(frozen=True)
class Section:
    """One section.

    Args:
        title: Its heading.
        measure: Measures it: results by name.
        forwards: About how many images pass through the model, backward passes counted twice.
        refuses: Why it cannot be measured, or `None`.
        deep: Whether it is measured with `full=True` or where it is asked for alone.
    """

    title: str
    measure: Callable[[Look], dict[str, Any]]
    forwards: Callable[[Look], float]
    refuses: Callable[[Look], str | None] = lambda look: None
    deep: bool = False


def cut_off_radii(size: tuple[int, int]) -> tuple[float, ...]:
    """2, 4, 8, 12 and 16 for 32 pixels, the same shares of the side for others."""
    return tuple(dict.fromkeys(max(1.0, float(round(min(size) * share / 16))) for share in (1, 2, 4, 6, 8)))
