"""Which frequencies are removed together when their importance is measured."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from keras_freq.spectral import fourier_basis, mirror_index, radial_distance


@dataclass(frozen=True)
class FrequencyGroups:
    """Groups of conjugate pairs that are removed together, from DC outward; the first is DC alone.

    Attributes:
        size: Height and width of the spectrum.
        rows: Centred row of one of each pair, `(groups, pairs)`.
        columns: Centred column of it.
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

    def gathered(self, maps: np.ndarray) -> np.ndarray:
        """Sums `(..., groups)` of symmetric maps `(..., height, width)` over what each group removes."""
        twice = 2 - _own_mirror(*self.size)[self.rows, self.columns]
        return (maps[..., self.rows, self.columns] * (self.weights * twice)).sum(-1)

    def waves(self, groups: np.ndarray, count: int) -> np.ndarray:
        """Orthonormal cosines and sines of the groups, `(count, 2 * pairs, pixels)`, zeros beyond them.

        What an image holds of a group is its projection on them, since each is scaled by the root of its
        weight: `sum_k <x, e_k> e_k`.
        """
        pairs = self.rows.shape[1]
        waves = np.zeros((count, 2, pairs, *self.size), "float32")
        scale = np.sqrt(self.weights[groups])
        sines = np.where(_own_mirror(*self.size)[self.rows[groups], self.columns[groups]], 0, scale)
        for index, (phase, gain) in enumerate(((0.0, scale), (-np.pi / 2, sines))):
            for pair in range(pairs):
                wave = fourier_basis(*self.size, self.rows[groups, pair], self.columns[groups, pair], phase)
                waves[: len(groups), index, pair] = wave * gain[:, pair, None, None]
        return waves.reshape(count, 2 * pairs, -1)


@functools.lru_cache(maxsize=8)
def conjugate_groups(height: int, width: int, patch: int) -> FrequencyGroups:
    """Every conjugate pair in one group, the pairs of a `patch` x `patch` block of the half plane together.

    Blocks are counted from DC; row and column 0, Nyquist frequencies and any size are covered.
    """
    i, j = np.indices((height, width))
    mirror_i, mirror_j = mirror_index(height)[i], mirror_index(width)[j]
    taken = (j > mirror_j) | ((j == mirror_j) & (i >= mirror_i))
    # The Nyquist column lies at the outer end of the half plane.
    u, v = (i - height // 2) // patch, np.abs(j - width // 2) // patch
    dc = (i == height // 2) & (j == width // 2)
    u, v = np.where(dc, -height, u), np.where(dc, -1, v)
    keys = np.where(taken, (u + height) * (width + 2) + v + 1, -1)
    keys = np.maximum(keys, keys[mirror_i, mirror_j])
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
    return _groups((height, width), np.split(pairs[order], np.cumsum(np.bincount(group))[:-1]), of_bin)


@functools.lru_cache(maxsize=8)
def reference_groups(height: int, width: int, patch: int) -> FrequencyGroups:
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
    own = _own_mirror(height, width)
    of_bin = np.full((height, width), -1)
    centre = np.array([[height // 2, width // 2]])
    members, shares = [centre], [np.ones(1)]
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
    return _groups((height, width), members, of_bin, shares)


def _one_of_pair(places: np.ndarray, height: int, width: int) -> np.ndarray:
    """Of each centred place `(n, 2)` and its partner the one in the right half of the plane."""
    partners = np.stack([mirror_index(height)[places[:, 0]], mirror_index(width)[places[:, 1]]], axis=1)
    (i, j), (mirror_i, mirror_j) = places.T, partners.T
    taken = (j > mirror_j) | ((j == mirror_j) & (i >= mirror_i))
    return np.where(taken[:, None], places, partners)


def _groups(size, members, of_bin, shares=None) -> FrequencyGroups:
    pairs = max(map(len, members))
    rows, columns = (np.zeros((len(members), pairs), int) for _ in range(2))
    weights = np.zeros((len(members), pairs))
    for group, places in enumerate(members):
        rows[group, : len(places)], columns[group, : len(places)] = places.T
        weights[group, : len(places)] = 1 if shares is None else shares[group]
    return FrequencyGroups(size, rows, columns, weights, of_bin)


def _own_mirror(height: int, width: int) -> np.ndarray:
    rows, columns = (mirror_index(side) == np.arange(side) for side in (height, width))
    return np.outer(rows, columns)
