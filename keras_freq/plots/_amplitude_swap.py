"""Images with the phase of one image and the amplitude of another, and what models see in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_freq._core.checks import check_whole, show
from keras_freq._core.result import Result
from keras_freq.plots._filtered_examples import show_pixels
from keras_freq.plots._pixels import check_images
from keras_freq.plots._style import colors, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ("phase of", "amplitude of", "recombination")


@styled
def amplitude_swap(
    results: Result | Mapping[str, Result],
    *,
    examples: int = 6,
    classes: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Phase image, amplitude image and recombination, each with the classes that the models see in it.

    Under the recombination a class is blue where the model follows the phase (it sees what it sees in the
    phase image), orange where it follows the amplitude, gray where neither or where it sees one class in
    both.

    The first pairs are shown on whose recombination the models disagree, then others; before that, in each
    group, those whose two images every model puts into different classes. The figure says how many of all
    pairs each model follows.

    Args:
        results: What `keras_freq.evaluate.amplitude_swap` returns with `keep_images=True`, or a mapping from
            label to such results, at most 4, all of the same pairs. What lies outside [0, 1] is clipped.
        examples: Number of pairs to show, 1 to 12, in two columns from the fourth on.
        classes: Names of the classes; by default their numbers.
        title: Title of the figure.

    Returns:
        The figure, three pictures per example.

    Raises:
        ValueError: If a result has no images, results are of different pairs, or a class has no name.

    Source:
        Chen et al., "Amplitude-Phase Recombination", ICCV 2021 (the figure of recombined images).

    Example:
        >>> result = keras_freq.evaluate.amplitude_swap(model, data, keep_images=True)
        >>> figure = keras_freq.plots.amplitude_swap({"plain": result}, examples=3)
        >>> figure.savefig("swap.png")
    """
    from keras_freq.plots._figure import Figure

    given: Mapping[str, Any] = results if isinstance(results, Mapping) else {str(results.model): results}
    pairs = _check_pairs(given)
    check_whole(examples, "examples", most=12)
    names = _class_names(pairs, classes)
    first = next(iter(pairs.values()))
    chosen, disagreeing = _choose(list(pairs.values()), examples)
    pictures = [
        check_images(part[chosen], name)
        for name, part in (
            ("phase_images", first.phase_images),
            ("amplitude_images", first.amplitude_images),
            ("images", first.images),
        )
    ]

    side_by_side = 1 if len(chosen) <= 3 else 2
    rows = -(-len(chosen) // side_by_side)
    lines = len(pairs) + 1
    # Inches, so that no text meets its neighbor's.
    column = max(5.9 / 3, 0.085 * _longest(pairs, names, chosen))
    figure = Figure(figsize=(3 * column * side_by_side, 1.3 + 0.22 * lines + rows * (1.9 + 0.2 * lines)))
    figure.set_layout_engine("constrained", h_pad=0.1)
    # A narrow empty column keeps the two blocks apart.
    widths = [1, 1, 1] if side_by_side == 1 else [1, 1, 1, 0.12, 1, 1, 1]
    grid = figure.add_gridspec(rows, len(widths), width_ratios=widths)
    for place, index in enumerate(chosen):
        row, block = place // side_by_side, place % side_by_side
        for column in range(3):
            axis = figure.add_subplot(grid[row, 4 * block + column])
            show_pixels(axis, pictures[column][place])
            axis.set_xticks([])
            axis.set_yticks([])
            axis.grid(False)
            axis.spines[:].set_visible(False)
            if row == 0:
                axis.set_title(COLUMNS[column], loc="center")
            _write_predictions(axis, pairs, names, column, index)
    figure.suptitle(title if title is not None else "Phase of one image, amplitude of another")
    figure.supxlabel(_summary(given, len(chosen), disagreeing), fontsize=10, color="0.3")
    return figure


def _longest(pairs: Mapping[str, Any], names, chosen: np.ndarray) -> int:
    """Letters in the longest line under a picture."""
    return max(
        len(names(seen) if len(pairs) == 1 else f"{name}: {names(seen)}")
        for name, pair in pairs.items()
        for part in (pair.phase_predictions, pair.amplitude_predictions, pair.predictions)
        for seen in part[chosen]
    )


def _write_predictions(axis, pairs: Mapping[str, Any], names, column: int, index: int) -> None:
    """The label of the picture, then one line per model."""
    first = next(iter(pairs.values()))
    by_phase, by_amplitude = colors()[:2]
    label = (first.labels, first.donor_labels, None)[column]
    texts = [] if label is None else [(f"[{names(label[index])}]", "0.45", "normal")]
    for name, pair in pairs.items():
        phase, amplitude = pair.phase_predictions[index], pair.amplitude_predictions[index]
        seen = (phase, amplitude, pair.predictions[index])[column]
        color, weight = "0.15", "normal"
        if column == 2 and phase != amplitude and seen in (phase, amplitude):
            color, weight = (by_phase if seen == phase else by_amplitude), "bold"
        text = names(seen) if len(pairs) == 1 else f"{name}: {names(seen)}"
        texts.append((text, color, weight))
    for line, (text, color, weight) in enumerate(texts):
        axis.annotate(
            text,
            (0.5, 0),
            xytext=(0, -4 - 13 * line),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=9.5,
            color=color,
            fontweight=weight,
        )


def _summary(results: Mapping[str, Any], shown: int, disagreeing: int) -> str:
    lines = ["[label]; bold blue: follows the phase, bold orange: follows the amplitude"]
    for name, result in results.items():
        share = (
            f"phase {100 * result.follows_phase:.0f} %, amplitude {100 * result.follows_amplitude:.0f} %, "
            f"neither {100 * result.follows_neither:.0f} % of {result.n_differ} pairs"
            if result.n_differ
            else "no pair that it tells apart"
        )
        lines.append(f"{name}: follows {share}")
    if len(results) > 1:
        n = next(iter(results.values())).n
        lines.append(
            f"shown: {min(shown, disagreeing)} of the {disagreeing} pairs (of {n}) "
            "on which the models disagree"
            + (f", and {shown - disagreeing} others" if shown > disagreeing else "")
        )
    return "\n".join(lines)


def _choose(pairs: Sequence[Any], examples: int) -> tuple[np.ndarray, int]:
    """The examples to show, and on how many pairs the models disagree."""
    predictions = np.stack([pair.predictions for pair in pairs])
    disagree = (predictions != predictions[0]).any(axis=0)
    told_apart = np.all([pair.phase_predictions != pair.amplitude_predictions for pair in pairs], axis=0)
    order = np.lexsort((np.arange(len(disagree)), ~told_apart, ~disagree))
    return order[:examples], int(disagree.sum())


def _class_names(pairs: Mapping[str, Any], classes: Sequence[str] | None):
    def name(index: int) -> str:
        if index < 0:
            return "not finite"
        return str(index) if classes is None else str(classes[index])

    if classes is not None:
        for pair in pairs.values():
            parts = (pair.labels, pair.donor_labels, pair.predictions)
            top = max(int(np.max(part)) for part in parts if part is not None)
            if top >= len(classes):
                raise ValueError(
                    f"`classes` must name every class, here 0 to {top} at least. "
                    f"Received: {len(classes)} classes"
                )
    return name


def _check_pairs(results: Mapping[str, Any]) -> dict[str, Any]:
    if not 1 <= len(results) <= 4:
        raise ValueError(f"`results` must hold 1 to 4 results. Received: {len(results)}")
    pairs = {str(label): result.pairs for label, result in results.items()}
    for label, pair in pairs.items():
        if pair is None or pair.images is None:
            raise ValueError(
                "results must hold their images: evaluate.amplitude_swap(..., keep_images=True). "
                f"Received: no images for {show(label)}"
            )
    first = next(iter(pairs.values()))
    for label, pair in pairs.items():
        same = all(
            np.array_equal(getattr(pair, part), getattr(first, part))
            for part in ("phase_images", "amplitude_images")
        )
        if not same:
            raise ValueError(
                "results must be of the same pairs: the same data, donors, n and seed. "
                f"Received: other images for {show(label)} than for {next(iter(pairs))!r}"
            )
    return pairs
