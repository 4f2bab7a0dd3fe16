"""What a hierarchical search found: a map for each class, the losses on the way, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_freq._core.result import Result
from keras_freq.shortcuts._frequency_maps import FrequencyMaps


@dataclass(frozen=True, kw_only=True)
class HFSSResult(Result):
    """Dominant frequency maps of a hierarchical search.

    Losses are means of the cross-entropy over the search images of a class that keep only a mask, in nats;
    NaN for a class without images, whose map is empty.

    Attributes:
        maps: The best mask of the last stage for each class, as `FrequencyMaps`.
        patches: Side of the patches of each stage, in bins.
        budgets: Masks tried at each stage.
        clean_losses: Losses of the images as they are, `(classes,)`.
        top_losses: Losses of the kept masks, best first: `top_losses[stage][class]`.
        top_masks: Indices of the same masks within their stage.
        count_per_class: Search images of each class.
        forwards: Images that went through the model, the unfiltered ones included.
    """

    maps: FrequencyMaps = field(repr=False, compare=False, metadata={"export": False})
    patches: tuple[int, ...]
    budgets: tuple[int, ...]
    clean_losses: tuple[float, ...]
    top_losses: tuple[tuple[tuple[float, ...], ...], ...]
    top_masks: tuple[tuple[tuple[int, ...], ...], ...]
    count_per_class: tuple[int, ...]
    forwards: int

    @property
    def share(self) -> np.ndarray:
        """Part of the bins that each class' map keeps, `(classes,)`."""
        return self.maps.share

    @property
    def best_losses(self) -> np.ndarray:
        """Loss of the best mask of each stage and class, `(stages, classes)`."""
        return np.array(
            [[losses[0] if losses else np.nan for losses in stage] for stage in self.top_losses], "float64"
        )

    def to_dict(self) -> dict[str, Any]:
        """All numbers and settings as plain Python values, with the kept share and the masks."""
        maps = {"share": np.asarray(self.share).tolist(), "masks": np.asarray(self.maps).tolist()}
        return {**super().to_dict(), **maps}

    def rows(self) -> list[dict[str, Any]]:
        """One row a stage and class."""
        return [
            {
                "stage": stage + 1,
                "class": index,
                "patch": self.patches[stage],
                "budget": self.budgets[stage],
                "best_loss": loss,
                "clean_loss": self.clean_losses[index],
                "images": self.count_per_class[index],
                "model": self.model,
                "n": self.n,
            }
            for stage, losses in enumerate(self.best_losses.tolist())
            for index, loss in enumerate(losses)
        ]
