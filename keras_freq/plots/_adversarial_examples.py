"""Adversarial images, what was added to the originals, and at which frequencies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from keras_freq.plots._filtered_examples import label_row, show_pixels
from keras_freq.plots._pixels import amplitudes, checked_images, decades, extent
from keras_freq.plots._style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def adversarial_examples(
    originals: ArrayLike,
    adversarials: ArrayLike,
    labels: Sequence[int],
    predictions: Sequence[int],
    classes: Sequence[str],
    *,
    title: str | None = None,
) -> Figure:
    """Originals, adversarial images, their difference and its amplitude spectrum, one column an image.

    The difference is shown about grey, all images magnified by the same factor, which the figure states.

    Args:
        originals: Images in [0, 1] (or uint8), shape `(batch, height, width, channels)`, at most 12 of them.
        adversarials: The attacked images, same shape.
        labels: True class of each image, `0 <= label < len(classes)`.
        predictions: Class predicted for each adversarial image.
        classes: Names of the classes.
        title: Title of the figure. By default it gives the largest change of a pixel.

    Returns:
        The figure, four rows.

    Raises:
        ValueError: If shapes or lengths differ, there are more than 12 images, or a class has no name.

    Example:
        >>> figure = keras_freq.plots.adversarial_examples(images, attacked, labels, predicted, data.classes)
    """
    from matplotlib.figure import Figure

    before, after = checked_images(originals, "originals"), checked_images(adversarials, "adversarials")
    if before.shape != after.shape:
        raise ValueError(
            f"`originals` and `adversarials` must have one shape. Received: {before.shape} and {after.shape}"
        )
    if len(before) > 12:
        raise ValueError(f"at most 12 images fit side by side. Received: {len(before)}")
    true = checked_classes("labels", labels, len(before), classes)
    predicted = checked_classes("predictions", predictions, len(before), classes)
    change = after - before
    largest = float(np.abs(change).max())
    gain = 0.5 / largest if largest > 0 else 1.0
    maps = decades(amplitudes(change), span=4)

    figure = Figure(figsize=(2.4 + 1.5 * len(before), 7.4))
    axes = figure.subplots(4, len(before), squeeze=False)
    rows = (("original", before), ("adversarial", after), (f"difference\n×{gain:.0f}", 0.5 + gain * change))
    for axis_row, (name, values) in zip(axes, rows, strict=False):
        for axis, value in zip(axis_row, values, strict=True):
            show_pixels(axis, value)
        label_row(axis_row[0], name)
    for axis, map_ in zip(axes[3], maps, strict=True):
        drawn = axis.imshow(map_, extent=extent(*map_.shape), vmin=maps.min(), vmax=maps.max())
    label_row(axes[3, 0], "spectrum of\ndifference")
    figure.colorbar(drawn, ax=list(axes[3]), label=r"$\log_{10} |F|$", aspect=10, pad=0.01)
    for column, (i, j) in enumerate(zip(true, predicted, strict=True)):
        axes[0, column].set_title(classes[i], loc="center")
        fooled = i != j
        axes[1, column].set_title(
            classes[j],
            loc="center",
            color="#D55E00" if fooled else "0.25",
            fontweight="bold" if fooled else "normal",
        )
    default = f"Adversarial images: pixel values changed by at most {largest * 255:.3g}/255"
    figure.suptitle(title if title is not None else default)
    return figure


def checked_classes(name: str, values: Sequence[int], count: int, classes: Sequence[str]) -> np.ndarray:
    """`count` class numbers, each of which has a name."""
    array = np.asarray(values)
    if (
        array.shape != (count,)
        or array.dtype.kind not in "iu"
        or array.min() < 0
        or array.max() >= len(classes)
    ):
        raise ValueError(
            f"`{name}` must hold {count} whole numbers of at least 0 and below {len(classes)}, the number of "
            f"classes. Received: {name}={array.tolist()}"
        )
    return array
