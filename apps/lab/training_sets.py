"""The table of training sets made of others: what is shown in place of the training images."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np

import keras_freq as kf
from apps.lab.images import as_bytes, as_floats

Make = Callable[[np.ndarray, np.ndarray, int, Path], np.ndarray]


def training_set(
    name: str | None, images: np.ndarray, labels: np.ndarray, *, seed: int, folder: Path
) -> np.ndarray:
    """The images of a training set, in the order and with the labels of the originals; `None`: themselves.

    `seed` is that of donors; the kernels of SCR and WCR, which have one, are kept in `folder`.
    """
    return images if name is None else TRAINING_SETS[name](images, labels, seed, folder)


def _part(
    filter_images: Callable[..., np.ndarray], radius: float, images: np.ndarray, *_: object
) -> np.ndarray:
    # Neither clipped nor rescaled: the filtered images that a network is tested on are not either.
    pieces = np.array_split(images, -(-len(images) // 1000))
    return np.concatenate([filter_images(as_floats(piece), radius) for piece in pieces])


def _hars(images: np.ndarray, labels: np.ndarray, seed: int, _: Path) -> np.ndarray:
    return as_bytes(kf.cdes.make_hars(images, labels, radius=12, keep="high", seed=seed).images)


def _enhanced(name: str, images: np.ndarray, labels: np.ndarray, _: int, folder: Path) -> np.ndarray:
    make = kf.cdes.make_scr if name == "scr" else kf.cdes.make_wcr
    return as_bytes(make(images, labels, folder=folder / name).images)


TRAINING_SETS: dict[str, Make] = {
    **{f"low_{radius}": functools.partial(_part, kf.spectral.low_pass, radius) for radius in (4, 12)},
    **{f"high_{radius}": functools.partial(_part, kf.spectral.high_pass, radius) for radius in (4, 12)},
    "hars": _hars,
    "scr": functools.partial(_enhanced, "scr"),
    "wcr": functools.partial(_enhanced, "wcr"),
}
