"""How confusions change when parts of the spectrum are removed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_freq.plots._style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 6
# Beyond so many classes the numbers in the cells would not be read.
_MOST_WRITTEN = 12


@styled
def confusion_change(
    result: Any, *, classes: Sequence[str] | None = None, title: str | None = None
) -> Figure:
    """Relative confusion matrices, a panel for what was removed, in percent of the images of a class.

    Rows are true classes, columns predictions; red cells gained images, blue ones lost them.

    Args:
        result: What `keras_freq.shortcuts.band_stop` returns.
        classes: Names of the classes; default their numbers.
        title: Title of the figure.

    Returns:
        The figure.

    Raises:
        ValueError: If `classes` do not fit the result.

    Source: Wang, Veldhuis, Brune, Strisciuglio, ICCV 2023 (the band-stop test).

    Example:
        >>> result = keras_freq.shortcuts.band_stop(model, data.test)
        >>> figure = keras_freq.plots.confusion_change(result, classes=data.classes)
    """
    from matplotlib.figure import Figure

    change = np.asarray(result.change)
    count = change.shape[-1]
    names = [str(name) for name in (range(count) if classes is None else classes)]
    if len(names) != count:
        raise ValueError(f"`classes` must name the {count} classes of the result. Received: {names}")
    columns = min(_COLUMNS, len(change))
    rows = math.ceil(len(change) / columns)
    side = max(2.2, 0.42 * count)
    figure = Figure(figsize=(1.6 + side * columns, 0.9 + (side + 0.4) * rows))
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis, matrix, bands in zip(axes.ravel(), change, result.stopped, strict=False):
        image = axis.imshow(matrix, vmin=-100, vmax=100, cmap="RdBu_r")
        axis.set_title("without " + " and ".join(f"B{band}" for band in bands), loc="center", fontsize=10)
        axis.grid(False)
        axis.set_xticks(range(count), names, rotation=90 if max(map(len, names)) > 3 else 0)
        axis.set_yticks(range(count), names)
        if count <= _MOST_WRITTEN:
            for true, predicted in np.argwhere(~np.isnan(matrix)):
                value = matrix[true, predicted]
                colour = "white" if abs(value) > 60 else "black"
                axis.text(predicted, true, f"{value:.0f}", ha="center", va="center", color=colour, fontsize=8)
    for axis in axes.ravel()[len(change) :]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("true class")
    for axis in axes[-1]:
        axis.set_xlabel("prediction")
    figure.colorbar(image, ax=list(axes.ravel()), label="change, % of the class", shrink=0.8)
    if title is not None:
        figure.suptitle(title)
    return figure
