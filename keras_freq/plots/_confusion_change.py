"""How confusions change when parts of the spectrum are removed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_freq._core.result import Result
from keras_freq.plots._results import results_by_label
from keras_freq.plots._style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 6
# Beyond so many classes the numbers in the cells would not be read.
_MOST_WRITTEN = 12


@styled
def confusion_change(
    result: Result | Sequence[Result], *, classes: Sequence[str] | None = None, title: str | None = None
) -> Figure:
    """Relative confusion matrices, one panel for what was removed, in percent of the images of a class.

    Rows are true classes, columns predictions; red cells gained images, blue ones lost them.

    Args:
        result: What `keras_freq.shortcuts.band_stop` returns, or a list of such results with the same bands
            removed (over seeds, say), whose mean is drawn.
        classes: Names of the classes; default their numbers.
        title: Title of the figure.

    Returns:
        The figure.

    Raises:
        ValueError: If `classes` do not fit the result, or results of a list differ in what was removed or in
            their classes.

    Source: Wang, Veldhuis, Brune, Strisciuglio, ICCV 2023 (the band-stop test).

    Example:
        >>> result = keras_freq.shortcuts.band_stop(model, data, [(1, 2), (3, 4)])
        >>> figure = keras_freq.plots.confusion_change(result, classes=("cat", "dog", "ship", "frog"))
        >>> figure.savefig("band_stop.png")
    """
    from keras_freq.plots._figure import Figure

    (results,) = results_by_label(result, ("change", "stopped"), same=("stopped",)).values()
    shapes = {np.shape(one.change) for one in results}
    if len(shapes) > 1:
        raise ValueError(
            f"results whose mean is drawn must have the same classes. Received: changes of shapes {shapes}"
        )
    change = np.mean([one.change for one in results], axis=0)
    count = change.shape[-1]
    names = [str(name) for name in (range(count) if classes is None else classes)]
    if len(names) != count:
        raise ValueError(f"`classes` must name the {count} classes of the result. Received: {names}")
    columns = min(_COLUMNS, len(change))
    rows = math.ceil(len(change) / columns)
    side = max(2.2, 0.42 * count)
    figure = Figure(figsize=(1.6 + side * columns, 0.9 + (side + 0.4) * rows))
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis, matrix, bands in zip(axes.ravel(), change, results[0].stopped, strict=False):
        image = axis.imshow(matrix, vmin=-100, vmax=100, cmap="RdBu_r")
        axis.set_title("without " + " and ".join(f"B{band}" for band in bands), loc="center", fontsize=10)
        axis.grid(False)
        axis.set_xticks(range(count), names, rotation=90 if max(map(len, names)) > 3 else 0)
        axis.set_yticks(range(count), names)
        if count <= _MOST_WRITTEN:
            for true, predicted in np.argwhere(~np.isnan(matrix)):
                value = matrix[true, predicted]
                color = "white" if abs(value) > 60 else "black"
                axis.text(predicted, true, f"{value:.0f}", ha="center", va="center", color=color, fontsize=8)
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
