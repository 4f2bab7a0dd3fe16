"""Adversarial images, what was added to the originals, and at which frequencies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from keras_freq._core.checks import check_whole
from keras_freq._core.result import Record
from keras_freq.plots._filtered_examples import label_row, show_pixels
from keras_freq.plots._pixels import amplitudes, check_images, decades, extent
from keras_freq.plots._style import colors, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def adversarial_examples(
    result: Record,
    *,
    classes: Sequence[str] | None = None,
    examples: int = 6,
    title: str | None = None,
) -> Figure:
    """Originals, adversarial images, their difference and its amplitude spectrum, one column per image.

    Shown are the first images that the attack fooled the model about, then others. The difference is shown
    about gray, all images magnified by the same factor, which the figure states.

    Args:
        result: What `keras_freq.evaluate.adversarial_accuracy` or `minimal_adversarials` returns with
            `keep_images=True`, or its `AdversarialImages`. Images in [0, 1].
        classes: Names of the classes; default their numbers.
        examples: Number of images, 1 to 12, or all where there are fewer.
        title: Title of the figure. By default it gives the largest change of a pixel.

    Returns:
        The figure, four rows.

    Raises:
        ValueError: If the result holds no images, shapes or lengths differ, or a class has no name.

    Example:
        >>> result = keras_freq.evaluate.adversarial_accuracy(
        ...     model, data, attack="fgsm", engine="own", epsilons=[8 / 255], keep_images=True
        ... )
        >>> figure = keras_freq.plots.adversarial_examples(result, classes=("cat", "dog", "ship", "frog"))
        >>> figure.savefig("adversarials.png")
    """
    from keras_freq.plots._figure import Figure

    check_whole(examples, "examples", most=12)
    kept: Any = getattr(result, "images", result)
    if not hasattr(kept, "adversarials"):
        raise ValueError(
            "`result` must hold its images: evaluate.adversarial_accuracy(..., keep_images=True). "
            f"Received: {type(result).__name__} without images"
        )
    before = check_images(kept.originals, "originals")
    after = check_images(kept.adversarials, "adversarials")
    if before.shape != after.shape:
        raise ValueError(
            f"`originals` and `adversarials` must have one shape. Received: {before.shape} and {after.shape}"
        )
    names = ("labels", "clean_predictions", "predictions")
    true, seen, predicted = (np.asarray(getattr(kept, name)) for name in names)
    named = [
        str(name) for name in (range(1 + max(true.max(), predicted.max())) if classes is None else classes)
    ]
    true = check_classes("labels", true, len(before), named)
    predicted = check_classes("predictions", predicted, len(before), named)
    fooled = (seen == true) & (predicted != true)
    chosen = np.argsort(~fooled, kind="stable")[:examples]
    before, after, true, predicted = before[chosen], after[chosen], true[chosen], predicted[chosen]
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
    wrong = {"color": colors()[1], "fontweight": "bold"}
    for column, (i, j) in enumerate(zip(true, predicted, strict=True)):
        axes[0, column].set_title(named[i], loc="center")
        axes[1, column].set_title(named[j], loc="center", **(wrong if i != j else {"color": "0.25"}))
    default = f"Adversarial images: pixel values changed by at most {largest * 255:.3g}/255"
    figure.suptitle(title if title is not None else default)
    return figure


def check_classes(name: str, values: ArrayLike, count: int, classes: Sequence[str]) -> np.ndarray:
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
