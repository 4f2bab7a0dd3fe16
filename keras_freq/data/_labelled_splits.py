"""Labelled images that are to be stored: checked, and as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_freq._core.array_batches import check_images
from keras_freq._core.labels import class_indices

_CHUNK = 1000


def checked_splits(
    train: tuple[Any, Any] | None, test: tuple[Any, Any] | None, classes: Sequence[str] | None
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], tuple[str, ...] | None]:
    """The splits that are there, as uint8 images and int32 labels, and the names of their classes."""
    given = {name: pair for name, pair in (("train", train), ("test", test)) if pair is not None}
    if not given:
        raise ValueError("`train` or `test` must be given, as (images, labels). Received: neither")
    splits = {}
    for name, pair in given.items():
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ValueError(
                f"`{name}` must be a pair (images, labels). Received: {name} of type {type(pair).__name__}"
            )
        images, labels = np.asarray(pair[0]), class_indices(pair[1])
        check_images(images)
        if len(images) != len(labels):
            raise ValueError(
                "Images and labels must have the same length. "
                f"Received: {len(images)} images and {len(labels)} labels in {name}"
            )
        splits[name] = images, labels.astype("int32")
    shapes = {images.shape[1:] for images, _ in splits.values()}
    if len(shapes) > 1:
        raise ValueError(
            "`train` and `test` must hold images of one shape. Received: "
            + ", ".join(f"{name} of shape {images.shape}" for name, (images, _) in splits.items())
        )
    names = _checked_classes(classes, 1 + max(int(labels.max()) for _, labels in splits.values()))
    return {name: (as_bytes(images), labels) for name, (images, labels) in splits.items()}, names


def as_bytes(images: np.ndarray) -> np.ndarray:
    """Float images in [0, 1] as uint8, rounded to the nearest of 256 values; uint8 images as they are."""
    if images.dtype == np.uint8:
        return images
    least, most = float(images.min()), float(images.max())
    if least < 0 or most > 1:
        raise ValueError(
            "Float images must lie in [0, 1]: clip or rescale them first. "
            f"Received: values from {least:.6g} to {most:.6g}"
        )
    result = np.empty(images.shape, "uint8")
    for start in range(0, len(images), _CHUNK):  # a float copy of all of them may not fit into memory
        part = images[start : start + _CHUNK].astype("float32")
        result[start : start + _CHUNK] = np.rint(part * np.float32(255))
    return result


def _checked_classes(classes: Sequence[str] | None, count: int) -> tuple[str, ...] | None:
    if classes is None:
        return None
    names = () if isinstance(classes, str) else tuple(classes)
    printable = all(isinstance(name, str) and name.strip() and name.isprintable() for name in names)
    if not names or not printable or len(set(names)) < len(names):
        raise ValueError(
            "`classes` must hold one name a class, each a line of its own and each only once. "
            f"Received: classes={classes!r}"
        )
    if len(names) < count:
        raise ValueError(
            f"`classes` must name every label. Received: {len(names)} names, largest label {count - 1}"
        )
    return names
