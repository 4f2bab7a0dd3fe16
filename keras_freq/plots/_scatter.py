"""Two numbers of many networks against each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from keras_freq.plots._curves import MARKERS
from keras_freq.plots._style import colors, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def scatter(
    groups: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    xlabel: str,
    ylabel: str,
    title: str | None = None,
) -> Figure:
    """A point for each network, a color and mark for each group of them, the seeds of a recipe for one.

    Args:
        groups: Mapping from a group's label to its points `(x, y)`, two series of one length.
        xlabel: Name of the horizontal axis.
        ylabel: Name of the vertical axis.
        title: Title of the figure. By default it names both axes and the number of points.

    Returns:
        The figure.

    Raises:
        ValueError: If there is no group, or one is not two finite series of one length.

    Example:
        >>> groups = {"standard": ([0.2, 0.3], [0.5, 0.6]), "APR-SP": ([0.1], [0.4])}
        >>> figure = keras_freq.plots.scatter(groups, xlabel="shortcuts", ylabel="error")
        >>> figure.savefig("scatter.png")
    """
    from keras_freq.plots._figure import Figure

    if not isinstance(groups, Mapping) or not groups:
        raise ValueError(
            "`groups` must map a label to its points (x, y), one group or more. "
            f"Received: {'an empty mapping' if isinstance(groups, Mapping) else type(groups).__name__}"
        )
    points = {str(label): _check_points(str(label), pair) for label, pair in groups.items()}
    # Beside the axes as many labels fit below each other as the figure is high.
    columns = -(-len(points) // 14)
    figure = Figure(figsize=(5.4 + 2.8 * columns, 5.0))
    axis = figure.subplots()
    palette = colors()
    for number, (label, (x, y)) in enumerate(points.items()):
        axis.scatter(
            x,
            y,
            s=64,
            color=palette[number % len(palette)],
            marker=MARKERS[(number + number // len(palette)) % len(MARKERS)],
            edgecolor="white",
            linewidth=0.6,
            zorder=3,
            # Matplotlib leaves labels with a leading underscore out of a legend.
            label=f" {label}" if label.startswith("_") else label,
        )
    axis.set_xlabel(xlabel)
    axis.set_ylabel(ylabel)
    count = sum(len(x) for x, _ in points.values())
    figure.suptitle(
        f"{ylabel[:1].upper()}{ylabel[1:]} by {xlabel}, {count} points" if title is None else title
    )
    figure.legend(loc="outside right center", ncols=columns)
    return figure


def _check_points(label: str, pair: tuple[ArrayLike, ArrayLike]) -> np.ndarray:
    try:
        points = np.asarray(pair, "float64")
    except (TypeError, ValueError, OverflowError):
        points = np.empty(0)
    if points.ndim != 2 or len(points) != 2 or not points.size or not np.isfinite(points).all():
        raise ValueError(
            "a group must be two finite series of one length. "
            f"Received: shape {points.shape} for {label!r}"
            + (", not all finite" if points.size and not np.isfinite(points).all() else "")
        )
    return points
