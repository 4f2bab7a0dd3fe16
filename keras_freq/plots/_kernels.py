"""Convolution kernels as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import keras
import numpy as np
from numpy.typing import ArrayLike

from keras_freq._core.checks import check_whole
from keras_freq.plots._style import styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 64  # filters of a block
GAP = 0.12  # between tiles, in tile widths


@styled
def kernels(
    kernels: ArrayLike | Mapping[str, ArrayLike], *, columns: int = 8, title: str | None = None
) -> Figure:
    """The filters of a convolution as tiles, one block per model.

    A tile shows `0.5 + 0.5 w / m`: 0 is mid-gray, and `m`, the largest magnitude over all filters of the
    model, is black or white (for pictures in color: in its channel). All tiles of a block can so be compared
    with each other; `m` stands below the block.

    Args:
        kernels: Weights of shape `(height, width, channels, filters)`, as Keras keeps them, or a mapping from
            the title of a block to such weights. Three channels are shown as red, green and blue; of any
            other number the mean over channels is shown in gray, and `m` is the largest of the means. At
            most the first 64 filters of a block are shown; its title then says so.
        columns: Tiles in a row of a block.
        title: Title of the figure.

    Returns:
        The figure, one panel per block.

    Raises:
        ValueError: If there are no weights, or they have another shape or values that are not finite.

    Source:
        Wang et al., "High-Frequency Component Helps Explain the Generalization of Convolutional Neural
        Networks", CVPR 2020 (the pictures of natural and adversarially trained kernels).

    Example:
        >>> first = next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
        >>> figure = keras_freq.plots.kernels({"natural": first.kernel}, columns=4)
        >>> figure.savefig("kernels.png")
    """
    from keras_freq.plots._figure import Figure

    check_whole(columns, "columns")
    blocks = dict(kernels) if isinstance(kernels, Mapping) else {"": kernels}
    if not blocks:
        raise ValueError("`kernels` must hold at least one block. Received: an empty mapping")
    weights = {label: _check_values(label, value) for label, value in blocks.items()}

    sizes = [_block_size(value, columns) for value in weights.values()]
    width, height = max(size[0] for size in sizes), max(size[1] for size in sizes)
    across = _blocks_across(len(weights), width, height)
    down = -(-len(weights) // across)
    inches = max(0.3, min(0.62, 13.0 / (across * width)))  # a tile
    figure = Figure(
        figsize=(max(6.4, (across * width + 0.3) * inches + 0.3), 0.8 + down * (height * inches + 0.65))
    )
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for axis, (label, value) in zip(axes, weights.items(), strict=False):
        _draw_block(axis, str(label), value, columns, (width, height))
    for axis in axes[len(weights) :]:
        axis.remove()
    figure.supxlabel(
        "mid-gray is 0, black $-m$, white $+m$; $m$: largest magnitude of the model", fontsize=11, color="0.3"
    )
    shapes = {f", {value.shape[0]}×{value.shape[1]}" for value in weights.values()}
    default = f"Convolution kernels{shapes.pop() if len(shapes) == 1 else ''}"
    figure.suptitle(title if title is not None else default)
    return figure


def _draw_block(axis: Axes, label: str, weights: np.ndarray, columns: int, size: tuple[float, float]) -> None:
    high, wide, channels, filters = weights.shape
    values = weights if channels == 3 else weights.mean(axis=2, keepdims=True)
    largest = float(np.abs(values).max())
    # Rounding must not leave [0, 1], which color pictures are clipped to.
    tiles = np.clip(0.5 + 0.5 * values / (largest or 1.0), 0, 1)
    for number in range(min(filters, MOST)):
        left = (number % columns) * (1 + GAP)
        top = (number // columns) * (high / wide + GAP)
        tile = tiles[..., number] if channels == 3 else tiles[..., 0, number]
        axis.imshow(tile, extent=(left, left + 1, top + high / wide, top), cmap="gray", vmin=0, vmax=1)
    axis.set_xlim(0, size[0])
    axis.set_ylim(size[1], 0)
    axis.set_anchor("NW")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(False)
    axis.spines[:].set_visible(False)
    cut = f"first {MOST} of {filters}" if filters > MOST else ""
    axis.set_title(", ".join(text for text in (label, cut) if text))
    what = "" if channels in (1, 3) else f"mean of {channels} channels, "
    axis.set_xlabel(f"{what}$m$ = {largest:.3g}", loc="left", fontsize=11, color="0.3")


def _block_size(weights: np.ndarray, columns: int) -> tuple[float, float]:
    """Width and height of a block in tile widths."""
    high, wide, _, filters = weights.shape
    shown = min(filters, MOST)
    across = min(columns, shown)
    return across * (1 + GAP), -(-shown // columns) * (high / wide + GAP)


def _blocks_across(count: int, width: float, height: float) -> int:
    """The number of blocks side by side that brings the figure closest to the shape of a slide."""
    shapes = {across: across * width / (-(-count // across) * (height + 1)) for across in range(1, count + 1)}
    best = min(shapes, key=lambda across: abs(np.log(shapes[across] / 1.7)))
    return -(-count // -(-count // best))  # as many rows, with fewer places left empty


def _check_values(label: str, value: ArrayLike) -> np.ndarray:
    # A trained variable of PyTorch gives its numbers to Keras alone.
    array = keras.ops.convert_to_numpy(value) if isinstance(value, keras.Variable) else np.asarray(value)
    name = f" for {label!r}" if label else ""
    if array.ndim != 4 or not array.size:
        raise ValueError(
            "`kernels` must have shape (height, width, channels, filters), at least one of each. "
            f"Received: shape {array.shape}{name}"
        )
    if array.dtype.kind not in "fiu":
        raise ValueError(f"`kernels` must be real numbers. Received: dtype {array.dtype}{name}")
    array = array.astype("float64")
    if not np.isfinite(array).all():
        count = (~np.isfinite(array)).sum()
        raise ValueError(f"`kernels` must be finite. Received: {count} NaN or infinite{name}")
    return array
