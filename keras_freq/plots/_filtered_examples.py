"""Images beside their low part, their high part and their amplitude spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from keras_freq._core.checks import check_number
from keras_freq.plots._pixels import amplitudes, check_images, decades, extent
from keras_freq.plots._spectrum import draw_circles
from keras_freq.plots._style import styled
from keras_freq.spectral import split_bands

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@styled
def filtered_examples(
    images: ArrayLike, *, radius: float = 8, titles: Sequence[str] | None = None, title: str | None = None
) -> Figure:
    """Images split at one radius: original, low part, high part and amplitude spectrum, one column per image.

    `low` keeps the bins with distance `d < radius` from DC (ideal filter, each channel by itself), `high =
    image - low`. The high part is magnified about gray, all images by the same factor, which the figure
    states.

    Args:
        images: Images in [0, 1] (or uint8), shape `(batch, height, width, channels)`, at most 12 of them.
        radius: Radius of the split in index units.
        titles: One title per image, such as its class.
        title: Title of the figure.

    Returns:
        The figure, four rows.

    Raises:
        ValueError: If the images have another shape, are more than 12, the radius is negative, or titles are
            missing.

    Example:
        >>> figure = keras_freq.plots.filtered_examples(images[:6], radius=8)
        >>> figure.savefig("parts.png")
    """
    from keras_freq.plots._figure import Figure

    pixels = check_images(images)
    if len(pixels) > 12:
        raise ValueError(f"at most 12 images fit side by side. Received: {len(pixels)}")
    check_number(radius, "radius", least=0)
    if titles is not None and len(titles) != len(pixels):
        raise ValueError(f"`titles` must hold one title per image ({len(pixels)}). Received: {len(titles)}")
    low, high = split_bands(pixels, radius)
    gain = magnification(high)
    maps = decades(amplitudes(pixels), span=5)
    rows = (
        ("original", pixels),
        (f"low part\n$d < {radius:g}$", low),
        (f"high part\n$d \\geq {radius:g}$, ×{gain:g}", 0.5 + gain * high),
    )
    figure = Figure(figsize=(2.3 + 1.5 * len(pixels), 7.1))
    axes = figure.subplots(4, len(pixels), squeeze=False)
    for axis_row, (name, values) in zip(axes, rows, strict=False):
        for axis, value in zip(axis_row, values, strict=True):
            show_pixels(axis, value)
        label_row(axis_row[0], name)
    for axis, map_ in zip(axes[3], maps, strict=True):
        drawn = axis.imshow(map_, extent=extent(*map_.shape), vmin=maps.min(), vmax=maps.max())
        draw_circles_plain(axis, radius, map_.shape)
    label_row(axes[3, 0], "amplitude\nspectrum")
    figure.colorbar(drawn, ax=list(axes[3]), label=r"$\log_{10} |F|$", aspect=10, pad=0.01)
    for axis, text in zip(axes[0], titles or (), strict=False):
        axis.set_title(text, loc="center")
    figure.suptitle(title if title is not None else f"Images split at radius {radius:g} (index units)")
    return figure


def show_pixels(axis: Axes, image: np.ndarray) -> None:
    """Draws one image of 1 or 3 channels, clipped to [0, 1]."""
    clipped = np.clip(image, 0, 1)
    axis.imshow(clipped[..., 0] if clipped.shape[-1] == 1 else clipped, cmap="gray", vmin=0, vmax=1)


def label_row(axis: Axes, text: str) -> None:
    """Names a row of images at its left end and takes the ticks off the whole row."""
    for other in axis.figure.axes:
        if _row(other) == _row(axis):
            other.set_xticks([])
            other.set_yticks([])
            other.grid(False)
            other.spines[:].set_visible(False)
    axis.set_ylabel(text, rotation=0, ha="right", va="center", labelpad=10)


def _row(axis: Axes) -> range | None:
    place = axis.get_subplotspec()
    return None if place is None else place.rowspan


def draw_circles_plain(axis: Axes, radius: float, shape: tuple[int, int]) -> None:
    """Draws the circle of the split where it lies inside the map."""
    if 0 < radius <= max(shape) / 2:
        draw_circles(axis, (radius,))
        for text in axis.texts:
            text.remove()


def magnification(high: np.ndarray) -> float:
    """The largest of 1, 2, 4, ... 32 that keeps 99 % of the values between black and white."""
    reach = float(np.quantile(np.abs(high), 0.99))
    gain = 1.0
    while gain < 32 and 2 * gain * reach <= 0.5:
        gain *= 2
    return gain
