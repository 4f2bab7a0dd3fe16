"""Accuracy on low- and high-passed images over the radius."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_freq._core.checks import show
from keras_freq.plots._results import Results, name_images, name_radius, name_seeds, results_by_label
from keras_freq.plots._style import colors, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def band_accuracy(results: Results, *, chance: float | None = None, title: str | None = None) -> Figure:
    """Accuracy on low-passed (left) and high-passed images (right) over the radius, one line per label.

    Bands about the line of a single result are one standard error, `sqrt(a (1 - a) / n)`. Several results of
    one label make the line of their mean, in a band from the lowest to the highest. Dashed lines are the
    accuracy on unfiltered images.

    Args:
        results: What `keras_freq.evaluate.band_accuracy` returns, a list of such results with the same radii
            (over seeds, say), or a mapping from label to either.
        chance: Accuracy of guessing, drawn as a dotted line: 0.1 for ten equally frequent classes.
        title: Title of the figure. By default it says what is shown and the number of images.

    Returns:
        The figure, two panels.

    Raises:
        ValueError: If there is no result, a result has no radii, lists of different lengths, or accuracies
            outside [0, 1], or the radii of one label differ.

    Source:
        Wang et al., "High-Frequency Component Helps Explain the Generalization of Convolutional Neural
        Networks", CVPR 2020 (the measurement).

    Example:
        >>> bands = keras_freq.evaluate.band_accuracy(model, data, radii=(4, 8, 12))
        >>> figure = keras_freq.plots.band_accuracy({"plain": bands}, chance=0.25)
        >>> figure.savefig("bands.png")
    """
    from keras_freq.plots._figure import Figure

    parts = ("radii", "low", "high", "clean", "n")
    label = str(getattr(results, "model", None) or "model")
    lists = results_by_label(results, parts, same=("radii",), label=label)
    for label, several in lists.items():
        for one in several:
            _check(label, one)
    palette = colors()
    figure = Figure(figsize=(10.5, 4.6))
    axes = figure.subplots(1, 2, sharey=True)
    sides = (
        (axes[0], "low", "Low-passed: only $d < r$ kept"),
        (axes[1], "high", "High-passed: only $d \\geq r$ kept"),
    )
    for axis, side, heading in sides:
        for number, (label, several) in enumerate(lists.items()):
            radii = np.asarray(several[0].radii, "float64")
            order = np.argsort(radii)
            values = np.array([getattr(one, side) for one in several], "float64")[:, order]
            mean = values.mean(axis=0)
            if len(several) > 1:
                low, high = values.min(axis=0), values.max(axis=0)
            else:
                error = np.sqrt(mean * (1 - mean) / several[0].n)
                low, high = mean - error, mean + error
            color = palette[number % len(palette)]
            axis.plot(radii[order], mean, color=color, marker="os^Dv"[number % 5], label=label)
            axis.fill_between(radii[order], low, high, color=color, alpha=0.18, linewidth=0)
            clean = float(np.mean([one.clean for one in several]))
            axis.axhline(clean, color=color, linestyle="--", linewidth=1.4)
        if chance is not None:
            axis.axhline(chance, color="0.45", linestyle=":", linewidth=1.6)
        axis.set_title(heading)
        axis.set_xlabel(f"radius $r$ ({name_radius(lists)})")
        axis.set_xticks(sorted({float(r) for several in lists.values() for r in several[0].radii}))
        axis.set_ylim(0, 1)
    axes[0].set_ylabel("accuracy")
    _legend(axes[1], chance)
    notes = [f"{name_images(lists)} test images", name_seeds(lists, "mean and range")]
    default = f"Accuracy by frequency band ({', '.join(filter(None, notes))})"
    figure.suptitle(title if title is not None else default)
    return figure


def _legend(axis: Any, chance: float | None) -> None:
    from matplotlib.lines import Line2D

    handles, _ = axis.get_legend_handles_labels()
    handles.append(Line2D([], [], color="0.3", linestyle="--", linewidth=1.4, label="unfiltered images"))
    if chance is not None:
        handles.append(Line2D([], [], color="0.45", linestyle=":", linewidth=1.6, label="chance"))
    axis.legend(handles=handles, loc="upper right")


def _check(label: str, result: Any) -> None:
    lengths = [len(getattr(result, name)) for name in ("radii", "low", "high")]
    if not lengths[0] or len(set(lengths)) > 1:
        raise ValueError(
            "`radii`, `low` and `high` of a result must be equally long and not empty. "
            f"Received: {lengths[0]}, {lengths[1]} and {lengths[2]} values for {show(label)}"
        )
    values = np.asarray([*result.low, *result.high, result.clean], "float64")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"accuracies must lie in [0, 1]. Received: {values.tolist()} for {show(label)}")
    if result.n < 1:
        raise ValueError(f"`n` must be at least 1. Received: n={result.n} for {show(label)}")
