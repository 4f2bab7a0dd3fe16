"""Reliability diagrams: accuracy over confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_freq.plots._results import Results, name_images, name_seeds, results_by_label
from keras_freq.plots._style import colors, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_KINDS = {
    "ece": "expected calibration error",
    "rms": "RMS calibration error",
    "mce": "maximum calibration error",
}


@styled
def reliability(results: Results, *, title: str | None = None) -> Figure:
    """Accuracy in bins of confidence, one panel per label; on the diagonal a model is calibrated.

    Bars are the accuracy in each bin, over its range of confidence; the dot in a bar stands at the mean
    confidence of its images, its area in proportion to their number. Bins without images are left empty.

    Args:
        results: What `keras_freq.evaluate.calibration_error` returns; a list of such results with the same
            bins (over seeds, say), whose images are put together; or a mapping from panel title to either.
        title: Title of the figure. By default it says what is shown and the number of images.

    Returns:
        The figure, one panel per label. Of several results the title of the panel gives mean and range of
        their errors.

    Raises:
        ValueError: If there is no result, its lists differ in length, or the bins of one label differ.

    Source:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017 (the reliability diagrams).

    Example:
        >>> logits = keras_freq.evaluate.predict_logits(model, images)
        >>> calibration = keras_freq.evaluate.calibration_error(logits, labels, bins=5)
        >>> figure = keras_freq.plots.reliability({"natural training": calibration})
        >>> figure.savefig("reliability.png")
    """
    from keras_freq.plots._figure import Figure

    parts = ("edges", "counts", "accuracies", "confidences", "value", "kind", "n")
    panels = results_by_label(results, parts, same=("edges", "kind"))
    bar, dot = colors()[:2]
    figure = Figure(figsize=(0.8 + 4.0 * len(panels), 4.6))
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axis, (label, several) in zip(axes, panels.items(), strict=True):
        edges = np.asarray(several[0].edges, "float64")
        counts, accuracies, confidences = _join(label, several)
        full = counts > 0
        axis.bar(
            edges[:-1][full],
            accuracies[full],
            width=np.diff(edges)[full],
            align="edge",
            color=bar,
            alpha=0.35,
            edgecolor=bar,
        )
        axis.plot([0, 1], [0, 1], color="0.45", linestyle=":", linewidth=1.6)
        axis.scatter(
            confidences[full],
            accuracies[full],
            s=12 + 200 * counts[full] / counts.sum(),
            color=dot,
            zorder=3,
            clip_on=False,  # whole dots at 0 and 1
        )
        values = [result.value for result in several]
        note = f"{_KINDS.get(several[0].kind, several[0].kind)} {np.mean(values):.3f}"
        if len(several) > 1:
            note += f"\n({min(values):.3f} to {max(values):.3f})"
        axis.set_title("\n".join(filter(None, (label, note))))
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1)
        axis.set_xlabel("confidence")
    axes[0].set_ylabel("accuracy")
    notes = ", ".join(filter(None, (name_images(panels), name_seeds(panels, "images"))))
    figure.suptitle(title if title is not None else f"Reliability ({notes})")
    return figure


def _join(label: str, several: list[Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, accuracy and mean confidence of each bin over the images of all results."""
    for result in several:
        lengths = [len(result.edges) - 1, *map(len, (result.counts, result.accuracies, result.confidences))]
        if len(set(lengths)) != 1:
            raise ValueError(
                "a result must hold a count, an accuracy and a confidence for every bin. "
                f"Received: {lengths[0]} bins and {lengths[1:]}" + (f" for {label!r}" if label else "")
            )
    counts = np.array([result.counts for result in several], "float64")
    total = counts.sum(axis=0)
    means = []
    for part in ("accuracies", "confidences"):
        values = np.array([getattr(result, part) for result in several], "float64")
        means.append(np.where(counts > 0, counts * values, 0).sum(axis=0) / np.maximum(total, 1))
    return total, *means
