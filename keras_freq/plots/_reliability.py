"""Reliability diagrams: accuracy over confidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_freq.plots._style import colors, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_KINDS = {
    "ece": "expected calibration error",
    "rms": "RMS calibration error",
    "mce": "maximum calibration error",
}


@styled
def reliability(results: Any | Mapping[str, Any], *, title: str | None = None) -> Figure:
    """Accuracy in bins of confidence, one panel a model; on the diagonal a model is calibrated.

    Bars are the accuracy in each bin, over its range of confidence; the dot in a bar stands at the mean
    confidence of its images, its area in proportion to their number. Bins without images are left empty.

    Args:
        results: What `keras_freq.evaluate.calibration_error` returns, or a mapping from panel title to it.
            Anything with the attributes `edges`, `counts`, `accuracies`, `confidences`, `value`, `kind` and
            `n` will do.
        title: Title of the figure. By default it says what is shown and the number of images.

    Returns:
        The figure, one panel a result.

    Raises:
        ValueError: If there is no result, or its lists differ in length.

    Source:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017 (the reliability diagrams).

    Example:
        >>> calibration = keras_freq.evaluate.calibration_error(logits, labels)
        >>> figure = keras_freq.plots.reliability({"natural training": calibration})
    """
    from matplotlib.figure import Figure

    panels = dict(results) if isinstance(results, Mapping) else {"": results}
    if not panels:
        raise ValueError("`results` must hold at least one result. Received: an empty mapping")
    for label, result in panels.items():
        lengths = [len(result.edges) - 1, *map(len, (result.counts, result.accuracies, result.confidences))]
        if len(set(lengths)) != 1:
            raise ValueError(
                "a result must hold a count, an accuracy and a confidence for every bin. "
                f"Received: {lengths[0]} bins and {lengths[1:]}" + (f" for {label!r}" if label else "")
            )
    bar, dot = colors()[:2]
    figure = Figure(figsize=(0.8 + 4.0 * len(panels), 4.6))
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axis, (label, result) in zip(axes, panels.items(), strict=True):
        edges, counts = np.asarray(result.edges, "float64"), np.asarray(result.counts)
        full = counts > 0
        accuracies = np.asarray(result.accuracies, "float64")[full]
        axis.bar(
            edges[:-1][full],
            accuracies,
            width=np.diff(edges)[full],
            align="edge",
            color=bar,
            alpha=0.35,
            edgecolor=bar,
        )
        axis.plot([0, 1], [0, 1], color="0.45", linestyle=":", linewidth=1.6)
        axis.scatter(
            np.asarray(result.confidences, "float64")[full],
            accuracies,
            s=12 + 200 * counts[full] / counts.sum(),
            color=dot,
            zorder=3,
            clip_on=False,  # whole dots at 0 and 1
        )
        note = f"{_KINDS.get(result.kind, result.kind)} {result.value:.3f}"
        axis.set_title("\n".join(text for text in (str(label), note) if text))
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1)
        axis.set_xlabel("confidence")
    axes[0].set_ylabel("accuracy")
    counts = ", ".join(map(str, dict.fromkeys(result.n for result in panels.values())))
    figure.suptitle(title if title is not None else f"Reliability (n = {counts})")
    return figure
