"""ADCS maps by class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from keras_freq._core.result import Result
from keras_freq.plots._pixels import extent
from keras_freq.plots._style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 5


@styled
def adcs(
    result: Result | ArrayLike, *, classes: Sequence[str] | None = None, title: str | None = None
) -> Figure:
    """One map per class, red where it has more amplitude than the others, blue where less.

    All maps share one color scale, symmetric about 0, to the number of other classes. DC is in the middle.
    Maps of classes without images are left out.

    Args:
        result: What `keras_freq.shortcuts.adcs` returns, or maps `(classes, height, width)`.
        classes: Names of the classes; default their numbers.
        title: Title of the figure.

    Returns:
        The figure.

    Raises:
        ValueError: If the maps are not of rank 3, hold no number, or `classes` do not fit.

    Source: Wang, Veldhuis, Brune, Strisciuglio, ICCV 2023 (the ADCS maps).

    Example:
        >>> result = keras_freq.shortcuts.adcs(data)
        >>> figure = keras_freq.plots.adcs(result, classes=("cat", "dog", "ship", "frog"))
        >>> figure.savefig("adcs.png")
    """
    from matplotlib.ticker import MaxNLocator

    from keras_freq.plots._figure import Figure

    maps = np.asarray(getattr(result, "maps", result))
    if maps.ndim != 3 or not maps.size or maps.dtype.kind not in "fiu":
        raise ValueError(
            "`result` must be an ADCSResult or maps of shape (classes, height, width). "
            f"Received: shape {maps.shape}, dtype {maps.dtype}"
        )
    names = [str(name) for name in (range(len(maps)) if classes is None else classes)]
    if len(names) != len(maps):
        raise ValueError(f"`classes` must name the {len(maps)} classes of the maps. Received: {names}")
    shown = [label for label, picture in enumerate(maps) if not np.isnan(picture).any()]
    if not shown:
        raise ValueError("`result` must hold at least one map without NaN. Received: none")
    reach = max(len(maps) - 1, float(np.abs(maps[shown]).max()))
    columns = min(_COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(1.6 + 2.1 * columns, 0.9 + 2.3 * rows))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, label in zip(axes, shown, strict=False):
        image = axis.imshow(
            maps[label], extent=extent(*maps[label].shape), vmin=-reach, vmax=reach, cmap="RdBu_r"
        )
        axis.set_title(names[label], loc="center", fontsize=10)
        axis.grid(False)
        for side in (axis.xaxis, axis.yaxis):
            side.set_major_locator(MaxNLocator(nbins=3, integer=True))
    for axis in axes[len(shown) :]:
        axis.set_visible(False)
    figure.colorbar(image, ax=list(axes), label="classes below less classes above", shrink=0.8)
    if title is not None:
        figure.suptitle(title)
    return figure
