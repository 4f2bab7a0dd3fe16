"""Fourier heat maps: error by frequency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from keras_freq._core.checks import check_flag, show
from keras_freq.plots._pixels import extent
from keras_freq.plots._results import Results, name_images, name_seeds
from keras_freq.plots._style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LABELS = {
    "error": "error rate",
    "difference": "error rate less clean error",
    "layer": "change of the layer, share of the largest",
}
_TITLES = {
    "error": "Fourier heat map",
    "difference": "Fourier heat map, difference to the clean error",
    "layer": "Fourier heat map of a layer",
}


@styled
def heat_map(
    results: Results | ArrayLike | Mapping[str, Any],
    *,
    title: str | None = None,
    difference: bool = False,
    layer: bool = False,
) -> Figure:
    """Error on images with one frequency added, DC in the middle, one panel per label.

    All panels share one color scale: 0 to 1 for errors; for differences a diverging one, symmetric about 0,
    as far as the largest of them. The change of a layer is divided by its largest value, each panel by its
    own, as published. Frequencies that were not measured are gray; rows and columns outside the window are
    left out.

    Args:
        results: What `keras_freq.evaluate.fourier_heat_map` returns; or a map `(height, width)` with DC at
            `(height // 2, width // 2)`, drawn as it is and not measured where it is NaN; or a list of results
            or of maps (over seeds, say), whose mean is drawn; or a mapping from panel title to any of these.
        title: Title of the figure. By default it says what is shown, epsilon and the number of images.
        difference: Show the difference to the clean error.
        layer: Show the change of the layer that was measured.

    Returns:
        The figure, one panel a map.

    Raises:
        ValueError: If there is no map, a map has another rank, no finite value or values outside [0, 1]
            (differences: [-1, 1]), the maps of a list differ in shape, or `difference` and `layer` are both
            set.

    Source:
        Yin et al., "A Fourier Perspective on Model Robustness in Computer Vision", NeurIPS 2019 (the heat
        maps of error and of layers).

    Example:
        >>> heat = keras_freq.evaluate.fourier_heat_map(model, data, window=2)
        >>> figure = keras_freq.plots.heat_map({"natural training": heat}, difference=True)
        >>> figure.savefig("heat_map.png")
    """
    check_flag(difference, "difference")
    check_flag(layer, "layer")
    import matplotlib
    from matplotlib.ticker import MaxNLocator

    from keras_freq.plots._figure import Figure

    if difference and layer:
        raise ValueError("at most one of `difference` and `layer` can be shown. Received: both True")
    shown = "difference" if difference else "layer" if layer else "error"
    given = results if isinstance(results, Mapping) else {"": results}
    if not given:
        raise ValueError("`results` must hold at least one map. Received: an empty mapping")
    panels = {str(label): _several(value) for label, value in given.items()}
    maps = {label: _mean(label, several, shown) for label, several in panels.items()}
    low, high, scale = 0.0, 1.0, "magma"
    if shown == "difference":
        high = max(float(np.nanmax(np.abs(picture))) for picture in maps.values()) or 1.0
        low, scale = -high, "RdBu_r"
    palette = matplotlib.colormaps[scale].with_extremes(bad="0.6")
    figure = Figure(figsize=(2.0 + 3.9 * len(maps), 4.7))
    axes = figure.subplots(1, len(maps), squeeze=False)[0]
    for axis, (label, picture) in zip(axes, maps.items(), strict=True):
        edges = extent(*picture.shape)
        image = axis.imshow(np.ma.masked_invalid(picture), extent=edges, vmin=low, vmax=high, cmap=palette)
        part = _fill(picture)
        axis.set_xlim(edges[0] + part[1].start, edges[0] + part[1].stop)
        axis.set_ylim(edges[3] + part[0].stop, edges[3] + part[0].start)
        axis.set_xlabel("horizontal frequency (index units)")
        axis.set_title(_heading(label, panels[label], shown))
        axis.grid(False)
        for side in (axis.xaxis, axis.yaxis):
            side.set_major_locator(MaxNLocator(integer=True))
    axes[0].set_ylabel("vertical frequency (index units)")
    figure.colorbar(image, ax=list(axes), label=_LABELS[shown], shrink=0.9)
    figure.suptitle(title if title is not None else _TITLES[shown] + _settings(panels))
    return figure


def _fill(picture: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns from the first to the last that hold a number."""
    there = ~np.isnan(picture)
    rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _is_result(value: Any) -> bool:
    return hasattr(value, "error") and hasattr(value, "clean_error")


def _several(value: Any) -> list[Any]:
    """Results or maps of one panel; a list of lists of numbers is a map itself."""
    if isinstance(value, (list, tuple)) and value and (_is_result(value[0]) or np.ndim(value[0]) == 2):
        return list(value)
    return [value]


def _heading(label: str, several: list[Any], shown: str) -> str:
    note = ""
    if all(map(_is_result, several)):
        clean = np.mean([result.clean_error for result in several])
        note = f"layer {several[0].layer}" if shown == "layer" else f"clean error {clean:.2f}"
    return "\n".join(text for text in (label, note) if text)


def _settings(panels: Mapping[str, list[Any]]) -> str:
    epsilons = dict.fromkeys(one.epsilon for several in panels.values() for one in several if _is_result(one))
    size = f"$\\epsilon$ = {', '.join(f'{value:g}' for value in epsilons)}" if epsilons else ""
    parts = [part for part in (size, name_images(panels), name_seeds(panels)) if part]
    return "\n" + ", ".join(parts) if parts else ""


def _mean(label: str, several: list[Any], shown: str) -> np.ndarray:
    maps = [_map(label, value, shown) for value in several]
    if len({picture.shape for picture in maps}) > 1:
        raise ValueError(
            "maps whose mean is drawn must have one shape. "
            f"Received: {[picture.shape for picture in maps]} for {show(label)}"
        )
    mean = np.mean(maps, axis=0)
    return mean / (np.nanmax(mean) or 1.0) if shown == "layer" else mean


def _map(label: str, value: Any, shown: str) -> np.ndarray:
    name = f" for {label!r}" if label else ""
    if _is_result(value):
        value = getattr(value, {"layer": "layer_change"}.get(shown, shown))
    array = np.asarray(value)
    if array.ndim != 2 or not array.size or array.dtype.kind not in "fiu":
        raise ValueError(
            "a heat map must be real, of shape (height, width). "
            f"Received: shape {array.shape}, dtype {array.dtype}{name}"
        )
    array = array.astype("float64")
    if np.isnan(array).all():
        raise ValueError(f"a heat map must hold at least one measured frequency. Received: only NaN{name}")
    low, high = float(np.nanmin(array)), float(np.nanmax(array))
    least, most = {"error": (0.0, 1.0), "difference": (-1.0, 1.0), "layer": (0.0, np.inf)}[shown]
    if low < least - 1e-9 or high > most + 1e-9 or np.isinf(array).any():
        raise ValueError(
            f"values must lie in [{least:g}, {most:g}]. Received: values from {low:g} to {high:g}{name}"
        )
    return array
