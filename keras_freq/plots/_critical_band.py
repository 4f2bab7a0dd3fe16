"""The channel of a classifier over frequency."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_freq._core.checks import show
from keras_freq.plots._results import Results, name_images, name_seeds, results_by_label
from keras_freq.plots._style import colors, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def critical_band(results: Results, *, human: bool = True, title: str | None = None) -> Figure:
    """Sensitivity to noise over the frequency of the noise, with the fitted channel, one color per label.

    Markers are `log2(largest noise / threshold)` of each octave: 0 where no noise took accuracy below the
    criterion, each 1 more half of the noise. Lines are the fitted Gaussians. Several results of one label
    make the line and the markers of their mean, in a band from the lowest to the highest line.

    Args:
        results: What `keras_freq.evaluate.critical_band` returns, a list of such results with the same
            centers (over seeds, say), or a mapping from label to either.
        human: Whether a channel of one octave, the width of people's, is drawn at the center of the first
            label (dashed).
        title: Title of the figure. By default it says what is shown and the number of images.

    Returns:
        The figure.

    Raises:
        ValueError: If there is no result, lists differ in length, or the centers of one label differ.

    Source: Subramanian, Sizikova, Majaj and Pelli, "Spatial-frequency channels, shape bias, and adversarial
        robustness", NeurIPS 2023 (the measurement).

    Example:
        >>> result = kf.evaluate.critical_band(model, data, centers=(2, 4, 8), criterion=0.3, draws=20)
        >>> figure = keras_freq.plots.critical_band({"plain": result})
        >>> figure.savefig("channel.png")
    """
    from keras_freq.plots._figure import Figure

    parts = ("centers", "deviations", "sensitivities", "center", "bandwidth", "peak", "n")
    label = str(getattr(results, "model", None) or "model")
    lists = results_by_label(results, parts, same=("centers",), label=label)
    palette, ticks = (
        colors(),
        sorted({c for several in lists.values() for one in several for c in one.centers}),
    )
    grid = np.linspace(math.log2(ticks[0]) - 0.5, math.log2(ticks[-1]) + 0.5, 200)
    figure = Figure(figsize=(7.2, 4.8))
    axis = figure.subplots()
    for number, (label, several) in enumerate(lists.items()):
        color = palette[number % len(palette)]
        for one in several:
            _check(label, one)
        curves = np.array([_channel(one, grid) for one in several])
        axis.plot(grid, curves.mean(axis=0), color=color)
        if len(several) > 1:
            axis.fill_between(
                grid, curves.min(axis=0), curves.max(axis=0), color=color, alpha=0.18, linewidth=0
            )
        mean = np.mean([one.sensitivities for one in several], axis=0)
        words = f"{label}: {_words(several)}"
        axis.plot(
            np.log2(several[0].centers), mean, "os^DvPX*"[number % 8], color=color, label=words, clip_on=False
        )
    first = next(iter(lists.values()))[0]
    if human and math.isfinite(first.center):
        width = 1 / (2 * math.sqrt(math.log(4)))
        curve = _channel(first, grid, width)
        axis.plot(grid, curve, color="0.45", linestyle="--", linewidth=1.4, label="one octave, as people")
    axis.set_xticks(np.log2(ticks), [f"{tick:g}" for tick in ticks])
    axis.set_xlabel("center of the octave of noise (cycles per image)")
    axis.set_ylabel("sensitivity, $\\log_2$(largest noise / threshold)")
    axis.set_ylim(bottom=0)
    # Below the axes: curves and markers fill them.
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
    notes = [f"{name_images(lists)} test images", name_seeds(lists, "mean")]
    default = f"Sensitivity to noise by frequency ({', '.join(filter(None, notes))})"
    figure.suptitle(title if title is not None else default)
    return figure


def _channel(result: Any, places: np.ndarray, width: float | None = None) -> np.ndarray:
    """The fitted Gaussian; NaN, which draws nothing, where nothing was fitted."""
    if width is None:
        width = result.bandwidth / (2 * math.sqrt(math.log(4)))
    height = math.log2(result.peak * result.deviations[-1]) if result.peak > 0 else math.nan
    return height * np.exp(-((places - math.log2(result.center)) ** 2) / (2 * width**2))


def _words(several: list[Any]) -> str:
    known = [one for one in several if math.isfinite(one.center)]
    if not known:
        return "no threshold"
    center = 2 ** np.mean([math.log2(one.center) for one in known])
    return f"{center:.3g} cycles, {np.mean([one.bandwidth for one in known]):.2g} octaves"


def _check(label: str, result: Any) -> None:
    if len(result.centers) != len(result.sensitivities) or not result.centers:
        raise ValueError(
            "`centers` and `sensitivities` of a result must be equally long and not empty. "
            f"Received: {len(result.centers)} and {len(result.sensitivities)} values for {show(label)}"
        )
