"""Metrics over the epochs of one or more trainings."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from keras_freq.plots._style import colors, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def training_curves(
    histories: Mapping[str, Any], *, metrics: Sequence[str] | None = None, title: str | None = None
) -> Figure:
    """Metrics over the epochs, one panel per metric, one color per training.

    Solid lines are the validation metric where there is one, with the training metric dashed beside it.

    Args:
        histories: Mapping from a label to a history: a mapping from metric name to one number per epoch, or
            what `model.fit` returns.
        metrics: Names of the metrics. By default `"loss"` and `"accuracy"`, as far as they are there.
        title: Title of the figure.

    Returns:
        The figure, one panel per metric.

    Raises:
        ValueError: If there is no history, or none of them has one of the metrics.

    Example:
        >>> loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> model.compile("sgd", loss, metrics=["accuracy"])
        >>> history = model.fit(images, labels, epochs=2, validation_split=0.25, verbose=0)
        >>> figure = keras_freq.plots.training_curves({"plain": history})
        >>> figure.savefig("training.png")
    """
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    from keras_freq.plots._figure import Figure

    if not isinstance(histories, Mapping) or not histories:
        raise ValueError(
            "`histories` must map a label to a history (metric name to one number per epoch), one or more. "
            f"Received: {type(histories).__name__} {'without any' if histories == {} else ''}".rstrip()
        )
    curves = {label: dict(getattr(history, "history", history)) for label, history in histories.items()}
    known = list(dict.fromkeys(name for history in curves.values() for name in history))
    if metrics is None:
        metrics = [name for name in ("loss", "accuracy") if name in known]
    missing = [name for name in metrics if name not in known and f"val_{name}" not in known]
    if missing or not metrics:
        raise ValueError(
            f"`metrics` must be among {', '.join(known)}. Received: metrics={missing or list(metrics)}"
        )
    palette = [color for _, color in zip(curves, itertools.cycle(colors()), strict=False)]
    figure = Figure(figsize=(0.6 + 5.0 * len(metrics), 4.6))
    axes = figure.subplots(1, len(metrics), squeeze=False)[0]
    # One meaning of solid and dashed in all panels, also where only some metrics were validated.
    validated = any(f"val_{name}" in history for name in metrics for history in curves.values())
    kinds: tuple[tuple[str, str, Literal["-", "--"]], ...]
    kinds = (("val_", "validation", "-"), ("", "training", "--" if validated else "-"))
    for axis, name in zip(axes, metrics, strict=True):
        for color, history in zip(palette, curves.values(), strict=True):
            for prefix, kind, line in kinds:
                if prefix + name not in history:
                    continue
                values = np.asarray(history[prefix + name], "float64")
                thin = validated and kind == "training"
                axis.plot(
                    np.arange(1, len(values) + 1),
                    values,
                    line,
                    color=color,
                    linewidth=1.5 if thin else 2.2,
                    alpha=0.8 if thin else 1.0,
                    marker="o" if len(values) == 1 else None,
                )
        axis.set_ylabel(name.replace("_", " "))
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if "accuracy" in name:
            axis.set_ylim(0, 1)
    handles = [Line2D([], [], color=color, label=label) for color, label in zip(palette, curves, strict=True)]
    if validated:
        handles += [Line2D([], [], color="0.3", linestyle=line, label=kind) for _, kind, line in kinds]
    axes[-1].legend(handles=handles, loc="best")
    epochs = max(len(values) for history in curves.values() for values in history.values())
    figure.suptitle(title if title is not None else f"Training over {epochs} epoch{'s' * (epochs > 1)}")
    return figure
