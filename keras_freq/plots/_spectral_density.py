"""Spectral densities over the radius: of images, of classes, of gradients beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from keras_freq._core.checks import check_flag, check_whole, show
from keras_freq._core.result import Result
from keras_freq.plots._results import Results, name_radius, name_seeds, results_by_label
from keras_freq.plots._style import colors, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STROKES = ("-", (0, (4, 1.5)), (0, (1.2, 1.2)))


@styled
def spectral_density(
    results: Results | Mapping[str, Mapping[str, Result | Sequence[Result]]],
    *,
    target: tuple[Sequence[float], ArrayLike] | None = None,
    rescale: bool = False,
    band: bool = True,
    columns: int | None = None,
    ylabel: str = "spectral density",
    title: str | None = None,
) -> Figure:
    """Mean profile over the radius, shaded by one standard deviation over the images.

    A label has one color in all panels, explained by one legend beside them. Several results of one label
    make the line of their mean, with the root of their mean variance as deviation.

    Args:
        results: What `data.image_spectral_density` or `evaluate.input_gradient_spectrum` returns; a list of
            such results with the same radii (over seeds, say); a mapping from line label to either (one
            panel); or a mapping from panel title to such mappings.
        target: `(radii, values)` of a density that was aimed at, drawn dashed in every panel: those of a
            `keras_freq.cdes.CDES`, say.
        rescale: Whether to scale each line's mean to [0, 1], its deviation with it, so that densities and
            gradients can be compared by shape.
        band: Whether to shade one standard deviation.
        columns: Panels in a row. By default at most 4.
        ylabel: Name of the vertical axis, which all panels share.
        title: Title of the figure. By default it says what is shown and the number of images.

    Returns:
        The figure.

    Raises:
        ValueError: If there is no line, more than 21 labels, a line is not one finite mean and deviation per
            radius, or the radii of one label differ.

    Source:
        Lin, Gao and Sang, "Investigating and Explaining the Frequency Bias in Image Classification", IJCAI
        2022 (densities of images and gradients).

    Example:
        >>> density = keras_freq.data.image_spectral_density(data)
        >>> figure = keras_freq.plots.spectral_density({"class 3": density.of_class(3), "all": density})
        >>> figure.savefig("density.png")
    """
    check_flag(rescale, "rescale")
    check_flag(band, "band")
    from matplotlib.lines import Line2D

    from keras_freq.plots._figure import Figure

    if columns is not None:
        check_whole(columns, "columns")
    panels = _panels(results)
    lines = {
        heading: {label: _line(f"{label!r}", several, rescale) for label, several in panel.items()}
        for heading, panel in panels.items()
    }
    aim = None if target is None else _target(target, rescale)
    labels = list(dict.fromkeys(label for panel in lines.values() for label in panel))
    palette = colors()
    if len(labels) > len(palette) * len(STROKES):
        raise ValueError(
            f"`results` must have at most {len(palette) * len(STROKES)} different labels. "
            f"Received: {len(labels)}"
        )
    looks: dict[str, dict[str, Any]] = {
        label: {"color": palette[i % len(palette)], "linestyle": STROKES[i // len(palette)]}
        for i, label in enumerate(labels)
    }
    every = {f"{heading}{label}": part for heading, panel in panels.items() for label, part in panel.items()}
    unit = name_radius(every)
    columns = min(len(lines), columns or 4)
    rows = -(-len(lines) // columns)
    names = [*labels, *(["target"] if aim is not None else [])]
    legend = len(names) > 1 or bool(names[0])
    beside = 0.9 + 0.09 * max(map(len, names)) if legend else 0.0
    width, height = (4.6, 4.0) if len(lines) <= 2 else (3.4, 3.1)
    figure = Figure(figsize=(0.7 + width * columns + beside, 0.8 + height * rows))
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for place, (axis, (heading, panel)) in enumerate(zip(axes, lines.items(), strict=False)):
        for label, line in panel.items():
            _draw(axis, *line, looks[label], band)
        if aim is not None:
            axis.plot(*aim, color="0.25", linestyle="--", linewidth=1.6)
        axis.set_title(heading)
        if place + columns >= len(lines):  # the lowest of its column
            axis.set_xlabel(f"frequency (radius, {unit})")
            axis.tick_params(labelbottom=True)
        if place % columns == 0:
            axis.set_ylabel(ylabel + (", 0 to 1" if rescale else ""))
    for axis in axes[len(lines) :]:
        axis.remove()
    if legend:
        handles = [Line2D([], [], **look, label=label) for label, look in looks.items()]
        if aim is not None:
            handles.append(Line2D([], [], color="0.25", linestyle="--", linewidth=1.6, label="target"))
        figure.legend(handles=handles, loc="outside right center")
    counts = sorted({one.n for panel in panels.values() for several in panel.values() for one in several})
    number = f"n = {counts[0]}" + (f" to {counts[-1]}" if len(counts) > 1 else "")
    default = f"Mean{' and standard deviation' if band else ''} over images"
    default += f"\n{', '.join(filter(None, (number, name_seeds(every))))}"
    figure.suptitle(default if title is None else title)
    return figure


def _draw(
    axis: Axes, radii: np.ndarray, mean: np.ndarray, spread: np.ndarray, look: dict, band: bool
) -> None:
    axis.plot(radii, mean, **look)
    if band:
        axis.fill_between(radii, mean - spread, mean + spread, color=look["color"], alpha=0.14, linewidth=0)


def _panels(results: Any) -> dict[str, dict[str, list[Any]]]:
    parts, same = ("radii", "mean", "deviation", "n"), ("radii",)
    if not isinstance(results, Mapping):
        return {"": results_by_label(results, parts, same=same)}
    kinds = {isinstance(value, Mapping) for value in results.values()}
    if len(kinds) != 1 or (kinds == {True} and not all(results.values())):
        raise ValueError(
            "`results` must be a result, a mapping from label to result or one from panel title to such "
            "mappings, none of them empty. Received: "
            + ("a mixture" if len(kinds) > 1 else "an empty mapping")
        )
    panels = results if kinds == {True} else {"": results}
    return {str(heading): results_by_label(panel, parts, same=same) for heading, panel in panels.items()}


def _line(name: str, several: list[Any], rescale: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    for result in several:
        radii, mean, spread = (
            np.asarray(getattr(result, part), "float64") for part in ("radii", "mean", "deviation")
        )
        if radii.ndim != 1 or not radii.size or not radii.shape == mean.shape == spread.shape:
            raise ValueError(
                "a result must hold one mean and one deviation per radius, one radius or more. "
                f"Received: shapes {radii.shape}, {mean.shape} and {spread.shape} for {name}"
            )
    if len(several) > 1:
        mean = np.mean([result.mean for result in several], axis=0)
        spread = np.sqrt(np.mean([np.square(result.deviation) for result in several], axis=0))
    if not (np.isfinite(mean).all() and np.isfinite(spread).all()):
        raise ValueError(f"means and deviations must be finite. Received: NaN or infinity for {name}")
    if rescale:
        low, span = mean.min(), np.ptp(mean) or 1.0
        mean, spread = (mean - low) / span, spread / span
    return radii, mean, spread


def _target(target: tuple[Sequence[float], ArrayLike], rescale: bool) -> tuple[np.ndarray, np.ndarray]:
    try:
        radii, values = (np.asarray(part, "float64") for part in target)
    except (TypeError, ValueError, OverflowError):
        radii = values = np.zeros((0, 0))
    if radii.ndim != 1 or not radii.size or radii.shape != values.shape or not np.isfinite(values).all():
        raise ValueError(
            f"`target` must be (radii, values), two series of one length, finite. "
            f"Received: target={show(target)}"
        )
    if rescale:
        values = (values - values.min()) / (np.ptp(values) or 1.0)
    return radii, values
