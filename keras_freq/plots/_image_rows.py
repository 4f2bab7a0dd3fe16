"""Rows of images, one row per way to make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from keras_freq._core.checks import show
from keras_freq.plots._filtered_examples import label_row, show_pixels
from keras_freq.plots._pixels import check_images
from keras_freq.plots._style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def image_rows(
    rows: Mapping[str, ArrayLike],
    *,
    captions: Mapping[str, Sequence[str]] | None = None,
    title: str | None = None,
) -> Figure:
    """The same images in several forms: one column per image, one row per form.

    Args:
        rows: Mapping from the name of a row, at most 8 of them, to images in [0, 1] (or uint8), shape
            `(batch, height, width, channels)` with 1 or 3 channels, at most 12 of them and as many in every
            row. What lies outside [0, 1] is clipped.
        captions: Mapping from the name of a row to one text per image, which stands above it. Rows without an
            entry have none.
        title: Title of the figure.

    Returns:
        The figure.

    Raises:
        ValueError: If rows differ in length, there are too many, or captions do not fit the rows.

    Example:
        >>> hars = keras_freq.cdes.make_hars(images, labels)
        >>> rows = {"image": images[:6], "donor": images[hars.donors[:6]], "HARS": hars.images[:6]}
        >>> figure = keras_freq.plots.image_rows(rows)
        >>> figure.savefig("hars.png")
    """
    from keras_freq.plots._figure import Figure

    pictures = {str(name): check_images(images, str(name)) for name, images in rows.items()}
    if not 1 <= len(pictures) <= 8:
        raise ValueError(f"`rows` must hold 1 to 8 rows. Received: {len(pictures)}")
    counts = {name: len(images) for name, images in pictures.items()}
    count = next(iter(counts.values()))
    if len(set(counts.values())) > 1 or count > 12:
        raise ValueError(f"`rows` must hold 1 to 12 images each, as many in every row. Received: {counts}")
    captions = _check_captions(captions or {}, pictures, count)
    width = max(len(line) for name in pictures for line in name.split("\n"))
    height = 0.7 + sum(1.42 + 0.22 * (name in captions) for name in pictures)
    figure = Figure(figsize=(0.5 + 0.1 * width + 1.4 * count, height))
    axes = figure.subplots(len(pictures), count, squeeze=False)
    for axis_row, (name, images) in zip(axes, pictures.items(), strict=True):
        for axis, image in zip(axis_row, images, strict=True):
            show_pixels(axis, image)
        label_row(axis_row[0], name)
        for axis, text in zip(axis_row, captions.get(name, ()), strict=False):
            axis.set_title(text, loc="center", fontsize=10)
    if title is not None:
        figure.suptitle(title)
    return figure


def _check_captions(
    captions: Mapping[str, Sequence[str]], rows: Mapping[str, np.ndarray], count: int
) -> dict[str, list[str]]:
    unknown = [name for name in captions if name not in rows]
    if unknown:
        raise ValueError(f"`captions` must name rows, of {', '.join(rows)}. Received: {unknown[0]!r}")
    for name, texts in captions.items():
        if isinstance(texts, str) or len(texts) != count:
            raise ValueError(
                f"`captions` must hold one text per image ({count}). Received: {name}={show(texts)}"
            )
    return {name: [str(text) for text in texts] for name, texts in captions.items()}
