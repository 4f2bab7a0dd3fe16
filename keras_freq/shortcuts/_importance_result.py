"""What `frequency_importance` returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_freq._core.result import Result
from keras_freq.shortcuts._frequency_groups import FrequencyGroups, conjugate_groups, reference_groups


@dataclass(frozen=True, kw_only=True)
class FrequencyImportance(Result):
    """How much the loss of each class rises when frequencies are removed from its images.

    The numbers stand in `values`, by class and group of frequencies; the maps are made from them.

    Attributes:
        size: Height and width of the images.
        patch: Side of the blocks of bins that are removed together.
        mirror: `"conjugate"` or `"reference"`.
        method: `"exact"`, `"hybrid"` or `"gradient"`; the last two are approximations.
        loss: `"cross_entropy"` or `"logit"`.
        values: Mean increase of the loss over the images of the class, `(classes, groups)`, the groups from
            DC outward; the first is DC alone. NaN for a class without an image.
        clean_loss: Mean loss of each class with nothing removed.
        clean_accuracy: Share of each class that is recognised with nothing removed.
        count_per_class: Images of each class.
        measured: How many groups were measured exactly, DC among them.
        forwards: Images passed through the model by this call, filling included, not counting what a
            checkpoint held; not compared.
        checked: Groups at which an approximation was compared with exact values, DC apart; 0: none.
        rank_correlation: Spearman's rank correlation there, for each class; empty where nothing was compared.
    """

    size: tuple[int, int]
    patch: int
    mirror: str
    method: str
    loss: str
    values: tuple[tuple[float, ...], ...]
    clean_loss: tuple[float, ...]
    clean_accuracy: tuple[float, ...]
    count_per_class: tuple[int, ...]
    measured: int
    checked: int = 0
    rank_correlation: tuple[float, ...] = ()
    forwards: int = field(default=0, compare=False)
    found_on: frozenset[bytes] = field(default=frozenset(), repr=False, metadata={"export": False})

    @property
    def groups(self) -> FrequencyGroups:
        """The groups that were removed."""
        return groups_of(self.size, self.patch, self.mirror)

    @property
    def dc(self) -> np.ndarray:
        """Mean increase of the loss of each class without the mean of its images, `(classes,)`.

        Always measured exactly: it is far outside first order.
        """
        return np.array(self.values, "float64")[:, 0]

    @property
    def maps(self) -> np.ndarray:
        """Mean increase of the loss of each class at each bin, float64 `(classes, height, width)`.

        DC is at `(height // 2, width // 2)`. With `mirror="reference"` some bins are never removed: there the
        map holds minus the clean loss, so that they rank last, as published.
        """
        return self.groups.spread(np.array(self.values, "float64"), -np.array(self.clean_loss, "float64"))

    def rows(self) -> list[dict[str, Any]]:
        """One row a class and group: centred indices of one of its bins, its frequency, the importance."""
        groups, rows = self.groups, []
        bins = groups.gathered(np.ones(self.size))
        for label, values in enumerate(self.values):
            for group, value in enumerate(values):
                i, j = int(groups.rows[group, 0]), int(groups.columns[group, 0])
                place = {"i": i, "j": j, "u": i - self.size[0] // 2, "v": j - self.size[1] // 2}
                rows.append({"class": label, **place, "bins": float(bins[group]), "importance": value})
        return rows


def groups_of(size: tuple[int, int], patch: int, mirror: str) -> FrequencyGroups:
    """The groups of an option `mirror`."""
    return (conjugate_groups if mirror == "conjugate" else reference_groups)(*size, patch)
