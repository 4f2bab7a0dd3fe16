"""Frequency maps by class, with what each leaves of the class and of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from keras_freq._core.checks import show
from keras_freq.plots._filtered_examples import label_row, show_pixels
from keras_freq.plots._pixels import check_images, extent
from keras_freq.plots._results import Results, results_by_label
from keras_freq.plots._style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 20


@styled
def frequency_maps(
    maps: Any,
    *,
    classes: Sequence[str] | None = None,
    reports: Results | None = None,
    examples: Mapping[str, ArrayLike] | None = None,
    title: str | None = None,
) -> Figure:
    """Masks of frequencies, one column per class, one row per kind of map; below them an image of each class.

    Kept frequencies are bright, DC is in the middle.

    Args:
        maps: `FrequencyMaps`, an `HFSSResult` or masks `(classes, height, width)` in [0, 1]; or a mapping
            from the name of a row to one of them, at most 8 rows of at most 20 classes.
        classes: Names of the classes; default their numbers.
        reports: What `keras_freq.shortcuts.shortcut_report` returns for the maps; a list of such reports
            (over seeds, say), whose mean rates are written; or a mapping from rows to either. The rates on
            the filtered images stand above each map.
        examples: Mapping from the name of a row to one image of each class, `(classes, height, width,
            channels)` in [0, 1]: as they are, and filtered, say. What lies outside [0, 1] is clipped.
        title: Title of the figure.

    Returns:
        The figure.

    Raises:
        ValueError: If there is no map or there are too many, a mask is not of rank 2 or outside [0, 1], or
            classes, reports or examples do not fit the maps.

    Source: Wang, Veldhuis, Brune, Strisciuglio, ICCV 2023 (the dominant frequency maps).

    Example:
        >>> importance = np.random.default_rng(0).random((4, 32, 32))
        >>> maps = keras_freq.shortcuts.dominant_frequency_map(importance, 0.1)
        >>> report = keras_freq.shortcuts.shortcut_report(model, data, maps)
        >>> figure = keras_freq.plots.frequency_maps(maps, reports=report)
        >>> figure.savefig("maps.png")
    """
    from keras_freq.plots._figure import Figure

    given = maps if isinstance(maps, Mapping) else {"": maps}
    rows = {str(name): _masks(str(name), masks) for name, masks in given.items()}
    counts = {len(masks) for masks in rows.values()}
    if not 1 <= len(rows) <= 8 or len(counts) > 1:
        raise ValueError(
            "`maps` must hold 1 to 8 rows of as many classes each. "
            f"Received: {[(name, len(masks)) for name, masks in rows.items()]}"
        )
    count = counts.pop()
    names = [str(label) for label in (range(count) if classes is None else classes)]
    if len(names) != count:
        raise ValueError(f"`classes` must name the {count} classes of the maps. Received: {names}")
    lists = {} if not reports else results_by_label(reports, ("tpr", "fpr"))
    captions = {name: _rates(name, several, count) for name, several in lists.items()}
    if not set(captions) <= set(rows):
        raise ValueError(
            f"`reports` must name rows of the maps, of {', '.join(rows)}. Received: {', '.join(captions)}"
        )
    pictures = {str(name): check_images(images, str(name)) for name, images in (examples or {}).items()}
    for name, images in pictures.items():
        if len(images) != count:
            raise ValueError(
                f"`examples` must hold one image of each of the {count} classes. Received: {len(images)} "
                f"in {name!r}"
            )
    heights = [1.6 + 0.35 * (name in captions) for name in rows] + [1.45] * len(pictures)
    words = max(len(line) for name in (*rows, *pictures) for line in name.split("\n"))
    space = 0.25 if title is None else 0.5
    figure = Figure(figsize=(0.6 + 0.1 * words + 1.5 * count, space + sum(heights)))
    axes = figure.subplots(len(heights), count, squeeze=False, height_ratios=heights)
    for index, (name, masks) in enumerate(rows.items()):
        for label, (axis, mask) in enumerate(zip(axes[index], masks, strict=True)):
            axis.imshow(mask, extent=extent(*mask.shape), vmin=0, vmax=1, cmap="gray")
            axis.set_xticks([])
            axis.set_yticks([])
            axis.grid(False)
            head = [names[label]] if index == 0 else []
            head += [captions[name][label]] if name in captions else []
            axis.set_title("\n".join(head), loc="center", fontsize=9)
        label_row(axes[index, 0], name)
    for axis_row, (name, images) in zip(axes[len(rows) :], pictures.items(), strict=True):
        for axis, image in zip(axis_row, images, strict=True):
            show_pixels(axis, image)
        label_row(axis_row[0], name)
    if title is not None:
        figure.suptitle(title)
    return figure


def _masks(name: str, masks: Any) -> np.ndarray:
    array = np.asarray(getattr(masks, "maps", masks))
    if array.ndim != 3 or not 1 <= len(array) <= _MOST or not array.size or array.dtype.kind not in "fiub":
        raise ValueError(
            f"`maps` must hold 1 to {_MOST} masks, (classes, height, width). "
            f"Received: shape {array.shape}, dtype {array.dtype} for {show(name)}"
        )
    array = array.astype("float64")
    if not (array.min() >= 0 and array.max() <= 1):  # NaN fails too
        raise ValueError(f"`maps` must lie in [0, 1]. Received: other values for {show(name)}")
    return array


def _rates(name: str, reports: list[Any], count: int) -> list[str]:
    for report in reports:
        if np.shape(report.tpr) != (count,) or np.shape(report.fpr) != (count,):
            raise ValueError(
                f"`reports` must be of the {count} classes of the maps. "
                f"Received: {np.size(report.tpr)} classes for {show(name)}"
            )
    tpr, fpr = (np.mean([getattr(report, part) for report in reports], axis=0) for part in ("tpr", "fpr"))
    false = ["" if np.isnan(rate) else f"\nFPR {rate:.2f}" for rate in fpr]
    return [f"TPR {rate:.2f}{extra}" for rate, extra in zip(tpr, false, strict=True)]
