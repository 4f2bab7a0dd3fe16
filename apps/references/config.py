"""Settings of the reference networks and of those beside them. Nothing here imports Keras."""

from __future__ import annotations

import dataclasses

from apps.lab.references import REFERENCES
from apps.lab.settings import (
    Data,
    Repeated,
    Training,
    check_all,
    check_between,
    check_least,
    check_names,
    check_within,
)


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


@dataclasses.dataclass(frozen=True)
class Look:
    """Shows a network of somebody else what the reference networks were shown, and keeps it for sending in.

    `model`: a `.keras` file or the name of a reference network, of pixels in `value_range`, whose outputs
    are the classes of `data`. `name`, `network`, `trained` (how, in a few words) and `minutes` (of training;
    null: not said) stand on the leaderboard. `corrupted` and `attacked` as for the reference networks.
    `folder`: where the results go, to be checked by ``python -m apps.lab check``.
    """

    seed: int = 0
    output: str | None = None
    model: str = "cifar10/standard"
    value_range: tuple[float, float] = (0, 1)
    name: str = "mine"
    network: str = "not said"
    trained: str = "not said"
    minutes: float | None = None
    data: Data = dataclasses.field(default_factory=Data)
    corrupted: str = "runs/corrupted"
    attacked: int = 1000
    folder: str = "runs/mine"

    def __post_init__(self):
        check_least("seed", self.seed, 0)
        check_least("attacked", self.attacked, 1)
        check_least("minutes", self.minutes, 0)
        check_within("value_range", self.value_range[0], float("-inf"), self.value_range[1])
        if not self.name.strip():
            raise ValueError(f"`name` must be the name of the network. Received: name={self.name!r}")


@dataclasses.dataclass(frozen=True)
class Beyond:
    """Shows the reference networks other corruptions, noise of one octave, and images of two classes.

    The first `images` test images. `severity`: of the corruptions that are seen with the learned statistics
    and with those of the batch; C-bar at all five. `radii`: where low and high frequencies of two classes
    meet. `centers`, `contrast`, `gray`, `criterion` and `deviations` as in
    `keras_freq.evaluate.critical_band`. Masks for all classes of the shares `fractions` are found on the
    first `search_images` training images, learned ones in `steps` for each share. `networks`: the folder of
    the networks (null: all that are known). `rows`, `seeds`: which of them (empty: all). `folder`: where the
    outcomes are kept for the tables (null: in the folder of the run alone).
    """

    seed: int = 0
    output: str | None = None
    data: Data = dataclasses.field(default_factory=Data)
    rows: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    images: int = 2000
    severity: int = 3
    radii: tuple[float, ...] = (2, 4, 8, 12)
    centers: tuple[float, ...] = (1.75, 2.47, 3.5, 4.95, 7, 9.9, 14)
    contrast: float = 1.0
    gray: bool = False
    criterion: float = 0.5
    deviations: tuple[float, ...] = (0.02, 0.04, 0.08, 0.16, 0.32)
    fractions: tuple[float, ...] = (0.5, 0.2, 0.1, 0.05, 0.02)
    search_images: int = 1000
    steps: int = 40
    networks: str | None = None
    folder: str | None = None

    def __post_init__(self):
        check_least("seed", self.seed, 0)
        for name in ("images", "search_images", "steps"):
            check_least(name, getattr(self, name), 1)
        check_all("seeds", self.seeds or (0,), 0)
        for name in ("radii", "centers", "deviations"):
            check_all(name, getattr(self, name), 0.001)
        check_all("fractions", self.fractions, 1e-6, 1)
        if self.rows:
            check_names("rows", self.rows, tuple(REFERENCES))
        check_between("severity", self.severity, 1, 5)
        check_between("contrast", self.contrast, 0.01, 1)
        check_between("criterion", self.criterion, 0.01, 0.99)


@dataclasses.dataclass(frozen=True)
class Shortcuts:
    """What the reference networks keep of each class under few frequencies, beside how they err.

    On the first `images` test images, under maps of a `share` of the frequencies for each class, DC in all of
    them: learned on the first `search_images` training images (`specificity`, `steps`, `images_per_step`,
    `learning_rate` and `smoothing` as in `keras_freq.shortcuts.learned_map`), of the class's power, and a
    disk. `networks`, `rows`, `seeds` and `folder` as in `Beyond`; `outcomes`: the folder of what is known of
    the errors of the networks.
    """

    seed: int = 0
    output: str | None = None
    data: Data = dataclasses.field(default_factory=Data)
    rows: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    images: int = 1000
    search_images: int = 1000
    share: float = 0.05
    specificity: float = 1.0
    steps: int = 60
    images_per_step: int = 32
    learning_rate: float = 0.1
    smoothing: float = 0.0
    networks: str | None = None
    outcomes: str = "apps/references/networks/outcomes"
    folder: str | None = None

    def __post_init__(self):
        check_least("seed", self.seed, 0)
        for name in ("images", "search_images", "steps", "images_per_step"):
            check_least(name, getattr(self, name), 1)
        check_all("seeds", self.seeds or (0,), 0)
        if self.rows:
            check_names("rows", self.rows, tuple(REFERENCES))
        check_between("share", self.share, 1e-6, 1)
        check_least("specificity", self.specificity, 0)
        check_least("learning_rate", self.learning_rate, 1e-9)
        check_least("smoothing", self.smoothing, 0)
