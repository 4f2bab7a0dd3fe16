"""Spectra of input gradients over the epochs: in which order frequencies are learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from keras_freq._core.checks import check_choice, check_whole
from keras_freq.plots._results import Results, name_images, name_radius, name_seeds, results_by_label
from keras_freq.plots._style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def gradient_spectrum(
    results: Results,
    *,
    scale: Literal["shared", "panel"] = "shared",
    columns: int | None = None,
    title: str | None = None,
) -> Figure:
    """Spectrum of the input gradients by epoch and band: epochs upward, frequency to the right.

    Colors run from 0 at the smallest number of all epochs and bands to 1 at the largest. What has no number
    is gray. Rows are of one height, whatever the epochs between them.

    Args:
        results: A map as `keras_freq.evaluate.gradient_spectrum_map` or the `result()` of
            `keras_freq.callbacks.GradientSpectrum` returns it; a list of maps of the same epochs and radii
            (over seeds, say), whose mean is drawn; or a mapping from panel title to either.
        scale: `"shared"` takes smallest and largest number over all panels, so that their colors can be
            compared; `"panel"` over each panel, as published.
        columns: Panels in a row. By default at most 4.
        title: Title of the figure. By default it says what is shown and the number of images.

    Returns:
        The figure, one panel per label.

    Raises:
        ValueError: If there is no map, a map is not of shape (epochs, bands) or holds no finite number, the
            maps of a list differ in epochs or radii, or an option is unknown.

    Source:
        Lin, Gao and Sang, "Investigating and Explaining the Frequency Bias in Image Classification", IJCAI
        2022 (the maps of learning priority).

    Example:
        >>> checkpoints = [keras_freq.evaluate.input_gradient_spectrum(model, data)]
        >>> spectra = keras_freq.evaluate.gradient_spectrum_map(checkpoints, epochs=[0])
        >>> figure = keras_freq.plots.gradient_spectrum({"untrained": spectra})
        >>> figure.savefig("gradients.png")
    """
    import matplotlib

    from keras_freq.plots._figure import Figure

    check_choice(scale, "scale", ("shared", "panel"))
    if columns is not None:
        check_whole(columns, "columns")
    panels = results_by_label(results, ("spectra", "epochs", "radii"), same=("epochs", "radii"))
    maps = {
        label: np.mean([_map(label, one) for one in several], axis=0) for label, several in panels.items()
    }
    spans = {label: (np.nanmin(picture), np.nanmax(picture)) for label, picture in maps.items()}
    if scale == "shared":
        lows, highs = zip(*spans.values(), strict=True)
        spans = dict.fromkeys(spans, (min(lows), max(highs)))
    columns = min(len(maps), columns or 4)
    rows = -(-len(maps) // columns)
    palette = matplotlib.colormaps["magma"].with_extremes(bad="0.6")
    figure = Figure(figsize=(2.0 + 3.7 * columns, 0.9 + 3.9 * rows))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for place, (axis, (label, picture)) in enumerate(zip(axes, maps.items(), strict=False)):
        low, high = spans[label]
        shown = np.ma.masked_invalid((picture - low) / ((high - low) or 1.0))
        image = axis.imshow(shown, origin="lower", aspect="auto", vmin=0, vmax=1, cmap=palette)
        axis.set_yticks(*_ticks(panels[label][0].epochs))
        axis.set_xticks(*_ticks(panels[label][0].radii))
        axis.set_title(label)
        axis.grid(False)
        if place + columns >= len(maps):  # the lowest of its column
            axis.set_xlabel(f"frequency (radius, {name_radius(panels)})")
        if place % columns == 0:
            axis.set_ylabel("epoch")
    drawn = list(axes[: len(maps)])
    for axis in axes[len(maps) :]:
        axis.remove()
    note = "all panels" if scale == "shared" and len(maps) > 1 else "the map"
    figure.colorbar(image, ax=drawn, label=f"mean amplitude, 0 to 1 over {note}")
    notes = ", ".join(filter(None, (name_images(panels), name_seeds(panels))))
    default = "\n".join(filter(None, ("Spectrum of input gradients", notes)))
    figure.suptitle(title if title is not None else default)
    return figure


def _ticks(given: Sequence[float], most: int = 8) -> tuple[list[int], list[str]]:
    """Rows or columns that are named, at most so many, at round numbers where there are such."""
    values = np.asarray(given, "float64")
    places = list(range(len(values)))
    if len(values) > most:
        span = values.max() - values.min()
        steps = (head * 10**power for power in range(9) for head in (1, 2, 5))
        step = next(step for step in steps if span <= step * (most - 1))
        places = np.flatnonzero(values % step == 0).tolist()
        if not 2 <= len(places) <= most:
            places = np.unique(np.linspace(0, len(values) - 1, most).round().astype(int)).tolist()
    return places, [f"{round(values[place], 3):g}" for place in places]


def _map(label: str, value: Any) -> np.ndarray:
    name = f" for {label!r}" if label else ""
    array = np.asarray(value.spectra)
    shape = (len(value.epochs), len(value.radii))
    if array.ndim != 2 or array.shape != shape or not array.size or array.dtype.kind not in "fiu":
        raise ValueError(
            "a map's spectra must be real, of shape (epochs, bands), one row or more. "
            f"Received: shape {array.shape} with {shape[0]} epochs and {shape[1]} radii{name}"
        )
    array = np.where(np.isfinite(array), array, np.nan).astype("float64")
    if np.isnan(array).all():
        raise ValueError(f"a map must hold at least one finite number. Received: only NaN{name}")
    return array
