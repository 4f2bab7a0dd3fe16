"""Decisions for the class of the low or of the high frequencies, over the radius."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_freq._core.checks import show
from keras_freq.plots._results import Results, name_images, name_radius, name_seeds, results_by_label
from keras_freq.plots._style import colors, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = {
    "low": "For the class of the low frequencies",
    "high": "For the class of the high frequencies",
    "neither": "For neither",
}


@styled
def cue_conflict(results: Results, *, title: str | None = None) -> Figure:
    """Shares of the decisions for the low part's class, the high part's, and neither, over the radius.

    Bands about the line of a single result are its 95 % intervals, where it has them. Several results of one
    label make the line of their mean, in a band from the lowest to the highest. A dotted line stands where
    the decisions for the two classes are equally many.

    Args:
        results: What `keras_freq.evaluate.cue_conflict` returns, a list of such results with the same radii
            (over seeds, say), or a mapping from label to either.
        title: Title of the figure. By default it says what is shown and the number of pairs.

    Returns:
        The figure, three panels.

    Raises:
        ValueError: If there is no result, lists differ in length, or the radii of one label differ.

    Source: Gavrikov et al., "Can We Talk Models Into Seeing the World Differently?", ICLR 2025 (the
        measurement).

    Example:
        >>> result = keras_freq.evaluate.cue_conflict(model, data, radii=(4, 8, 12), draws=20)
        >>> figure = keras_freq.plots.cue_conflict({"plain": result})
        >>> figure.savefig("conflict.png")
    """
    from keras_freq.plots._figure import Figure

    parts = ("radii", *PANELS, "balance", "intervals", "n")
    label = str(getattr(results, "model", None) or "model")
    lists = results_by_label(results, parts, same=("radii",), label=label)
    figure = Figure(figsize=(13, 4.4))
    axes = figure.subplots(1, 3, sharey=True)
    palette = colors()
    for number, (label, several) in enumerate(lists.items()):
        color = palette[number % len(palette)]
        for one in several:
            _check(label, one)
        radii = np.asarray(several[0].radii, "float64")
        order = np.argsort(radii)
        balance = float(np.mean([one.balance for one in several]))
        words = label if np.isnan(balance) else f"{label}: balance at {balance:.3g}"
        for axis, name in zip(axes, PANELS, strict=True):
            values = np.array([getattr(one, name) for one in several], "float64")[:, order]
            axis.plot(radii[order], values.mean(axis=0), color=color, marker="os^Dv"[number % 5], label=words)
            low, high = values.min(axis=0), values.max(axis=0)
            if len(several) == 1 and several[0].intervals:
                low, high = np.array(several[0].intervals[name], "float64")[order].T
            axis.fill_between(radii[order], low, high, color=color, alpha=0.18, linewidth=0)
            if not np.isnan(balance):
                axis.axvline(balance, color=color, linestyle=":", linewidth=1.4)
    for axis, heading in zip(axes, PANELS.values(), strict=True):
        axis.set_title(heading)
        axis.set_xlabel(f"radius $r$ ({name_radius(lists)})")
        axis.set_xticks(sorted({float(r) for several in lists.values() for r in several[0].radii}))
        axis.set_ylim(0, 1)
    axes[0].set_ylabel("share of the decisions")
    axes[2].legend(loc="upper right")
    notes = [f"{name_images(lists)} pairs", name_seeds(lists, "mean and range")]
    default = f"Low frequencies of one class, high ones of another ({', '.join(filter(None, notes))})"
    figure.suptitle(title if title is not None else default)
    return figure


def _check(label: str, result: Any) -> None:
    lengths = [len(getattr(result, name)) for name in ("radii", *PANELS)]
    if not lengths[0] or len(set(lengths)) > 1:
        raise ValueError(
            "`radii`, `low`, `high` and `neither` of a result must be equally long and not empty. "
            f"Received: {', '.join(map(str, lengths))} values for {show(label)}"
        )
