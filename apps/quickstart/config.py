"""Settings of the quickstart."""

from __future__ import annotations

import dataclasses

from apps.lab.settings import Data, check_all, check_between, check_least, check_within


@dataclasses.dataclass(frozen=True)
class FineTuning:
    """How the network is trained on: SGD with Nesterov momentum .9, a rate that falls to zero as a cosine.

    `apr_single` and `apr_pair` are the chances of APR-S and APR-P; the loss is the mean of both halves.
    """

    epochs: int = 2
    batch_size: int = 100
    learning_rate: float = 0.01
    apr_single: float = 0.5
    apr_pair: float = 0.6

    def __post_init__(self):
        for name in ("epochs", "batch_size"):
            check_least(f"training.{name}", getattr(self, name), 1)
        check_within("training.learning_rate", self.learning_rate, 0, 10)
        for name in ("apr_single", "apr_pair"):
            check_between(f"training.{name}", getattr(self, name), 0, 1)


@dataclasses.dataclass(frozen=True)
class Measure:
    """What is measured, each thing on the first test images.

    `images`: for bands, amplitude swap and shortcuts. `radii`: low- and high-pass radii (index units).
    `heat_map_images`: for the 514 frequencies of the heat map. `corrupted_images`, `severity`: for the 15
    corruptions. `search_images`: training images on which the dominant frequencies of the classes are
    ranked; `share`: of the frequencies, that a class keeps. `epsilon`: size of the L-infinity attack in
    1/255. `examples`: columns of the figure of examples.
    """

    images: int = 500
    radii: tuple[float, ...] = (4, 8, 12, 16)
    heat_map_images: int = 16
    corrupted_images: int = 200
    severity: int = 3
    search_images: int = 500
    share: float = 0.05
    epsilon: float = 1.0
    attack_steps: int = 10
    attack_images: int = 200
    examples: int = 6

    def __post_init__(self):
        check_all("measure.radii", self.radii, 0, 1e4)
        check_within("measure.share", self.share, 0, 1)
        check_within("measure.epsilon", self.epsilon, 0, 255)
        check_between("measure.severity", self.severity, 1, 5)
        check_between("measure.examples", self.examples, 1, 12)
        check_between("measure.attack_steps", self.attack_steps, 1, 10_000)
        for name in ("images", "heat_map_images", "corrupted_images", "search_images", "attack_images"):
            check_least(f"measure.{name}", getattr(self, name), 1)


@dataclasses.dataclass(frozen=True)
class Quickstart:
    """Two reference networks are looked at; the first is trained on with APR-SP and looked at again.

    `network` and `beside` are names of `keras_freq.models.references()`, one trained plainly and one with
    APR-SP from the start. `seed` fixes the order of the images, the augmentations, the pairs and the
    corruptions. `output` is the run folder; null makes runs/quickstart/<time>-<backend>.
    """

    seed: int = 0
    output: str | None = None
    network: str = "cifar10/standard"
    beside: str = "cifar10/apr_sp"
    data: Data = dataclasses.field(default_factory=lambda: Data(name="cifar10_mini"))
    training: FineTuning = dataclasses.field(default_factory=FineTuning)
    measure: Measure = dataclasses.field(default_factory=Measure)

    def __post_init__(self):
        check_least("seed", self.seed, 0)
