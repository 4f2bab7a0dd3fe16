"""Any metric on filtered images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_freq._core.checks import check_choices
from keras_freq.plots._results import Results, name_images, name_radius, name_seeds, results_by_label
from keras_freq.plots._style import colors, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEADINGS = {
    "low": "Low-passed: only $d < r$ kept",
    "high": "High-passed: only $d \\geq r$ kept",
    "band": "One band kept",
    "masked": "Under a mask",
}


@styled
def filtered(results: Results, *, metrics: Sequence[str] | None = None, title: str | None = None) -> Figure:
    """Each metric on filtered images: a row for each metric, a column for each kind of filter.

    Dashed lines are the metric on the images as they are. Several results of one label make the line of
    their mean, in a band from the lowest to the highest.

    Args:
        results: What `keras_freq.evaluate.filtered` returns, a list of such results with the same filters
            and metrics (over seeds, say), or a mapping from label to either.
        metrics: Names of the metrics to show; default all, at most 6.
        title: Title of the figure. By default it says what is shown and the number of images.

    Returns:
        The figure.

    Raises:
        ValueError: If there is no result, results have different filters or metrics, or have no filter.

    Source: Wang et al., "High-Frequency Component Helps Explain the Generalization of Convolutional Neural
        Networks", CVPR 2020 (the measurement).

    Example:
        >>> result = keras_freq.evaluate.filtered(
        ...     model, data, metric=keras.metrics.SparseCategoricalAccuracy, radii=(4, 8), bands=[(4, 8)]
        ... )
        >>> figure = keras_freq.plots.filtered({"plain": result})
        >>> figure.savefig("filtered.png")
    """
    from keras_freq.plots._figure import Figure

    parts = ("radii", "bands", "masks", "metrics", "clean", "low", "high", "band", "masked", "n")
    label = str(getattr(results, "model", None) or "model")
    lists = results_by_label(results, parts, same=("radii", "bands", "masks", "metrics"), label=label)
    first = next(iter(lists.values()))[0]
    _check_alike(lists, first)
    names = first.metrics[:6] if metrics is None else check_choices(metrics, "metrics", first.metrics)
    kinds = [("low", first.radii), ("high", first.radii), ("band", first.bands), ("masked", first.masks)]
    kinds = [(kind, places) for kind, places in kinds if places]
    figure = Figure(figsize=(1.2 + 4.4 * len(kinds), 1.2 + 3.2 * len(names)))
    axes = figure.subplots(len(names), len(kinds), sharey="row", squeeze=False)
    palette = colors()
    for row, name in zip(axes, names, strict=True):
        for axis, (kind, places) in zip(row, kinds, strict=True):
            for number, (label, several) in enumerate(lists.items()):
                look = {"color": palette[number % len(palette)], "marker": "os^Dv"[number % 5]}
                _draw(axis, kind, name, places, several, look, label)
        row[0].set_ylabel(name)
    for top, bottom, (kind, _) in zip(axes[0], axes[-1], kinds, strict=True):
        top.set_title(HEADINGS[kind])
        bottom.set_xlabel({"band": "band", "masked": "mask"}.get(kind, f"radius $r$ ({name_radius(lists)})"))
    _legend(axes[0][-1])
    notes = [f"{name_images(lists)} images", name_seeds(lists, "mean and range")]
    default = f"Metrics by frequency ({', '.join(filter(None, notes))})"
    figure.suptitle(title if title is not None else default)
    return figure


def _draw(
    axis: Axes, kind: str, name: str, places: Sequence[Any], several: list[Any], look: dict, label: str
) -> None:
    values = np.array([getattr(one, kind)[name] for one in several], "float64")
    where: np.ndarray
    if kind in ("low", "high"):
        where = np.asarray(places, "float64")
        order = np.argsort(where)
        where, values = where[order], values[:, order]
        axis.set_xticks(sorted(set(where.tolist())))
    else:
        where = np.arange(len(places), dtype="float64")
        texts = [f"{low:g} to {high:g}" for low, high in places] if kind == "band" else [*places]
        axis.set_xticks(where, texts)
        axis.margins(x=0.2)
    # Bands and masks have no order, so no line joins them.
    joined = "-" if kind in ("low", "high") else "none"
    axis.plot(where, values.mean(axis=0), linestyle=joined, label=label, **look)
    if len(several) > 1:
        low, high = values.min(axis=0), values.max(axis=0)
        if joined == "-":
            axis.fill_between(where, low, high, color=look["color"], alpha=0.18, linewidth=0)
        else:
            axis.vlines(where, low, high, color=look["color"], alpha=0.4, linewidth=5)
    clean = float(np.mean([one.clean[name] for one in several]))
    axis.axhline(clean, color=look["color"], linestyle="--", linewidth=1.4)


def _legend(axis: Axes) -> None:
    from matplotlib.lines import Line2D

    handles, _ = axis.get_legend_handles_labels()
    handles.append(Line2D([], [], color="0.3", linestyle="--", linewidth=1.4, label="unfiltered images"))
    axis.legend(handles=handles, loc="best")


def _check_alike(lists: dict[str, list[Any]], first: Any) -> None:
    for label, several in lists.items():
        for one in several:
            for part in ("radii", "bands", "masks", "metrics"):
                if getattr(one, part) != getattr(first, part):
                    raise ValueError(
                        f"`results` must have the same {part}. Received: {getattr(first, part)} and "
                        f"{getattr(one, part)} for {label!r}"
                    )
    if not (first.radii or first.bands or first.masks):
        raise ValueError("`results` must be of one filter at least. Received: no radius, band or mask")
