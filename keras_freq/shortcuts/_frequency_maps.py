"""Dominant frequency maps: the frequencies that a class needs most."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from keras_freq._core.batches import Batch
from keras_freq._core.checks import check_choice, check_number
from keras_freq._core.result import Record
from keras_freq.spectral import radial_distance, symmetrize
from keras_freq.spectral._grid import mirror, one_of_each_pair, own_mirror

if TYPE_CHECKING:
    from keras_freq.shortcuts._frequency_importance import FrequencyImportance


@dataclass(frozen=True)
class FrequencyMaps(Record):
    """A mask of frequencies for each class. `np.asarray(maps)` gives the masks.

    Attributes:
        masks: float32 `(classes, height, width)`, 1 where a frequency is kept; DC at `(height // 2, width //
            2)`. Hermitian.
        method: How they were found.
        found_on: Digests of the images that they were found on, where that is known.
    """

    masks: np.ndarray
    method: str = "given"
    found_on: frozenset[bytes] = field(default=frozenset(), repr=False, metadata={"export": False})

    @property
    def share(self) -> np.ndarray:
        """Share of the bins that each mask keeps, `(classes,)`."""
        return self.masks.mean(axis=(1, 2), dtype="float64")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        # NumPy 1 has no argument for it here, and a copy is always allowed.
        return np.array(self.masks, dtype=dtype)

    def __len__(self) -> int:
        return len(self.masks)

    def rows(self) -> list[dict[str, Any]]:
        """One row per class."""
        return [
            {"class": label, "share": share, "method": self.method}
            for label, share in enumerate(self.share.tolist())
        ]


def digest_images(batches: Iterable[Batch]) -> frozenset[bytes]:
    """A short digest of each image, which tells test images from those that maps were found on."""
    return frozenset(
        hashlib.sha1(np.ascontiguousarray(image).data).digest()[:8]
        for images, _, valid in batches
        for image in images[:valid]
    )


def dominant_frequency_map(
    importance: FrequencyImportance | np.ndarray,
    fraction: float = 0.05,
    *,
    ties: Literal["include", "exact"] = "include",
    dc: Literal["rank", "keep", "drop"] = "rank",
) -> FrequencyMaps:
    """The most important share of the frequencies of each class.

    `DFM_c(u, v) = 1 where I_c(u, v) >= t_c`, with `t_c` the `int(fraction * height * width)`-th largest value
    of the importance `I_c`.

    Args:
        importance: A `FrequencyImportance`, or maps `(classes, height, width)`; larger is more important.
        fraction: Share of the bins that is kept, in (0, 1]. Published: 0.01 to 0.2, figures with 0.05.
        ties: `"include"` keeps all bins with the value of the threshold, as published, so that a map can hold
            more than its share: pairs, and blocks of `patch > 1`. `"exact"` keeps whole pairs as long as they
            fit, of equals those nearest to DC.
        dc: `"rank"` ranks DC like any other frequency, as published; `"keep"` keeps it in every map, `"drop"`
            in none.

    Returns:
        `FrequencyMaps` of float32 masks `(classes, height, width)`. The mask of a class without images is 0
        everywhere. Values of one half stand where only one of a pair is kept, which happens with
        `mirror="reference"`: the real part of the published filtered image is that of such a mask.

    Raises:
        ValueError: If `fraction` lies outside (0, 1], an option is unknown, or the maps are not of rank 3.

    Source: Wang, Veldhuis, Brune, Strisciuglio, ICCV 2023, section 3.

    Example:

    >>> importance = keras_freq.shortcuts.frequency_importance(model, x, y)
    >>> keras_freq.shortcuts.dominant_frequency_map(importance, 0.05).masks.shape
    (10, 32, 32)
    """
    check_choice(ties, "ties", ("include", "exact"))
    check_choice(dc, "dc", ("rank", "keep", "drop"))
    check_number(fraction, "fraction", above=0, most=1)
    maps = np.array(getattr(importance, "maps", importance), "float64")
    if maps.ndim != 3 or 0 in maps.shape:
        raise ValueError(
            "`importance` must be a FrequencyImportance or maps of shape (classes, height, width). "
            f"Received: shape {maps.shape}"
        )
    height, width = maps.shape[1:]
    center = height // 2, width // 2
    keep = max(1, int(fraction * height * width))
    masks = np.zeros(maps.shape, "float32")
    for mask, values in zip(masks, maps, strict=True):
        if np.isnan(values).all():
            continue
        values = np.nan_to_num(values, nan=-np.inf, posinf=np.inf, neginf=-np.inf)
        if dc != "rank":
            values[center] = np.inf if dc == "keep" else -np.inf
        mask[:] = _largest(values, keep) if ties == "include" else _largest_pairs(values, keep)
        if dc == "drop":
            mask[center] = 0
        mask[:] = symmetrize(mask)
    return FrequencyMaps(
        masks, getattr(importance, "method", "given"), getattr(importance, "found_on", frozenset())
    )


def _largest(values: np.ndarray, keep: int) -> np.ndarray:
    return values >= np.partition(values.ravel(), -keep)[-keep]


def _largest_pairs(values: np.ndarray, keep: int) -> np.ndarray:
    """Whole pairs by falling value, of equals the nearest to DC first, until the next would not fit."""
    first = one_of_each_pair(*values.shape, "upper")
    pairs = np.maximum(values, mirror(values))[first]
    order = np.lexsort((radial_distance(*values.shape)[first], -pairs))
    fits = np.cumsum(np.where(own_mirror(*values.shape), 1, 2)[first][order]) <= keep
    mask = np.zeros(values.shape, bool)
    mask[tuple(np.argwhere(first)[order][fits].T)] = True
    return mask | mirror(mask)
