"""The band-stop test: which classes survive when parts of the spectrum are removed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_freq._core.checks import check_flag, check_whole, show
from keras_freq._core.classifier import Classifier
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.result import Result, versions
from keras_freq.shortcuts._masked_images import IMAGES_PER_STEP, count_confusions
from keras_freq.spectral import radial_distance


@dataclass(frozen=True, kw_only=True)
class BandStopResult(Result):
    """Confusions with some bands of the spectrum removed, counts with rows the true classes.

    Attributes:
        edges: Where the bands begin, index units; the last one reaches to the corner.
        stopped: The bands removed together, numbered from 1, one tuple per matrix.
        confusion: `(matrices, classes, classes)`.
        clean_confusion: With nothing removed, `(classes, classes)`.
        count_per_class: Images of each class.
        undefined: Undefined outputs, of images whole and without bands; they are of no class.
        ties: Outputs of which two classes or more share the largest; they are of no class.

    Example:
        >>> result = kf.shortcuts.band_stop(model, data, [(1, 2), (3, 4)])
        >>> result.stopped, result.tpr.shape
        (((1, 2), (3, 4)), (2, 4))
    """

    edges: tuple[float, ...]
    stopped: tuple[tuple[int, ...], ...]
    confusion: tuple[tuple[tuple[int, ...], ...], ...]
    clean_confusion: tuple[tuple[int, ...], ...]
    count_per_class: tuple[int, ...]
    undefined: int = 0
    ties: int = 0

    @property
    def change(self) -> np.ndarray:
        """`(stopped - clean) / images of the class * 100`, `(matrices, classes, classes)`, in percent.

        NaN in the row of a class without an image.
        """
        counts = np.array(self.count_per_class, "float64")[:, None]
        counts[counts == 0] = np.nan
        return 100 * (np.array(self.confusion) - np.array(self.clean_confusion)) / counts

    @property
    def tpr(self) -> np.ndarray:
        """Share of each class that is still recognized, `(matrices, classes)`."""
        counts = np.array(self.count_per_class, "float64")
        counts[counts == 0] = np.nan
        return np.diagonal(np.array(self.confusion), axis1=1, axis2=2) / counts

    def rows(self) -> list[dict[str, Any]]:
        """One row per matrix, true class and prediction."""
        change = self.change
        return [
            {
                "stopped": "+".join(map(str, bands)),
                "class": true,
                "predicted": predicted,
                "count": self.confusion[index][true][predicted],
                "clean": self.clean_confusion[true][predicted],
                "change": float(change[index, true, predicted]),
                "n": self.n,
            }
            for index, bands in enumerate(self.stopped)
            for true in range(len(self.count_per_class))
            for predicted in range(len(self.count_per_class))
        ]

    def _headline(self) -> dict[str, Any]:
        names = ["+".join(map(str, bands)) for bands in self.stopped]
        means = [float(np.nanmean(shares)) for shares in self.tpr]
        return {"edges": self.edges, "mean TPR without the bands": dict(zip(names, means, strict=True))}


def band_stop(
    model: keras.Model | Classifier,
    data: Any,
    stopped: Sequence[Sequence[int]] | None = None,
    *,
    edges: Sequence[float] | None = None,
    keep_dc: bool = True,
    per_step: int | None = None,
    batch_size: int | None = None,
    mean: float | Sequence[float] | None = None,
    data_format: str | None = None,
) -> BandStopResult:
    """Confusion of a model on images without some bands of frequencies, relative to the whole images.

    `Delta[i, j] = (P_stopped[i, j] - P[i, j]) / N_i * 100`, where `P[i, j]` counts images of class `i` that
    are taken for `j`. Band `b` holds the distances `edges[b - 1] <= d < edges[b]` from DC, the last one all
    beyond.

    Args:
        model: Keras classifier, logits or probabilities. It runs in inference mode.
        data: Arrays `(images, labels)`, a `tf.data.Dataset`, a `keras.utils.PyDataset` or an iterable of
            batches; read once.
        stopped: Bands to remove together, numbered from 1, one tuple per matrix; default every pair.
        edges: Where the bands begin, ascending from 0 (index units). Default four of equal width: 0 and the
            quarters of half the shorter side.
        keep_dc: Whether the mean of an image stays when the first band goes. Without it the pixels lie about
            `mean`.
        per_step: Images times matrices in one forward pass, default 128: the bound of the memory.
        batch_size: Images per batch where `data` are arrays, default 128 or `per_step`.
        mean: What a removed DC leaves behind, on [0, 1], one number or one for each channel: it is
            subtracted before every mask and added after it. `None`: the mean of the model's first
            `Normalization`, else 0, as when normalized images are filtered. 0 filters pixels: images without
            DC are black.
        data_format: `"channels_last"` or `"channels_first"`; default that of the model.

    Returns:
        A `BandStopResult`: `.change` in percent, `.tpr`, and the counts.

    Raises:
        ValueError: If `stopped` holds no numbers of bands, edges do not ascend from 0, the data are empty or
            not finite, or labels are not among the model's outputs.
        TypeError: If `model` is not a Keras model.

    Source: Wang, Veldhuis, Brune, Strisciuglio, ICCV 2023, the band-stop test on synthetic sets. Whether
        their first band holds DC is not stated.

    Example:
        >>> result = kf.shortcuts.band_stop(model, data, [(1, 2), (3, 4)])
        >>> result.change.shape
        (2, 4, 4)
    """
    keep_dc = check_flag(keep_dc, "keep_dc")
    per_step = IMAGES_PER_STEP if per_step is None else check_whole(per_step, "per_step")
    edges = None if edges is None else _check_edges(edges)
    feed = ModelFeed(model, data, batch_size=batch_size or min(128, per_step), data_format=data_format)
    edges = edges or tuple(min(feed.size) / 8 * band for band in range(4))
    stopped = _check_stopped(stopped, len(edges))
    masks = _make_masks(feed.size, edges, stopped, keep_dc)
    fill = feed.model.fill_of_dc(mean, feed.channels)
    counts = count_confusions(feed, masks, per_step=per_step, mean=fill)
    clean, *confusion = counts[:, :, :-2].tolist()
    return BandStopResult(
        model=feed.model.name,
        n=feed.n,
        settings={"keep_dc": keep_dc, "mean": tuple(fill.tolist()), **feed.settings},
        versions=versions(),
        edges=edges,
        stopped=stopped,
        confusion=tuple(tuple(map(tuple, part)) for part in confusion),
        clean_confusion=tuple(map(tuple, clean)),
        count_per_class=tuple(feed.count_per_class.tolist()),
        undefined=int(counts[:, :, -2].sum()),
        ties=int(counts[:, :, -1].sum()),
    )


def _make_masks(size: tuple[int, int], edges: tuple[float, ...], stopped: tuple, keep_dc: bool) -> np.ndarray:
    distance = radial_distance(*size)
    band = np.searchsorted(edges, distance, side="right")
    kept = keep_dc & (distance == 0)
    return np.stack([~np.isin(band, bands) | kept for bands in stopped]).astype("float32")


def _check_edges(edges: Any) -> tuple[float, ...]:
    try:
        values = np.asarray(edges, "float64")
    except (TypeError, ValueError, OverflowError):
        values = np.empty(0)
    if values.ndim != 1 or not values.size or values[0] != 0 or not (np.diff(values) > 0).all():
        raise ValueError(f"`edges` must ascend from 0 (index units). Received: edges={show(edges)}")
    return tuple(values.tolist())


def _check_stopped(stopped: Any, bands: int) -> tuple[tuple[int, ...], ...]:
    if stopped is None:
        return tuple(itertools.combinations(range(1, bands + 1), min(2, bands)))
    parts = stopped if hasattr(stopped, "__len__") else ()
    if not len(parts) or any(isinstance(part, str) or not hasattr(part, "__len__") for part in parts):
        raise ValueError(
            f"`stopped` must hold at least one tuple of bands from 1 to {bands}. Received: {show(stopped)}"
        )
    checked = tuple(tuple(part) for part in parts)
    for part in checked:
        whole = all(isinstance(b, (int, np.integer)) and not isinstance(b, bool) for b in part)
        if not part or not whole or len(set(part)) < len(part) or not set(part) <= set(range(1, bands + 1)):
            raise ValueError(
                f"`stopped` must hold tuples of bands from 1 to {bands}, each once. Received: {show(part)}"
            )
    return tuple(tuple(map(int, part)) for part in checked)
