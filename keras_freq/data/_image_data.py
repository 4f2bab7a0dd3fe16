"""What `load` gives: a named data set with its two feeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from keras_freq._core.checks import check_choice, check_whole
from keras_freq._core.pixels import to_bytes, unit_float32


@dataclass(frozen=True)
class ImageData:
    """A data set with its training and test feeds.

    Attributes:
        name: The name it was loaded by.
        classes: The names of the classes in label order.
        input_shape: `(height, width, channels)` of one image.
        train: Shuffled batches `(images, labels)` for `fit`: float32 images in [0, 1],
            `(batch, height, width, channels)`, and int32 labels `(batch,)`. None where the set has no such
            split.
        test: The same for the test split, in the stored order. None where the set has no such split.
        taken: Where each split was taken from, of several that may be there: `{"test": "validation"}`, say.

    Example:
        >>> data = kf.data.load("cifar10_mini", batch_size=64)
        >>> data.name, data.classes[:2]
        ('cifar10_mini', ('airplane', 'automobile'))
        >>> images, labels = next(iter(data.test))
        >>> tuple(images.shape), data.train is None
        ((64, 32, 32, 3), False)
    """

    name: str
    classes: tuple[str, ...]
    input_shape: tuple[int, int, int]
    train: Any = field(repr=False)
    test: Any = field(repr=False)
    taken: Mapping[str, str] = field(repr=False, compare=False)
    _read: Callable[[str, int | None], tuple[np.ndarray, np.ndarray]] = field(repr=False, compare=False)

    def arrays(
        self,
        split: str = "test",
        limit: int | None = None,
        *,
        dtype: Literal["float32", "uint8"] = "float32",
    ) -> tuple[np.ndarray, np.ndarray]:
        """One split as NumPy arrays, in the stored order.

        Args:
            split: "train" or "test".
            limit: How many images to read from the start of the split; None reads all of them into memory.
            dtype: "float32", or "uint8" for a quarter of the memory: every function of this package that
                takes images scales bytes itself.

        Returns:
            Images `(n, height, width, channels)`, float32 in [0, 1] or uint8, and int32 labels `(n,)`.

        Raises:
            ValueError: If the set has no such split, or another argument is not one of those above.

        Example:
            >>> images, labels = kf.data.load("cifar10_mini").arrays("test", limit=16)
            >>> images.shape
            (16, 32, 32, 3)
        """
        check_choice(split, "split", [name for name in ("train", "test") if getattr(self, name) is not None])
        if limit is not None:
            check_whole(limit, "limit")
        check_choice(dtype, "dtype", ("float32", "uint8"))
        images, labels = self._read(split, limit)
        return (unit_float32 if dtype == "float32" else to_bytes)(images), labels.astype("int32")
