"""The user's own photographs of ice, in place of generated ice."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import zlib
from pathlib import Path

import numpy as np

from keras_freq._core.checks import show
from keras_freq._core.pixels import unit_float32
from keras_freq.data._corruptions import draws, filters
from keras_freq.data._image_files import image_endings, read_image


@dataclasses.dataclass(frozen=True)
class Photographs:
    """The image files of a folder, by name."""

    paths: tuple[Path, ...]

    @classmethod
    def of(cls, folder: str | os.PathLike | None) -> Photographs | None:
        """Those of a folder; None for no folder.

        Raises:
            FileNotFoundError: If there is no such folder.
            ValueError: If it is no path, or holds no image.
        """
        if folder is None:
            return None
        if not isinstance(folder, (str, os.PathLike)):
            raise ValueError(f"`frost` must be the path of a folder or None. Received: frost={show(folder)}")
        root = Path(folder).expanduser()
        if not root.is_dir():
            raise FileNotFoundError(
                f"`frost` must be a folder of photographs. Received: frost={os.fspath(folder)!r}, "
                "which is no folder"
            )
        paths = sorted(path for path in root.iterdir() if path.suffix.lower() in image_endings())
        if not paths:
            raise ValueError(
                "`frost` must be a folder with image files that Pillow reads. "
                f"Received: frost={os.fspath(folder)!r} without any"
            )
        return cls(tuple(paths))

    def checksum(self) -> int:
        """CRC-32 of all files, in their order."""
        total = 0
        for path in self.paths:
            total = zlib.crc32(path.read_bytes(), total)
        return total

    def cut(self, rngs: draws.Generators, size: tuple[int, int], scale: float) -> np.ndarray:
        """A random piece of a random photograph for each image, reduced bilinearly.

        Args:
            rngs: One generator for each image.
            size: `(height, width)` of the pieces, after reduction.
            scale: Pixels of a piece to a pixel of the photograph, at most 1.

        Returns:
            float32 `(n, 3, height, width)` in [0, 1].
        """
        pieces = np.empty((len(rngs), 3, *size), "float32")
        chances = draws.uniform(rngs, 0, 1, (3,)).astype("float64")
        for (which, *corner), piece in zip(chances, pieces, strict=True):
            path = self.paths[int(which * len(self.paths))]
            photograph = _read(path, path.stat().st_mtime_ns)
            rows, columns = (
                _places(side, target, scale, chance, path)
                for side, target, chance in zip(photograph.shape[:2], size, corner, strict=True)
            )
            # Only what the piece needs becomes floats.
            top, left = int(rows[0]), int(columns[0])
            region = photograph[top : int(rows[-1]) + 2, left : int(columns[-1]) + 2]
            plane = unit_float32(region).transpose(2, 0, 1)
            piece[...] = filters.interpolate(filters.interpolate(plane, rows - top, -2), columns - left, -1)
        return pieces


@functools.lru_cache(maxsize=8)
def _read(path: Path, modified: int) -> np.ndarray:
    return read_image(path)


def _places(side: int, target: int, scale: float, chance: float, path: Path) -> np.ndarray:
    """Where the pixels of a piece lie in the photograph, along one side."""
    room = math.floor(side * scale + 1e-6) - target
    if room < 0:
        raise ValueError(
            f"Photographs of frost must have at least {math.ceil(target / scale)} pixels a side for images "
            f"of {target}, of which one is {scale} of theirs. Received: {side} in {path}"
        )
    first = int(chance * (room + 1))
    return (first + np.arange(target) + 0.5) / scale - 0.5
