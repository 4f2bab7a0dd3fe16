"""Amplitude spectra as maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from keras_freq.plots._pixels import amplitudes, check_images, decades, extent
from keras_freq.plots._style import styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@styled
def spectrum(
    images: ArrayLike | Mapping[str, ArrayLike], *, radii: Sequence[float] = (), title: str | None = None
) -> Figure:
    """Amplitude spectra, DC in the middle, on a logarithmic color scale.

    Shows `log10(mean |F[u, v]|)` with `F[u, v] = sum_{h,w} x[h, w] exp(-2 pi i (u h / H + v w / W))`; the
    mean is over images and channels.

    Args:
        images: Images of shape `(batch, height, width, channels)`, or an amplitude map of shape `(height,
            width)` with DC at `(height // 2, width // 2)`; or a mapping from panel title to either. Panels
            share one color scale.
        radii: Radii (index units) drawn as circles.
        title: Title of the figure. By default it says what is shown and of how many images.

    Returns:
        The figure, one panel per spectrum.

    Raises:
        ValueError: If the images or maps have another shape, or values that are not finite or are negative.

    Example:
        >>> figure = keras_freq.plots.spectrum(images, radii=(4, 8))
        >>> figure.savefig("spectrum.png")
    """
    from keras_freq.plots._figure import Figure

    panels = dict(images) if isinstance(images, Mapping) else {"": images}
    if not panels:
        raise ValueError("`images` must hold at least one panel. Received: an empty mapping")
    maps, counts = {}, {}
    for label, value in panels.items():
        maps[label], counts[label] = _amplitude_map(value)
    shown = {label: decades(map_) for label, map_ in maps.items()}
    low = min(float(map_.min()) for map_ in shown.values())
    high = max(float(map_.max()) for map_ in shown.values())
    figure = Figure(figsize=(1.2 + 3.9 * len(shown), 4.4))
    axes = figure.subplots(1, len(shown), squeeze=False)[0]
    for axis, (label, map_) in zip(axes, shown.items(), strict=True):
        image = axis.imshow(map_, extent=extent(*map_.shape), vmin=low, vmax=high)
        draw_circles(axis, radii)
        axis.set_xlabel("horizontal frequency (index units)")
        several = len(set(counts.values())) > 1 and counts[label]
        axis.set_title(f"{label} (n = {counts[label]})" if several else label)
        axis.grid(False)
    axes[0].set_ylabel("vertical frequency (index units)")
    figure.colorbar(image, ax=list(axes), label=r"$\log_{10}$ amplitude $|F|$", shrink=0.9)
    count = next(iter(counts.values()))
    number = f", mean of {count} images" if count and len(set(counts.values())) == 1 else ""
    figure.suptitle(title if title is not None else f"Amplitude spectrum{number}")
    return figure


def draw_circles(axis: Axes, radii: Sequence[float]) -> None:
    """Draws circles about DC, each with its radius."""
    from matplotlib.patches import Circle

    for radius in radii:
        if not np.isfinite(radius) or radius < 0:
            raise ValueError(
                f"`radii` must be numbers of at least 0 (index units). Received: radii={tuple(radii)}"
            )
        axis.add_patch(Circle((0, 0), radius, fill=False, edgecolor="white", linewidth=1.4, linestyle="--"))
        # On the diagonal: the axes are where spectra are brightest, and where large circles leave the map.
        place = radius / 2**0.5
        axis.annotate(
            f"r = {radius:g}",
            (place, -place),
            (2, 2),
            textcoords="offset points",
            color="white",
            fontsize=9,
            annotation_clip=True,
        )


def _amplitude_map(value: ArrayLike) -> tuple[np.ndarray, int]:
    array = np.asarray(value)
    if array.ndim != 2:
        images = check_images(array)
        return amplitudes(images).mean(axis=0), len(images)
    if not array.size or array.dtype.kind not in "fiu" or not np.isfinite(array).all() or array.min() < 0:
        raise ValueError(
            "an amplitude map must be finite, real and at least 0, of shape (height, width). "
            f"Received: shape {array.shape}, dtype {array.dtype}"
        )
    return array.astype("float64"), 0
