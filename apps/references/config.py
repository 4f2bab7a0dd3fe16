"""Settings of the reference networks. Nothing here imports Keras."""

from __future__ import annotations

import dataclasses

from apps.lab.settings import Data, Repeated, Training, check_names
from apps.references.rows import REFERENCES


@dataclasses.dataclass(frozen=True)
class References(Repeated):
    """Trains networks for anyone to look at, and tests them.

    `rows`: names of `apps.references.rows.REFERENCES`; each is the recipe `training` with what it changes.
    """

    data: Data = dataclasses.field(default_factory=Data)
    rows: tuple[str, ...] = ("standard",)
    training: Training = dataclasses.field(default_factory=Training)

    def __post_init__(self):
        super().__post_init__()
        check_names("rows", self.rows, tuple(REFERENCES))
