"""Spectra of input gradients over the epochs: in which order frequencies are learnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from keras_freq.plots._style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def gradient_spectrum(
    results: Any | Mapping[str, Any],
    *,
    scale: Literal["shared", "panel"] = "shared",
    columns: int | None = None,
    title: str | None = None,
) -> Figure:
    """Spectrum of the input gradients by epoch and band: epochs upward, frequency to the right.

    Colours run from 0 at the smallest number of all epochs and bands to 1 at the largest. What has no number
    is grey. Rows are of one height, whatever the epochs between them.

    Args:
        results: A map as `keras_freq.evaluate.gradient_spectrum_map` or the `result()` of
            `keras_freq.callbacks.GradientSpectrum` returns it, or a mapping from panel title to such maps.
            Anything with the attributes `spectra` (epochs, bands), `epochs` and `radii` will do.
        scale: `"shared"` takes smallest and largest number over all panels, so that their colours can be
            compared; `"panel"` over each panel, as published.
        columns: Panels in a row. By default at most 4.
        title: Title of the figure. By default it says what is shown and the number of images.

    Returns:
        The figure, one panel a map.

    Raises:
        ValueError: If there is no map, a map is not of shape (epochs, bands) or holds no finite number, or an
            option is unknown.

    Source:
        Lin, Gao and Sang, "Investigating and Explaining the Frequency Bias in Image Classification", IJCAI
        2022 (the maps of learning priority).

    Example:
        >>> gradients = keras_freq.callbacks.GradientSpectrum(data.test)
        >>> history = model.fit(data.train, epochs=10, callbacks=[gradients])
        >>> figure = keras_freq.plots.gradient_spectrum({"natural training": gradients.result()})
    """
    import matplotlib
    from matplotlib.figure import Figure

    if scale not in ("shared", "panel"):
        raise ValueError(f"`scale` must be one of 'shared', 'panel'. Received: scale={scale!r}")
    if columns is not None and (
        isinstance(columns, bool) or not isinstance(columns, int | np.integer) or columns < 1
    ):
        raise ValueError(f"`columns` must be a whole number of at least 1. Received: columns={columns!r}")
    panels = dict(results) if isinstance(results, Mapping) else {"": results}
    if not panels:
        raise ValueError("`results` must hold at least one map. Received: an empty mapping")
    maps = {label: _map(str(label), value) for label, value in panels.items()}
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
        axis.set_yticks(*_ticks(panels[label].epochs))
        axis.set_xticks(*_ticks(panels[label].radii))
        axis.set_title(str(label))
        axis.grid(False)
        if place + columns >= len(maps):  # the lowest of its column
            axis.set_xlabel("frequency (radius, index units)")
        if place % columns == 0:
            axis.set_ylabel("epoch")
    drawn = list(axes[: len(maps)])
    for axis in axes[len(maps) :]:
        axis.remove()
    note = "all panels" if scale == "shared" and len(maps) > 1 else "the map"
    figure.colorbar(image, ax=drawn, label=f"mean amplitude, 0 to 1 over {note}")
    figure.suptitle(title if title is not None else "Spectrum of input gradients" + _images(panels))
    return figure


def _images(panels: Mapping[str, Any]) -> str:
    counts = list(dict.fromkeys(value.n for value in panels.values() if hasattr(value, "n")))
    return f"\nn = {', '.join(f'{count:g}' for count in counts)}" if counts else ""


def _ticks(values: Sequence[float], most: int = 8) -> tuple[list[int], list[str]]:
    """Rows or columns that are named, at most so many, at round numbers where there are such."""
    values = np.asarray(values, "float64")
    if len(values) <= most:
        places = range(len(values))
    else:
        span = values.max() - values.min()
        steps = (head * 10**power for power in range(9) for head in (1, 2, 5))
        step = next(step for step in steps if span <= step * (most - 1))
        places = np.flatnonzero(values % step == 0).tolist()
        if not 2 <= len(places) <= most:
            places = np.unique(np.linspace(0, len(values) - 1, most).round().astype(int)).tolist()
    return list(places), [f"{values[place]:g}" for place in places]


def _map(label: str, value: Any) -> np.ndarray:
    name = f" for {label!r}" if label else ""
    missing = [part for part in ("spectra", "epochs", "radii") if not hasattr(value, part)]
    if missing:
        raise ValueError(
            "a map must have the attributes spectra, epochs and radii. "
            f"Received: {type(value).__name__} without {', '.join(missing)}{name}"
        )
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
