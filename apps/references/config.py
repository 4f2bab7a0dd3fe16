"""Settings of the reference networks. Nothing here imports Keras."""

from __future__ import annotations

import dataclasses

from apps.lab.references import REFERENCES
from apps.lab.settings import Data, Repeated, Training, check_least, check_names


@dataclasses.dataclass(frozen=True)
class References(Repeated):
    """Trains networks for anyone to look at, and tests them.

    `rows`: names of `apps.lab.references.REFERENCES`; each is the recipe `training` with what it changes.
    `corrupted`: folder for the corrupted copies of the test images, written where they are not there yet.
    `attacked`: how many of the first test images are attacked. `folder`: where records, outcomes and, with
    `weights`, weights are kept for others (null: nowhere); what is there of other networks stays. Weights of
    the rows `packaged` with seed 0 go into the package itself.
    """

    data: Data = dataclasses.field(default_factory=Data)
    rows: tuple[str, ...] = ("standard",)
    corrupted: str = "runs/corrupted"
    attacked: int = 1000
    folder: str | None = None
    weights: bool = True
    packaged: tuple[str, ...] = ()
    training: Training = dataclasses.field(default_factory=Training)

    def __post_init__(self):
        super().__post_init__()
        check_least("attacked", self.attacked, 1)
        if self.packaged:
            check_names("packaged", self.packaged, tuple(REFERENCES))
        check_names("rows", self.rows, tuple(REFERENCES))
