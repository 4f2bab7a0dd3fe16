"""Accuracy on low- and high-passed images over the radius."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_freq.plots._style import colors, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def band_accuracy(results: Any, *, chance: float | None = None, title: str | None = None) -> Figure:
    """Accuracy on low-passed (left) and high-passed images (right) over the radius, one line a model.

    Bands about the lines are one standard error, `sqrt(a (1 - a) / n)`. Dashed lines are the accuracy on
    unfiltered images.

    Args:
        results: What `keras_freq.evaluate.band_accuracy` returns, or a mapping from a label to it. Anything
            with the attributes `radii`, `low`, `high`, `clean` and `n` will do.
        chance: Accuracy of guessing, drawn as a dotted line: 0.1 for ten equally frequent classes.
        title: Title of the figure. By default it says what is shown and the number of images.

    Returns:
        The figure, two panels.

    Raises:
        ValueError: If a result has no radii, lists of different lengths, or accuracies outside [0, 1].

    Source:
        Wang et al., "High-Frequency Component Helps Explain the Generalization of Convolutional Neural
        Networks", CVPR 2020 (the measurement).

    Example:
        >>> plain = keras_freq.evaluate.band_accuracy(model, data.test)
        >>> figure = keras_freq.plots.band_accuracy({"plain": plain})
    """
    from matplotlib.figure import Figure

    results = (
        dict(results) if isinstance(results, Mapping) else {str(getattr(results, "model", "model")): results}
    )
    if not results:
        raise ValueError("`results` must hold at least one result. Received: an empty mapping")
    for label, result in results.items():
        _check(label, result)
    palette = colors()
    figure = Figure(figsize=(10.5, 4.6))
    axes = figure.subplots(1, 2, sharey=True)
    sides = (
        (axes[0], "low", "Low-passed: only $d < r$ kept"),
        (axes[1], "high", "High-passed: only $d \\geq r$ kept"),
    )
    for axis, side, heading in sides:
        for number, (label, result) in enumerate(results.items()):
            radii, values = np.asarray(result.radii, "float64"), np.asarray(getattr(result, side), "float64")
            order = np.argsort(radii)
            radii, values = radii[order], values[order]
            error = np.sqrt(values * (1 - values) / result.n)
            color = palette[number % len(palette)]
            axis.plot(radii, values, color=color, marker="os^Dv"[number % 5], label=label)
            axis.fill_between(radii, values - error, values + error, color=color, alpha=0.18, linewidth=0)
            axis.axhline(result.clean, color=color, linestyle="--", linewidth=1.4)
        if chance is not None:
            axis.axhline(chance, color="0.45", linestyle=":", linewidth=1.6)
        axis.set_title(heading)
        axis.set_xlabel("radius $r$ (index units)")
        axis.set_xticks(sorted({float(r) for result in results.values() for r in result.radii}))
        axis.set_ylim(0, 1)
    axes[0].set_ylabel("accuracy")
    _legend(axes[1], chance)
    counts = {result.n for result in results.values()}
    number = (
        f"n = {counts.pop()}" if len(counts) == 1 else "n = " + ", ".join(str(r.n) for r in results.values())
    )
    figure.suptitle(title if title is not None else f"Accuracy by frequency band ({number} test images)")
    return figure


def _legend(axis: Any, chance: float | None) -> None:
    from matplotlib.lines import Line2D

    handles, _ = axis.get_legend_handles_labels()
    handles.append(Line2D([], [], color="0.3", linestyle="--", linewidth=1.4, label="unfiltered images"))
    if chance is not None:
        handles.append(Line2D([], [], color="0.45", linestyle=":", linewidth=1.6, label="chance"))
    axis.legend(handles=handles, loc="upper right")


def _check(label: str, result: Any) -> None:
    lengths = [len(getattr(result, name)) for name in ("radii", "low", "high")]
    if not lengths[0] or len(set(lengths)) > 1:
        raise ValueError(
            "`radii`, `low` and `high` of a result must be equally long and not empty. "
            f"Received: {lengths[0]}, {lengths[1]} and {lengths[2]} values for {label!r}"
        )
    values = np.asarray([*result.low, *result.high, result.clean], "float64")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"accuracies must lie in [0, 1]. Received: {values.tolist()} for {label!r}")
    if result.n < 1:
        raise ValueError(f"`n` must be at least 1. Received: n={result.n} for {label!r}")
