"""Random masks of square patches of frequencies, each told by its seed, so that none need be kept."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from keras_freq.spectral import mirror_index
from keras_freq.spectral._grid import mirror as mirror_map

GRIDS = ("all", "aligned", "shifted", "union")
ROUNDINGS = ("nearest", "down")
MIRRORS = ("conjugate", "n-1-i")
_IN_TURN = ("aligned", "shifted", "union")


def choose_patches(height: int, width: int, stages: int) -> tuple[int, ...]:
    """Sides of the patches of each stage: a quarter of the image, then halves made even, down to 1.

    8, 4, 2, 1 for 32 pixels and 56, 28, 14, 8, 4, 2 for 224, as published.
    """
    sides = [max(1, min(height, width) // 4)]
    while len(sides) < stages:
        half = -(-sides[-1] // 2)
        sides.append(half + half % 2 if half > 1 else 1)
    return tuple(sides[:stages])


@functools.lru_cache(maxsize=64)
def number_patches(height: int, width: int, patch: int, shifted: bool, mirror: str) -> np.ndarray:
    """Which patch decides each bin of a centered spectrum: numbers from 0, `(height, width)`, read-only.

    Patches tile the upper half; the lower half is its mirror image, so that a bin and its mirror have one
    number. The row of DC is its own mirror image: its left half goes with the patches above it, DC with the
    one above and left of it, which decides DC in the published masks too. Patches of one bin stay apart.
    `shifted` moves the edges by half a patch; patches are cut at the border.
    """
    if mirror == "conjugate":
        partners = mirror_index(height)[:, None], mirror_index(width)[None, :]
    else:
        partners = np.arange(height)[::-1, None], np.arange(width)[None, ::-1]
    rows, columns = np.indices((height, width))
    own = rows * width + columns
    first = np.minimum(own, partners[0] * width + partners[1])  # of a bin and its mirror in reading order
    rows, columns = first // width, first % width
    if patch > 1:
        columns = np.where(rows == height // 2, np.minimum(columns, max(width // 2 - 1, 0)), columns)
        rows = np.minimum(rows, max(height // 2 - 1, 0))
    offset = patch // 2 if shifted else 0
    place = (rows + offset) // patch * (width + 1) + (columns + offset) // patch
    numbers = np.unique(place, return_inverse=True)[1].reshape(height, width)
    numbers.flags.writeable = False
    return numbers


class StageMasks:
    """The masks of all stages of a search, drawn when asked for.

    Mask `index` of `stage` follows from `numpy.random.default_rng([seed, stage, index])` and, from the second
    stage on, from the best masks of the stage before.

    Args:
        size: Height and width of the images.
        patches: Side of the patches of each stage.
        share: Part of the patches that a mask keeps.
        rounding: `"nearest"` or `"down"`, of the number of these patches.
        grid: `"aligned"`, `"shifted"`, `"union"`, or `"all"` for the three in turn.
        mirror: `"conjugate"` or `"n-1-i"`.
        seed: Seed of all masks.
    """

    def __init__(
        self,
        size: tuple[int, int],
        patches: Sequence[int],
        *,
        share: float,
        rounding: str = "nearest",
        grid: str,
        mirror: str,
        seed: int,
    ):
        self.size, self.patches = size, tuple(patches)
        self._share, self._grid, self._mirror, self._seed = share, grid, mirror, seed
        self._rounding = rounding
        self._parents: list[list[list[int]]] = []

    def keep(self, best: Sequence[Sequence[int]]) -> None:
        """Takes note of the best masks of the next stage without them: indices by class, best first."""
        self._parents.append([list(indices) for indices in best if len(indices)])

    def mask(self, stage: int, index: int) -> np.ndarray:
        """A mask as bool `(height, width)`, DC at `(height // 2, width // 2)`."""
        generator = np.random.default_rng([self._seed, stage, index])
        mask = self._draw(generator, stage, index)
        if stage > 0:
            parents = self._parents[stage - 1]
            of_class = parents[generator.integers(len(parents))]
            mask = mask & self.mask(stage - 1, of_class[generator.integers(len(of_class))])
        return mask

    def gain(self, stage: int, index: int) -> np.ndarray:
        """What the mask does to the spectrum of a real image, float32 `(height, width)`, Hermitian."""
        return combine_mirrors(self.mask(stage, index))

    def _draw(self, generator: np.random.Generator, stage: int, index: int) -> np.ndarray:
        kind = _IN_TURN[index % 3] if self._grid == "all" else self._grid
        if kind == "union":
            one = self._keep_patches(generator, stage, False, self._share / 2)
            return one | self._keep_patches(generator, stage, True, self._share / 2)
        return self._keep_patches(generator, stage, kind == "shifted", self._share)

    def _keep_patches(
        self, generator: np.random.Generator, stage: int, shifted: bool, share: float
    ) -> np.ndarray:
        numbers = number_patches(*self.size, self.patches[stage], shifted, self._mirror)
        count = int(numbers.max()) + 1
        kept = np.zeros(count, bool)
        wanted = int(share * count) if self._rounding == "down" else round(share * count)
        kept[generator.permutation(count)[: max(1, wanted)]] = True
        return kept[numbers]


def combine_mirrors(mask: np.ndarray) -> np.ndarray:
    """The mean of a mask and its conjugate mirror: what is left where the real part of an image is taken."""
    return (mask.astype("float32") + mirror_map(mask)) / 2
