"""How many images of each class are recognized, and mistaken, by a few of their frequencies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_freq._core.checks import show
from keras_freq.plots._results import Results, results_by_label
from keras_freq.plots._style import colors, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 60
_PARTS = ("tpr", "fpr", "clean_tpr")
_MARKS = ("o", "s", "^", "D")


@styled
def shortcut_rates(
    reports: Results,
    *,
    classes: Sequence[str] | None = None,
    shown: Sequence[int] | None = None,
    title: str | None = None,
) -> Figure:
    """True and false positive rates of each class under its mask, a row for each class.

    Filled marks are the share of its own images that are taken for the class under its mask, empty ones that
    of the images of all others, where those were filtered; a stroke is the share of its images as they are.

    Args:
        reports: What `keras_freq.shortcuts.shortcut_report` returns; a list of such reports (over seeds,
            say), whose mean is drawn; or a mapping from kinds of masks to either, at most 4: the maps of the
            classes and disks of as many frequencies, say.
        classes: Names of the classes; default their numbers.
        shown: The classes that have a row, from the top, at most 60; default all.
        title: Title of the figure.

    Returns:
        The figure.

    Raises:
        ValueError: If there are too many rows or kinds, the reports are of different classes, or `classes` or
            `shown` do not fit them.

    Source: Wang, Veldhuis, Brune, Strisciuglio, ICCV 2023 (the shortcut test).

    Example:
        >>> masks = np.stack([keras_freq.spectral.disk_mask(32, 32, radius) for radius in (2, 4, 8, 16)])
        >>> report = keras_freq.shortcuts.shortcut_report(model, data, masks)
        >>> figure = keras_freq.plots.shortcut_rates({"disks": report})
        >>> figure.savefig("rates.png")
    """
    from keras_freq.plots._figure import Figure

    lists = results_by_label(reports, ("tpr", "fpr", "clean_tpr"))
    counts = {len(one.tpr) for several in lists.values() for one in several}
    if len(counts) > 1 or len(lists) > len(_MARKS):
        raise ValueError(
            f"`reports` must be of the same classes, for at most {len(_MARKS)} kinds of masks. "
            f"Received: {len(lists)} kinds, of {sorted(counts)} classes"
        )
    count = counts.pop()
    names = [str(label) for label in (range(count) if classes is None else classes)]
    if len(names) != count:
        raise ValueError(f"`classes` must name the {count} classes of the reports. Received: {show(names)}")
    labels = np.arange(count) if shown is None else np.asarray(shown)
    fits = labels.ndim == 1 and labels.dtype.kind in "iu" and 1 <= len(labels) <= _MOST
    if not fits or labels.min() < 0 or labels.max() >= count:
        raise ValueError(
            f"`shown` must hold 1 to {_MOST} of the {count} classes, as whole numbers from 0. "
            f"Received: shown={show(shown)}"
        )
    rates = {
        name: {part: np.mean([getattr(one, part) for one in several], axis=0)[labels] for part in _PARTS}
        for name, several in lists.items()
    }
    figure = Figure(figsize=(8, 1.5 + 0.22 * len(labels)), layout="constrained")
    axis, rows = figure.subplots(), np.arange(len(labels))
    for (name, values), mark, color in zip(rates.items(), _MARKS, colors(), strict=False):
        kind = f"{name}, " if name else ""
        own, others = f"{kind}own images (TPR)", f"{kind}other images (FPR)"
        axis.plot(values["tpr"], rows, mark, markersize=7, zorder=3, color=color, label=own)
        if np.isfinite(values["fpr"]).any():
            axis.plot(
                values["fpr"], rows, mark, markersize=7, markerfacecolor="none", color=color, label=others
            )
    whole = next(iter(rates.values()))["clean_tpr"]
    axis.plot(whole, rows, "|", color="0.3", markersize=12, label="whole images (TPR)")
    axis.set_yticks(rows, [names[label] for label in labels])
    axis.set_ylim(len(labels) - 0.5, -0.5)
    axis.set_xlim(-0.03, 1.03)
    axis.set_xlabel("share of the images that are taken for the class")
    if title is not None:
        axis.set_title(title)
    handles, entries = axis.get_legend_handles_labels()
    abreast = max(1, int(7.7 // (0.9 + 0.09 * max(map(len, entries)))))  # inches
    figure.set_figheight(1.2 + 0.22 * len(labels) + 0.3 * -(-len(entries) // abreast))
    figure.legend(handles, entries, loc="outside upper center", ncols=abreast)
    return figure
