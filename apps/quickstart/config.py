"""Settings of the quickstart."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Data:
    """What to train on and measure with.

    `name` is what `keras_freq.data.load` takes; `train_images` and `test_images` keep the first images only
    (null: all).
    """

    name: str = "cifar10_mini"
    train_images: int | None = None
    test_images: int | None = None

    def __post_init__(self):
        for name in ("train_images", "test_images"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(
                    f"`data.{name}` must be at least 1, or null for all. Received: data.{name}={value}"
                )


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
            if getattr(self, name) < 1:
                raise ValueError(
                    f"`training.{name}` must be at least 1. Received: training.{name}={getattr(self, name)}"
                )
        if not 0 < self.learning_rate < 10:
            raise ValueError(
                "`training.learning_rate` must be above 0 and below 10. "
                f"Received: training.learning_rate={self.learning_rate}"
            )
        for name in ("weight_decay", "apr_single", "apr_pair"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(
                    f"`training.{name}` must lie in [0, 1]. Received: training.{name}={getattr(self, name)}"
                )


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
        for name, low, high in (("radii", 0, 1e4), ("sigmas", 0, 1), ("epsilons", 0, 255)):
            values = getattr(self, name)
            if not values or not all(low <= value <= high for value in values):
                raise ValueError(
                    f"`measure.{name}` must hold at least one number, each in [{low}, {high:g}]. "
                    f"Received: measure.{name}={list(values)}"
                )
        for name, high in (("attack_steps", 10_000), ("attack_images", 10**9), ("examples", 12)):
            if not 1 <= getattr(self, name) <= high:
                raise ValueError(
                    f"`measure.{name}` must be a whole number from 1 to {high}. "
                    f"Received: measure.{name}={getattr(self, name)}"
                )


@dataclasses.dataclass(frozen=True)
class Quickstart:
    """A small ResNet is trained twice from the same weights, plainly and with APR-SP; both are measured.

    `seed` fixes the weights, the order of the images, the augmentations and the noise. `output` is the run
    folder; null makes runs/quickstart/<time>-<backend>.
    """

    seed: int = 0
    output: str | None = None
    data: Data = dataclasses.field(default_factory=Data)
    training: Training = dataclasses.field(default_factory=Training)
    measure: Measure = dataclasses.field(default_factory=Measure)

    def __post_init__(self):
        if self.seed < 0:
            raise ValueError(f"`seed` must be at least 0. Received: seed={self.seed}")
