"""What a model sees in an image, in its high frequencies alone and in its low ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from keras_freq._core.checks import check_number, show
from keras_freq.plots._adversarial_examples import check_classes
from keras_freq.plots._filtered_examples import label_row, magnification, show_pixels
from keras_freq.plots._pixels import check_images
from keras_freq.plots._style import colors, styled
from keras_freq.spectral import split_bands

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PARTS = ("original", "high", "low")


@styled
def component_predictions(
    images: ArrayLike,
    predictions: Mapping[str, tuple[Sequence[int], Sequence[float]]],
    *,
    radius: float,
    labels: Sequence[int],
    classes: Sequence[str],
    title: str | None = None,
) -> Figure:
    """Images, their high and their low part, each with the class a model predicts from it.

    The low part keeps the bins with distance `d < radius` from DC (ideal filter, each channel by itself),
    `high = image - low`. The high part is magnified about gray, all images by the same factor, which the
    figure states; the low part is clipped to [0, 1]. The pictures are for the eye: the predictions are drawn
    as they are given. Right ones have a tick and a blue frame, wrong ones a cross and an orange frame.

    Args:
        images: Images in [0, 1] (or uint8), shape `(batch, height, width, channels)`, at most 10 of them.
        predictions: Mapping with the keys `"original"`, `"high"` and `"low"`, each to the predicted class of
            every image and the model's confidence in it, in [0, 1].
        radius: Radius of the split in index units.
        labels: True class of each image, `0 <= label < len(classes)`.
        classes: Names of the classes.
        title: Title of the figure.

    Returns:
        The figure, three rows, one column per image.

    Raises:
        ValueError: If there are more than 10 images, lengths differ, a key is missing or unknown, a class has
            no name, or a confidence lies outside [0, 1].

    Source:
        Wang et al., "High-Frequency Component Helps Explain the Generalization of Convolutional Neural
        Networks", CVPR 2020 (the figure of eight such images).

    Example:
        >>> predictions = {"original": ([6], [0.97]), "high": ([6], [0.91]), "low": ([4], [0.55])}
        >>> figure = keras_freq.plots.component_predictions(
        ...     images[:1], predictions, radius=8, labels=[6], classes=list("abcdefg")
        ... )
        >>> figure.savefig("parts.png")
    """
    from keras_freq.plots._figure import Figure

    pixels = check_images(images)
    count = len(pixels)
    if count > 10:
        raise ValueError(f"at most 10 images fit side by side. Received: {count}")
    check_number(radius, "radius", least=0)
    true = check_classes("labels", labels, count, classes)
    given = _check_predictions(predictions, count, classes)

    low, high = split_bands(pixels, radius)
    gain = magnification(high)
    rows = {
        "original": ("original", pixels),
        "high": (f"high part\n$d \\geq {radius:g}$, ×{gain:g}", 0.5 + gain * high),
        "low": (f"low part\n$d < {radius:g}$", low),
    }
    # Side by side where that fits under a picture, else the confidence on a line of its own.
    longest = max(len(classes[i]) for predicted, _ in given.values() for i in predicted)
    between = " " if longest <= 6 else "\n"
    right, wrong = colors()[:2]
    height = 1.6 * pixels.shape[1] / pixels.shape[2] + (0.35 if between == " " else 0.55)
    figure = Figure(figsize=(max(5.6, 1.6 + 1.6 * count), 0.95 + 3 * height))
    axes = figure.subplots(3, count, squeeze=False)
    for axis_row, (part, (name, values)) in zip(axes, rows.items(), strict=True):
        label_row(axis_row[0], name)
        for axis, value, label, i, confidence in zip(axis_row, values, true, *given[part], strict=True):
            show_pixels(axis, value)
            color, glyph = (right, "✓") if i == label else (wrong, "✗")
            axis.set_xlabel(
                f"{glyph} {classes[i]}{between}{100 * confidence:.0f} %", color=color, fontweight="bold"
            )
            axis.spines[:].set(visible=True, color=color, linewidth=2.5)
    for axis, label in zip(axes[0], true, strict=True):
        axis.set_title(classes[label], loc="center")
    figure.supxlabel(
        "above: true class; below: prediction, ✓ right, ✗ wrong",
        fontsize=11,
        color="0.3",
    )
    default = f"Predictions at radius {radius:g} (index units)"
    figure.suptitle(title if title is not None else default)
    return figure


def _check_predictions(
    predictions: Mapping[str, tuple[Sequence[int], Sequence[float]]], count: int, classes: Sequence[str]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    if not isinstance(predictions, Mapping) or set(predictions) != set(PARTS):
        found = list(predictions) if isinstance(predictions, Mapping) else type(predictions).__name__
        raise ValueError(f"`predictions` must have the keys {', '.join(PARTS)}. Received: {found}")
    checked = {}
    for part in PARTS:
        if not isinstance(predictions[part], tuple | list) or len(predictions[part]) != 2:
            raise ValueError(
                "an entry of `predictions` must be a pair (classes, confidences). "
                f"Received: {type(predictions[part]).__name__} for {show(part)}"
            )
        predicted = check_classes(f"predictions[{part!r}][0]", predictions[part][0], count, classes)
        confidences = np.asarray(predictions[part][1])
        if (
            confidences.shape != (count,)
            or confidences.dtype.kind not in "fiu"
            or not ((confidences >= 0) & (confidences <= 1)).all()
        ):
            raise ValueError(
                f"confidences must be {count} numbers in [0, 1]. "
                f"Received: {confidences.tolist()} for {show(part)}"
            )
        checked[part] = (predicted, confidences)
    return checked
