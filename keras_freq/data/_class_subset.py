"""Some classes of a data set, in an order of one's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_freq._core.checks import show


@dataclasses.dataclass(frozen=True)
class ClassSubset:
    """Which labels are kept, and what they become.

    Attributes:
        names: The classes that are kept, in the order of their new labels.
        table: The new label of each old one, -1 where it is dropped; int32 `(all classes + 1,)`. The last
            entry is for the old label -1, that of images without a class.
    """

    names: tuple[str, ...]
    table: np.ndarray

    def keep(self, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The images of these classes, in their order, with their new labels."""
        labels = self.table[labels]
        rows = self.rows(labels)
        return images[rows], labels[rows]

    def rows(self, labels: np.ndarray) -> np.ndarray:
        """Where new labels are kept."""
        rows = np.flatnonzero(labels >= 0)
        if not len(rows):
            raise ValueError(
                "`classes` must name classes with images in every split. "
                f"Received: a split without any of {', '.join(self.names[:10])}"
            )
        return rows


class SubsetSource:
    """Those examples of a random-access source that belong to some classes.

    Args:
        source: Examples by their place, dictionaries.
        labels: The old label of each of them.
        subset: Which are kept.
        label_key: Where an example has its label.
    """

    def __init__(self, source: Any, labels: np.ndarray, subset: ClassSubset, label_key: str):
        self._source, self._label_key = source, label_key
        self._labels = subset.table[labels]
        self._rows = subset.rows(self._labels)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitems__(self, places: Sequence[int]) -> list[dict[str, Any]]:
        rows = [int(self._rows[place]) for place in places]
        examples = self._source.__getitems__(rows)
        return [
            {**example, self._label_key: self._labels[row]}
            for row, example in zip(rows, examples, strict=True)
        ]


def check_choice_of_classes(classes: Any) -> tuple[str, ...] | None:
    """`classes` as `load` takes it, as a tuple; whether a set has them is seen later."""
    if classes is None:
        return None
    names = () if isinstance(classes, str) or not isinstance(classes, Sequence) else tuple(classes)
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ValueError(
            "`classes` must be None or a sequence of names of classes, each once. "
            f"Received: classes={show(classes)}"
        )
    return names


def choose_classes(classes: tuple[str, ...] | None, known: tuple[str, ...], name: str) -> ClassSubset | None:
    """The subset of the `known` classes of the set `name`, or None where all are kept as they are."""
    if classes is None:
        return None
    places = {known_name: place for place, known_name in enumerate(known)}
    missing = [wanted for wanted in classes if wanted not in places]
    if missing:
        some = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
        raise ValueError(
            f"`classes` must be among the {len(known)} of {name} ({some}). "
            f"Received: classes with {', '.join(map(repr, missing[:5]))}"
        )
    table = np.full(len(known) + 1, -1, "int32")
    table[[places[wanted] for wanted in classes]] = np.arange(len(classes))
    return ClassSubset(classes, table)
