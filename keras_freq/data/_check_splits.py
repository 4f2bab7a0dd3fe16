"""Labeled images that are to be stored: checked, and as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_freq._core.checks import check_labeled_images, show
from keras_freq._core.pixels import to_bytes

# Images and labels by the name of the split.
Splits = dict[str, tuple[np.ndarray, np.ndarray]]


def check_splits(
    train: tuple[Any, Any] | None, test: tuple[Any, Any] | None, classes: Sequence[str] | None
) -> tuple[Splits, tuple[str, ...] | None]:
    """The splits that are there, as uint8 images and int32 labels, and the names of their classes."""
    given = {name: pair for name, pair in (("train", train), ("test", test)) if pair is not None}
    if not given:
        raise ValueError("`train` or `test` must be given, as (images, labels). Received: neither")
    splits: Splits = {}
    for name, pair in given.items():
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ValueError(
                f"`{name}` must be a pair (images, labels). Received: {name} of type {type(pair).__name__}"
            )
        try:
            images, labels = check_labeled_images(*pair, unit=True)
        except ValueError as error:
            raise ValueError(f"{error} in {name}") from error
        splits[name] = images, labels.astype("int32")
    if len({images.shape[1:] for images, _ in splits.values()}) > 1:
        raise ValueError(
            "`train` and `test` must hold images of one shape. Received: "
            + ", ".join(f"{name} of shape {images.shape}" for name, (images, _) in splits.items())
        )
    names = _check_names(classes, 1 + max(int(labels.max()) for _, labels in splits.values()))
    return {name: (to_bytes(images), labels) for name, (images, labels) in splits.items()}, names


def _check_names(classes: Sequence[str] | None, count: int) -> tuple[str, ...] | None:
    if classes is None:
        return None
    names = () if isinstance(classes, str) else tuple(classes)
    printable = all(isinstance(name, str) and name.strip() and name.isprintable() for name in names)
    if not names or not printable or len(set(names)) < len(names):
        raise ValueError(
            "`classes` must hold one name for each class, each a line of its own and each only once. "
            f"Received: classes={show(classes)}"
        )
    if len(names) < count:
        raise ValueError(
            f"`classes` must name every label. Received: {len(names)} names, largest label {count - 1}"
        )
    return names
