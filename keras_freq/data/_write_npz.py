"""A labeled image set in one `.npz` file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_freq._core.checks import check_flag
from keras_freq._core.files import write_whole
from keras_freq.data._check_splits import check_splits


def write_npz(
    path: str | os.PathLike,
    *,
    train: tuple[Any, Any] | None = None,
    test: tuple[Any, Any] | None = None,
    classes: Sequence[str] | None = None,
    overwrite: bool = False,
) -> Path:
    """Writes a labeled image set to one file, which `load(path)` reads.

    The file holds `x_train`, `y_train`, `x_test`, `y_test` and `classes`, of these what is given, and is
    written whole or not at all. It is not compressed: natural images would lose less than a tenth.

    Args:
        path: Name of the file, which must end in .npz. Missing folders are made.
        train: `(images, labels)`: images uint8 or floats in [0, 1], which are rounded to the nearest of 256
            values, `(n, height, width, channels)`; labels class indices `(n,)` or one-hot `(n, classes)`.
        test: The same for the test split.
        classes: Names of the classes in label order.
        overwrite: Whether a file of that name may be replaced.

    Returns:
        The path.

    Raises:
        FileExistsError: If the file is there and `overwrite` is False.
        ValueError: If neither split is given, images or labels are not as above, or a label has no name.

    Example:
        >>> images, labels = np.zeros((4, 32, 32, 3), "uint8"), [0, 1, 0, 1]
        >>> path = kf.data.write_npz("two.npz", test=(images, labels), classes=["cat", "dog"])
        >>> kf.data.load(path).classes
        ('cat', 'dog')
    """
    check_flag(overwrite, "overwrite")
    path = Path(path).expanduser()
    if path.suffix != ".npz":
        raise ValueError(f"`path` must end in .npz. Received: path={str(path)!r}")
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"The file is there already: name another, or pass overwrite=True. Received: path={str(path)!r}"
        )
    splits, names = check_splits(train, test, classes)
    arrays: dict[str, Any] = {} if names is None else {"classes": np.array(names)}
    for split, (images, labels) in splits.items():
        arrays |= {f"x_{split}": images, f"y_{split}": labels}
    return write_whole(path, lambda file: np.savez(file, **arrays))
