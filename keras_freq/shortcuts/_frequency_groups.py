"""Which frequencies are removed together when their importance is measured."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_freq.spectral import fourier_basis, mirror_index, radial_distance
from keras_freq.spectral._grid import mirror, one_of_each_pair, own_mirror


@dataclass(frozen=True)
class FrequencyGroups:
    """Groups of conjugate pairs that are removed together, from DC outward; the first is DC alone.

    Attributes:
        size: Height and width of the spectrum.
        rows: Centered row of one of each pair, `(groups, pairs)`.
        columns: Centered column of it.
        weights: Share of the pair that is removed, in [0, 1]; 0 where a group has fewer pairs than others.
        of_bin: The group whose importance stands at each bin, `(height, width)`; -1 for none.
    """

    size: tuple[int, int]
    rows: np.ndarray
    columns: np.ndarray
    weights: np.ndarray
    of_bin: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def spread(self, values: np.ndarray, nothing: float | np.ndarray = np.nan) -> np.ndarray:
        """Values `(..., groups)` as maps `(..., height, width)`, `nothing` where there is no group."""
        maps = np.asarray(values)[..., np.maximum(self.of_bin, 0)]
        nothing = np.asarray(nothing, "float64")
        return np.where(self.of_bin < 0, nothing[..., None, None], maps)

    def gather(self, maps: np.ndarray) -> np.ndarray:
        """Sums `(..., groups)` of symmetric maps `(..., height, width)` over what each group removes."""
        twice = 2 - own_mirror(*self.size)[self.rows, self.columns]
        return (maps[..., self.rows, self.columns] * (self.weights * twice)).sum(-1)

    def make_waves(self, groups: Sequence[int | None]) -> np.ndarray:
        """Orthonormal cosines and sines of some groups, float32 `(groups, 2 * pairs, pixels)`.

        What an image holds of a group is its projection on them, since each is scaled by the root of its
        weight: `sum_k <x, e_k> e_k`. For `None`, no group, they are zeros.
        """
        pairs = self.rows.shape[1]
        waves = np.zeros((len(groups), 2, pairs, *self.size), "float32")
        places = [place for place, group in enumerate(groups) if group is not None]
        chosen = np.array([groups[place] for place in places], int)
        scale = np.sqrt(self.weights[chosen])
        sines = np.where(own_mirror(*self.size)[self.rows[chosen], self.columns[chosen]], 0, scale)
        for index, (phase, gain) in enumerate(((0.0, scale), (-np.pi / 2, sines))):
            for pair in range(pairs):
                wave = fourier_basis(*self.size, self.rows[chosen, pair], self.columns[chosen, pair], phase)
                waves[places, index, pair] = wave * gain[:, pair, None, None]
        return waves.reshape(len(groups), 2 * pairs, -1)


def group_frequencies(size: tuple[int, int], patch: int, mirror: str) -> FrequencyGroups:
    """The groups of `mirror="conjugate"` or `"reference"`."""
    return (group_conjugates if mirror == "conjugate" else group_published)(*size, patch)


@functools.lru_cache(maxsize=8)
def group_conjugates(height: int, width: int, patch: int) -> FrequencyGroups:
    """Every conjugate pair in one group, the pairs of a `patch` x `patch` block of the half plane together.

    Blocks are counted from DC; row and column 0, Nyquist frequencies and any size are covered.
    """
    i, j = np.indices((height, width))
    taken = one_of_each_pair(height, width)
    # The Nyquist column lies at the outer end of the half plane.
    u, v = (i - height // 2) // patch, np.abs(j - width // 2) // patch
    dc = (i == height // 2) & (j == width // 2)
    u, v = np.where(dc, -height, u), np.where(dc, -1, v)
    keys = np.where(taken, (u + height) * (width + 2) + v + 1, -1)
    keys = np.maximum(keys, mirror(keys))
    distance = radial_distance(height, width)
    unique, first, of_bin = np.unique(keys, return_index=True, return_inverse=True)
    nearest = np.full(len(unique), np.inf)
    np.minimum.at(nearest, of_bin.ravel(), distance.ravel())
    order = np.lexsort((first, nearest))
    place = np.empty(len(order), int)
    place[order] = np.arange(len(order))
    of_bin = place[of_bin.reshape(height, width)]
    pairs = np.argwhere(taken)
    group = of_bin[taken]
    order = np.argsort(group, kind="stable")
    return _pack_groups((height, width), np.split(pairs[order], np.cumsum(np.bincount(group))[:-1]), of_bin)


@functools.lru_cache(maxsize=8)
def group_published(height: int, width: int, patch: int) -> FrequencyGroups:
    """The blocks that the published code removes, and where it writes their loss.

    A block of the shifted spectrum starts at `(patch * r, patch * k)`, its mirror image at `(height - patch *
    r, width - patch * k)`, which for `patch > 1` is `patch - 1` bins off, and there is none for the first row
    and column. Of an asymmetric removal the real part is kept, so half of it stays.

    Raises:
        ValueError: If a side is odd or no multiple of `patch`.
    """
    if height % 2 or width % 2 or height % patch or width % patch:
        raise ValueError(
            "`mirror='reference'` needs even sides that are multiples of `patch`. "
            f"Received: images of {height}x{width} with patch={patch}"
        )
    own = own_mirror(height, width)
    of_bin = np.full((height, width), -1)
    center = np.array([[height // 2, width // 2]])
    members: list[np.ndarray] = [center]
    shares: list[np.ndarray] = [np.ones(1)]
    square = np.argwhere(np.ones((patch, patch)))
    for r in range(height // patch):
        for k in range(width // (2 * patch) + 1):
            block = [np.add(square, (patch * r, patch * k))]
            if r and k:
                block.append(np.add(square, (height - patch * r, width - patch * k)))
            removed = np.unique(np.concatenate(block), axis=0)
            of_bin[tuple(removed.T)] = len(members)
            # Of a bin whose partner stays, half is left in the real part.
            pairs, index = np.unique(_one_of_pair(removed, height, width), axis=0, return_inverse=True)
            share = np.where(own[tuple(removed.T)], 1.0, 0.5)
            members.append(pairs)
            shares.append(np.bincount(index.ravel(), weights=share))
    return _pack_groups((height, width), members, of_bin, shares)


def _one_of_pair(places: np.ndarray, height: int, width: int) -> np.ndarray:
    """Of each centered place `(n, 2)` and its partner the one that stands for the pair."""
    partners = np.stack([mirror_index(height)[places[:, 0]], mirror_index(width)[places[:, 1]]], axis=1)
    return np.where(one_of_each_pair(height, width)[tuple(places.T)][:, None], places, partners)


def _pack_groups(
    size: tuple[int, int],
    members: Sequence[np.ndarray],
    of_bin: np.ndarray,
    shares: Sequence[np.ndarray] | None = None,
) -> FrequencyGroups:
    pairs = max(map(len, members))
    rows, columns = (np.zeros((len(members), pairs), int) for _ in range(2))
    weights = np.zeros((len(members), pairs))
    for group, places in enumerate(members):
        rows[group, : len(places)], columns[group, : len(places)] = places.T
        weights[group, : len(places)] = 1 if shares is None else shares[group]
    return FrequencyGroups(size, rows, columns, weights, of_bin)
