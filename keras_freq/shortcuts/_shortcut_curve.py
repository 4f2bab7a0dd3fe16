"""The degree of shortcut learning: classes that a few frequencies are enough for, over thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_freq._core.checks import show
from keras_freq._core.result import Record


@dataclass(frozen=True)
class ShortcutCurve(Record):
    """Mean true-positive rates of shortcut classes and of the others, by threshold.

    All but `thresholds` have one number per threshold; a mean over no class is NaN.

    Attributes:
        thresholds: A class whose TPR on images filtered with its own map is above it is a shortcut class.
        shortcut_classes: How many there are.
        other_classes: How many are left.
        shortcut_tpr: Mean TPR of the shortcut classes on the images as they are.
        shortcut_filtered_tpr: The same on the filtered images.
        other_tpr: Mean TPR of the other classes on the images as they are.
        other_filtered_tpr: The same on the filtered images.

    Example:
        >>> curve = kf.shortcuts.shortcut_curve([0.9, 0.8], [0.95, 0.3], thresholds=(0.2, 0.5))
        >>> curve.rows()[1]["shortcut_classes"], curve.other_tpr
        (1, (nan, 0.8))
    """

    thresholds: tuple[float, ...]
    shortcut_classes: tuple[int, ...]
    other_classes: tuple[int, ...]
    shortcut_tpr: tuple[float, ...]
    shortcut_filtered_tpr: tuple[float, ...]
    other_tpr: tuple[float, ...]
    other_filtered_tpr: tuple[float, ...]

    def rows(self) -> list[dict[str, float]]:
        """One flat row per threshold."""
        columns = self.to_dict()
        names = {"thresholds": "threshold"}
        return [
            {names.get(name, name): value for name, value in zip(columns, row, strict=True)}
            for row in zip(*columns.values(), strict=True)
        ]

    def _headline(self) -> dict[str, Any]:
        return {
            "shortcut classes by threshold": dict(zip(self.thresholds, self.shortcut_classes, strict=True))
        }


def shortcut_curve(
    tpr: ArrayLike,
    filtered_tpr: ArrayLike,
    thresholds: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
) -> ShortcutCurve:
    """Degree of shortcut learning over thresholds.

    A class `c` is a shortcut class at `t` if `filtered_tpr[c] > t`. The two groups' mean TPR tells whether
    such classes do better or worse than the others on these images.

    Args:
        tpr: True-positive rate of each class on the images as they are, `(classes,)`, in [0, 1]; NaN for a
            class without images, which then is in neither group.
        filtered_tpr: The same on images of the class filtered with its own map, `(classes,)`.
        thresholds: In [0, 1], ascending.

    Returns:
        A `ShortcutCurve`.

    Raises:
        ValueError: If the rates are not of one shape or outside [0, 1], or the thresholds are not ascending.

    Source: Wang, Veldhuis and Strisciuglio, "Do ImageNet-trained models learn shortcuts? The impact of
        frequency shortcuts on generalization", CVPR 2025.

    Example:
        >>> curve = kf.shortcuts.shortcut_curve([0.9, 0.5, 0.7], [0.95, 0.3, 0.0], thresholds=(0.2, 0.5))
        >>> curve.shortcut_classes, curve.shortcut_tpr
        ((2, 1), (0.7, 0.9))
    """
    rates, filtered = _check_rates(tpr, "tpr"), _check_rates(filtered_tpr, "filtered_tpr")
    if rates.shape != filtered.shape:
        raise ValueError(
            "`tpr` and `filtered_tpr` must hold one number for each class. "
            f"Received: {len(rates)} and {len(filtered)} numbers"
        )
    try:
        limits = np.asarray(thresholds, "float64")
    except (TypeError, ValueError, OverflowError):
        limits = np.empty(0)
    if limits.ndim != 1 or not limits.size or not ((limits >= 0) & (limits <= 1)).all():
        raise ValueError(
            f"`thresholds` must be numbers in [0, 1], at least one. Received: {show(thresholds)}"
        )
    if (np.diff(limits) <= 0).any():
        raise ValueError(f"`thresholds` must ascend. Received: thresholds={show(thresholds)}")
    known = np.isfinite(rates) & np.isfinite(filtered)
    rates, filtered = rates[known], filtered[known]
    groups = [(filtered > limit, filtered <= limit) for limit in limits]
    return ShortcutCurve(
        thresholds=tuple(limits.tolist()),
        shortcut_classes=tuple(int(shortcut.sum()) for shortcut, _ in groups),
        other_classes=tuple(int(other.sum()) for _, other in groups),
        shortcut_tpr=tuple(_average(rates[shortcut]) for shortcut, _ in groups),
        shortcut_filtered_tpr=tuple(_average(filtered[shortcut]) for shortcut, _ in groups),
        other_tpr=tuple(_average(rates[other]) for _, other in groups),
        other_filtered_tpr=tuple(_average(filtered[other]) for _, other in groups),
    )


def _check_rates(values: ArrayLike, name: str) -> np.ndarray:
    try:
        rates = np.asarray(values, "float64")
    except (TypeError, ValueError, OverflowError):
        rates = np.empty((0, 0))
    if rates.ndim != 1 or not rates.size:
        raise ValueError(
            f"`{name}` must hold one number for each class. Received: {name} of shape {rates.shape}"
        )
    if not (np.isnan(rates) | ((rates >= 0) & (rates <= 1))).all():
        raise ValueError(f"`{name}` must lie in [0, 1]. Received: from {rates.min():g} to {rates.max():g}")
    return rates


def _average(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")
