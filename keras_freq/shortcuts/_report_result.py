"""What `shortcut_report` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_freq._core.result import Result


@dataclass(frozen=True, kw_only=True)
class ShortcutReport(Result):
    """True and false positive rates of each class on images that keep its dominant frequencies only.

    Confusions are counts, rows the true classes, columns the predictions. A rate of a class without an image
    is NaN.

    Attributes:
        confusion: On images under the mask of each class, `(classes, classes, classes)`, the mask first;
            empty where only the images of each class were filtered.
        own_confusion: Row `c` under the mask of class `c`, `(classes, classes)`.
        clean_confusion: On the images as they are, `(classes, classes)`.
        share: Share of the bins that each mask keeps.
        method: How the masks were found.
        others: Whether images of other classes were filtered too; without them there is no false positive
            rate.
        undefined: Filtered images whose logits are NaN or infinite, for each mask; they count for no class.
    """

    confusion: tuple[tuple[tuple[int, ...], ...], ...]
    own_confusion: tuple[tuple[int, ...], ...]
    clean_confusion: tuple[tuple[int, ...], ...]
    share: tuple[float, ...]
    method: str
    others: bool
    count_per_class: tuple[int, ...]
    undefined: tuple[int, ...]

    @property
    def tpr(self) -> np.ndarray:
        """Share of the images of each class that are recognised under its own mask, `(classes,)`."""
        return _share(np.diag(np.array(self.own_confusion)), np.array(self.count_per_class))

    @property
    def fpr(self) -> np.ndarray:
        """Share of the images of all other classes that are taken for it under its mask, `(classes,)`."""
        if not self.others:
            return np.full(len(self.share), np.nan)
        found, own = np.array(self.confusion), np.arange(len(self.confusion))
        taken = found.sum(axis=1)[own, own] - found[own, own, own]
        return _share(taken, self.n - np.array(self.count_per_class))

    @property
    def clean_tpr(self) -> np.ndarray:
        """Share of the images of each class that are recognised as they are, `(classes,)`."""
        return _share(np.diag(np.array(self.clean_confusion)), np.array(self.count_per_class))

    @property
    def clean_fpr(self) -> np.ndarray:
        """Share of the images of all other classes that are taken for it as they are, `(classes,)`."""
        found = np.array(self.clean_confusion)
        return _share(found.sum(axis=0) - np.diag(found), self.n - np.array(self.count_per_class))

    @property
    def clean_accuracy(self) -> float:
        """Share of all images that are recognised as they are."""
        return float(np.trace(np.array(self.clean_confusion)) / self.n)

    def shortcuts(self, tpr: float = 0.6, fpr: float = 1.0) -> tuple[int, ...]:
        """Classes that their mask is enough for: TPR of at least `tpr`, FPR of at most `fpr`.

        A high TPR with a high FPR says that almost any image looks like the class under its mask.
        """
        wrong = np.nan_to_num(self.fpr, nan=0.0)
        return tuple(np.flatnonzero((self.tpr >= tpr) & (wrong <= fpr)).tolist())

    def to_dict(self) -> dict[str, Any]:
        """All counts and settings as plain Python values, with the rates."""
        rates = {name: getattr(self, name).tolist() for name in ("tpr", "fpr", "clean_tpr", "clean_fpr")}
        return {**super().to_dict(), **rates}

    def rows(self) -> list[dict[str, Any]]:
        """One row a class."""
        return [
            {
                "class": label,
                "tpr": float(self.tpr[label]),
                "fpr": float(self.fpr[label]),
                "clean_tpr": float(self.clean_tpr[label]),
                "clean_fpr": float(self.clean_fpr[label]),
                "share": self.share[label],
                "images": self.count_per_class[label],
                "method": self.method,
                "model": self.model,
                "n": self.n,
            }
            for label in range(len(self.share))
        ]


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
