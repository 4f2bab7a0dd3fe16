"""Settings of the quickstart."""

from __future__ import annotations

import dataclasses

from apps.lab.settings import Data, check_all, check_between, check_least, check_within


@dataclasses.dataclass(frozen=True)
class Training:
    """How both networks are trained: SGD with Nesterov momentum, one warm-up epoch, cosine decay to zero.

    `width` is the number of channels of the first stage. `apr_single` and `apr_pair` are the chances of
    APR-S and APR-P.
    """

    epochs: int = 20
    batch_size: int = 50
    learning_rate: float = 0.1
    weight_decay: float = 5e-4
    width: int = 16
    apr_single: float = 0.5
    apr_pair: float = 0.6

    def __post_init__(self):
        for name in ("epochs", "batch_size", "width"):
            check_least(f"training.{name}", getattr(self, name), 1)
        check_within("training.learning_rate", self.learning_rate, 0, 10)
        for name in ("weight_decay", "apr_single", "apr_pair"):
            check_between(f"training.{name}", getattr(self, name), 0, 1)


@dataclasses.dataclass(frozen=True)
class Measure:
    """What is measured.

    `radii`: low- and high-pass radii (index units). `sigmas`: Gaussian noise (pixels in [0, 1], clipped).
    `epsilons`: sizes of the L-infinity attack in 1/255. `attack_images`: the attack sees the first so many
    test images. `examples`: columns of the example figures.
    """

    radii: tuple[float, ...] = (4, 8, 12, 16)
    sigmas: tuple[float, ...] = (0.05, 0.1, 0.2)
    epsilons: tuple[float, ...] = (0.5, 1, 2)
    attack_steps: int = 20
    attack_images: int = 200
    examples: int = 6

    def __post_init__(self):
        for name, high in (("radii", 1e4), ("sigmas", 1), ("epsilons", 255)):
            check_all(f"measure.{name}", getattr(self, name), 0, high)
        for name, high in (("attack_steps", 10_000), ("attack_images", 10**9), ("examples", 12)):
            check_between(f"measure.{name}", getattr(self, name), 1, high)


@dataclasses.dataclass(frozen=True)
class Quickstart:
    """A small ResNet is trained twice from the same weights, plainly and with APR-SP; both are measured.

    `seed` fixes the weights, the order of the images, the augmentations and the noise. `output` is the run
    folder; null makes runs/quickstart/<time>-<backend>.
    """

    seed: int = 0
    output: str | None = None
    data: Data = dataclasses.field(default_factory=lambda: Data(name="cifar10_mini"))
    training: Training = dataclasses.field(default_factory=Training)
    measure: Measure = dataclasses.field(default_factory=Measure)

    def __post_init__(self):
        check_least("seed", self.seed, 0)
