"""Numbers over epochs, radii or strengths: several lines in several panels, with the range over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from keras_freq._core.checks import check_number, check_whole
from keras_freq.plots._style import colors, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STROKES = ("-", (0, (4, 1.5)), (0, (6, 1.5, 1.2, 1.5)), (0, (1.2, 1.2)))
MARKERS = "os^DvPX"


@styled
def curves(
    panels: Mapping[str, Mapping[str, ArrayLike]],
    *,
    x: Sequence[float] | None = None,
    xlabel: str = "epoch",
    ylabel: str = "accuracy",
    columns: int | None = None,
    chance: float | None = None,
    limits: tuple[float, float] | None = (0, 1),
    title: str | None = None,
) -> Figure:
    """Lines over a shared axis in one or more panels: the mean over seeds, shaded from lowest to highest.

    A label has one color and stroke in all panels, explained by one legend beside or below them.
    Lines of at most 12 points mark each of them.

    Args:
        panels: Mapping from panel title to a mapping from line label to numbers of shape `(points,)` or
            `(seeds, points)`. A point is drawn where all seeds have a number; those with a NaN (epochs that
            were not measured) are left out and the line joins their neighbours. At most 28 different labels.
        x: Position of each point, increasing. By default 1, 2, 3, ..., and lines may differ in length.
        xlabel: Name of the horizontal axis.
        ylabel: Name of the vertical axis, which all panels share.
        columns: Panels in each row. By default at most 4.
        chance: Accuracy of guessing, drawn as a dotted line.
        limits: Ends of the vertical axis, or None for what the numbers need.
        title: Title of the figure. By default it names both axes and the number of seeds, which otherwise
            stands above the legend.

    Returns:
        The figure, one panel per entry of `panels`.

    Raises:
        ValueError: If there is no line, a line has another shape, infinite values, no point to draw or none
            within `limits`, or its length differs from that of `x`.

    Example:
        >>> panels = {"true labels": {"train": [0.4, 0.6, 0.7], "r = 4": [0.3, 0.3, 0.2]}}
        >>> figure = keras_freq.plots.curves(panels, chance=0.1)
        >>> figure.savefig("curves.png")
    """
    from keras_freq.plots._figure import Figure

    positions = None if x is None else _check_positions(x)
    _check_options(columns, chance, limits)
    lines = _check_panels(panels, positions, limits)
    looks = _looks(lines)
    rows = -(-len(lines) // (columns or 4))
    columns = min(len(lines), columns or -(-len(lines) // rows))  # 5 panels: 3 and 2
    width, height = (5.0, 4.3) if columns <= 2 and rows == 1 else (3.1, 2.9)
    beside = columns <= 2  # else the legend stands below, where there is more room
    entry = 0.9 + 0.09 * max(len(label) for label in [*looks, "chance" if chance is not None else ""])
    across = 0.7 + width * columns
    abreast = 1 if beside else max(1, int((across - 0.3) // entry))
    below = 0.0 if beside else 0.25 + 0.3 * -(-(len(looks) + (chance is not None)) // abreast)
    figure = Figure(figsize=(across + (entry if beside else 0.0), 0.6 + height * rows + below))
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axis, (heading, panel) in zip(axes, lines.items(), strict=False):
        for label, values in panel.items():
            _draw(axis, values, positions, looks[label], limits)
        if chance is not None:
            axis.axhline(chance, color="0.45", linestyle=":", linewidth=1.6, zorder=1.5)
        axis.set_title(heading)
    for place, axis in enumerate(axes):
        if place >= len(lines):
            axis.remove()
        elif place + columns >= len(lines):  # the lowest of its column
            axis.set_xlabel(xlabel)
            axis.tick_params(labelbottom=True)
        if place % columns == 0:
            axis.set_ylabel(ylabel)
    _set_ticks(axes[0], positions)
    if limits is not None:
        axes[0].set_ylim(*limits)
    counts = sorted({len(values) for panel in lines.values() for values in panel.values()})
    number = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
    seeds = f"mean and range of {number} seeds" if counts[-1] > 1 else ""
    default = f"{ylabel[:1].upper()}{ylabel[1:]} by {xlabel}"
    if title is None:
        figure.suptitle(f"{default}: {seeds}" if seeds else default)
    else:
        figure.suptitle(title)
    note = seeds if title is not None else ""
    figure.legend(
        handles=_handles(lines, looks, chance),
        loc="outside right center" if beside else "outside lower center",
        ncols=abreast,
        handlelength=2.8,
        title=note.replace(" of", "\nof") if beside else note,
        title_fontproperties={"size": 11},
    )
    return figure


def _draw(axis: Axes, values: np.ndarray, positions: np.ndarray | None, look: dict[str, Any], limits) -> None:
    measured = np.isfinite(values).all(axis=0)
    where = (np.arange(1, values.shape[1] + 1) if positions is None else positions)[measured]
    values = values[:, measured]
    # Marks and lines at 0 or 1 would be cut in half by the edge of the panel.
    clip = limits is not None and (values.min() < limits[0] or values.max() > limits[1])
    marker = look["marker"] if _mark_points(measured) else None
    stroke = {"color": look["color"], "linestyle": look["linestyle"]}
    axis.plot(where, values.mean(axis=0), marker=marker, clip_on=clip, **stroke)
    if len(values) > 1 and len(where) > 1:
        low, high = values.min(axis=0), values.max(axis=0)
        axis.fill_between(where, low, high, color=look["color"], alpha=0.16, linewidth=0)
    elif len(values) > 1:
        axis.vlines(where, values.min(), values.max(), color=look["color"], alpha=0.4, linewidth=5)


def _mark_points(measured: np.ndarray) -> bool:
    return measured.sum() <= 12


def _looks(lines: dict[str, dict[str, np.ndarray]]) -> dict[str, dict[str, Any]]:
    """Color, stroke and mark of each label: the colors first, then again with another stroke."""
    palette = colors()
    labels = list(dict.fromkeys(label for panel in lines.values() for label in panel))
    if len(labels) > len(palette) * len(STROKES):
        raise ValueError(
            f"`panels` must have at most {len(palette) * len(STROKES)} different line labels. "
            f"Received: {len(labels)}"
        )
    return {
        label: {
            "color": palette[number % len(palette)],
            "linestyle": STROKES[number // len(palette)],
            "marker": MARKERS[(number + number // len(palette)) % len(MARKERS)],
        }
        for number, label in enumerate(labels)
    }


def _handles(lines: dict, looks: dict[str, dict[str, Any]], chance: float | None) -> list[Any]:
    from matplotlib.lines import Line2D

    handles = []
    for label, look in looks.items():
        drawn = [panel[label] for panel in lines.values() if label in panel]
        marked = any(_mark_points(np.isfinite(values).all(axis=0)) for values in drawn)
        # Matplotlib leaves labels with a leading underscore out of a legend.
        text = f" {label}" if label.startswith("_") else label
        handles.append(Line2D([], [], **{**look, "marker": look["marker"] if marked else None}, label=text))
    if chance is not None:
        handles.append(Line2D([], [], color="0.45", linestyle=":", linewidth=1.6, label="chance"))
    return handles


def _set_ticks(axis: Axes, positions: np.ndarray | None) -> None:
    """Whole numbers for counted points; the positions themselves where they are few, short and apart."""
    from matplotlib.ticker import MaxNLocator

    if positions is None:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, nbins=6, steps=[1, 2, 5, 10]))
        return
    texts = [f"{position:g}" for position in positions]
    gaps = np.diff(positions)
    apart = not gaps.size or gaps.min() >= 0.09 * (positions[-1] - positions[0])
    if apart and len(texts) <= 8 and max(map(len, texts)) <= 4:
        axis.set_xticks(positions, texts)


def _check_positions(x: Sequence[float]) -> np.ndarray:
    positions = np.asarray(x)
    if (
        positions.ndim != 1
        or not positions.size
        or positions.dtype.kind not in "fiu"
        or not np.isfinite(positions).all()
        or (np.diff(positions.astype("float64")) <= 0).any()
    ):
        raise ValueError(f"`x` must hold increasing finite numbers, at least one. Received: x={x}")
    return positions.astype("float64")


def _check_options(columns: int | None, chance: float | None, limits: tuple[float, float] | None) -> None:
    if columns is not None:
        check_whole(columns, "columns")
    if chance is not None:
        check_number(chance, "chance")
    if limits is not None and (
        np.shape(limits) != (2,) or not np.isfinite(limits).all() or not limits[0] < limits[1]
    ):
        raise ValueError(f"`limits` must be two increasing finite numbers or None. Received: limits={limits}")


def _check_panels(
    panels: Mapping[str, Mapping[str, ArrayLike]], positions: np.ndarray | None, limits
) -> dict[str, dict[str, np.ndarray]]:
    if not isinstance(panels, Mapping) or not panels:
        raise ValueError(
            "`panels` must map a panel title to its lines, one panel or more. "
            f"Received: {'an empty mapping' if isinstance(panels, Mapping) else type(panels).__name__}"
        )
    for heading, panel in panels.items():
        if not isinstance(panel, Mapping) or not panel:
            raise ValueError(
                "a panel must map a line label to numbers, one line or more. "
                f"Received: {'an empty mapping' if isinstance(panel, Mapping) else type(panel).__name__} "
                f"for panel {heading!r}"
            )
    return {
        str(heading): {
            str(label): _check_line(f"{label!r} in panel {heading!r}", values, positions, limits)
            for label, values in panel.items()
        }
        for heading, panel in panels.items()
    }


def _check_line(name: str, values: ArrayLike, positions: np.ndarray | None, limits) -> np.ndarray:
    """The numbers of a line as float64 of shape `(seeds, points)`."""
    try:
        array = np.asarray(values, "float64")
    except (TypeError, ValueError, OverflowError):
        array = None
    if array is None or array.ndim not in (1, 2) or not array.size:
        found = "values that make no such array" if array is None else f"shape {array.shape}"
        raise ValueError(
            f"a line must be numbers of shape (points,) or (seeds, points). Received: {found} for {name}"
        )
    array = np.atleast_2d(array)
    if np.isinf(array).any():
        raise ValueError(f"a line must be finite, or NaN where not measured. Received: infinity for {name}")
    if positions is not None and array.shape[1] != len(positions):
        raise ValueError(
            "`x` must hold one position for each point of every line. "
            f"Received: {len(positions)} positions and {array.shape[1]} points for {name}"
        )
    measured = np.isfinite(array).all(axis=0)
    if not measured.any():
        raise ValueError(
            f"a line must have a point that every seed has measured. Received: NaN at every point for {name}"
        )
    mean = array[:, measured].mean(axis=0)
    if limits is not None and not ((mean >= limits[0]) & (mean <= limits[1])).any():
        raise ValueError(
            f"`limits` must show at least one point of every line. Received: limits={limits} and values from "
            f"{mean.min():g} to {mean.max():g} for {name}"
        )
    return array
