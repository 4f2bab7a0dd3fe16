"""Settings of the seven experiments, and the groups that they share."""

from __future__ import annotations

import dataclasses
from typing import Literal

from apps.lab.settings import (
    Adversary,
    Crop,
    Data,
    Repeated,
    Training,
    check_all,
    check_between,
    check_least,
    check_within,
)

Rescale = Literal["none", "max"]


def _published() -> Training:
    """Adam with a constant rate; as published, no augmentation of natural images."""
    return Training(
        network="resnet32",
        statistics="none",
        normalization="none",
        epochs=100,
        batch_size=100,
        optimizer="adam",
        learning_rate=1e-4,
        weight_decay=0.0,
    )


@dataclasses.dataclass(frozen=True)
class AdversarialTraining(Adversary):
    """Adversarial training beside the natural one: the attack, and what differs from `training`.

    `epsilon` and `step_size` in pixel units (pixels in [0, 1]). `crop_and_flip`: `padding` pixels
    around the image, random crop, random flip before the attack, as published for adversarial training.
    `epochs` and `learning_rate` take the place of those of natural training (null: the same).
    """

    steps: int = 10
    crop_and_flip: bool = True
    padding: int = 2
    epochs: int | None = None
    learning_rate: float | None = None

    def __post_init__(self):
        super().__post_init__()
        check_least("adversary.steps", self.steps, 1)
        check_least("adversary.padding", self.padding, 0)
        check_least("adversary.epochs", self.epochs, 1)
        check_within("adversary.learning_rate", self.learning_rate, 0, 10)

    def applied_to(self, training: Training) -> Training:
        """The recipe with the attack."""
        return dataclasses.replace(
            training,
            epochs=self.epochs or training.epochs,
            learning_rate=self.learning_rate or training.learning_rate,
            crop=Crop(padding=self.padding) if self.crop_and_flip else training.crop,
            adversary=Adversary(self.steps, self.epsilon, self.step_size, self.random_start),
        )


@dataclasses.dataclass(frozen=True)
class Shared(Repeated):
    """What every experiment has. `seeds` repetitions use the seeds `seed`, `seed + 1`, ..."""

    data: Data = dataclasses.field(default_factory=Data)
    training: Training = dataclasses.field(default_factory=_published)


@dataclasses.dataclass(frozen=True)
class Learning(Shared):
    """What is learned when: training on true and on shuffled labels, accuracy on filtered training images.

    `shuffled_epochs`: epochs with shuffled labels (null: as many as with true ones). `every`: measure after
    every n-th epoch, on the first `measured_images` training images (null: all). `thresholds`: training
    accuracies at which both labels are compared.
    """

    radii: tuple[float, ...] = (4, 8, 12, 16)
    shuffled_epochs: int | None = 300
    every: int = 1
    measured_images: int | None = None
    thresholds: tuple[float, ...] = (0.5, 0.9)
    rescale: Rescale = "none"

    def __post_init__(self):
        super().__post_init__()
        check_all("radii", self.radii, 0)
        check_all("thresholds", self.thresholds, 0, 1)
        epochs = self.training.epochs
        check_between("every", self.every, 1, min(epochs, self.shuffled_epochs or epochs))
        for name in ("shuffled_epochs", "measured_images"):
            check_least(name, getattr(self, name), 1)


@dataclasses.dataclass(frozen=True)
class Heuristics(Shared):
    """Five ways to train, looked at by frequency: vanilla, dropout, mix-up, batch normalization, adversarial.

    `dropout`: share of the pooled features. `mix_up`: alpha of the Beta distribution. `batch_norm`: the kind
    that is trained and drawn (`published`: the network's own, by running statistics), by `batch_norm_rate`
    (null: the rate of the others); at the end both kinds are measured. `every`: measure the test images
    after every n-th epoch (null: at the end alone; a reference network is then taken where one is trained
    so). `rescale`: `max` divides training images and filtered test images by their largest pixel, as
    published; at the end both ways are measured.
    """

    radii: tuple[float, ...] = (4, 8, 12, 16)
    dropout: float = 0.5
    mix_up: float = 1.0
    every: int | None = 1
    rescale: Rescale = "none"
    batch_norm: Literal["published", "batch", "batch_statistics"] = "batch"
    batch_norm_rate: float | None = None
    adversary: AdversarialTraining = dataclasses.field(default_factory=AdversarialTraining)

    def __post_init__(self):
        super().__post_init__()
        check_all("radii", self.radii, 0)
        check_within("dropout", self.dropout, 0, 1)
        check_within("mix_up", self.mix_up, 0, 100)
        epochs = self.training.epochs
        check_between("every", self.every, 1, min(epochs, self.adversary.epochs or epochs))
        check_within("batch_norm_rate", self.batch_norm_rate, 0, 10)


@dataclasses.dataclass(frozen=True)
class Components(Shared):
    """Training on the low or the high part of the images alone, testing on the originals.

    `rescale`: `max` divides every training image by its largest pixel, as published.
    """

    radii: tuple[float, ...] = (4, 8, 12, 16)
    rescale: Rescale = "none"

    def __post_init__(self):
        super().__post_init__()
        check_all("radii", self.radii, 0)


@dataclasses.dataclass(frozen=True)
class Kernels(Shared):
    """First-layer kernels of a naturally and an adversarially trained network, and what smoothing them does.

    `rhos`: weights of the eight neighbours. `normalize`: divide by 1 + 8 rho. FGSM and PGD run through
    Foolbox on the first `attack_images` test images, at the fixed `epsilons`, and for the smallest
    adversarial on a ladder of sizes, `minimal_epsilons`, for the first `minimal_images`.
    """

    rhos: tuple[float, ...] = (0, 0.1, 0.25, 0.5, 1)
    normalize: bool = False
    epsilons: tuple[float, ...] = (0.03, 0.06, 0.09)
    minimal_epsilons: tuple[float, ...] = (0.002, 0.004, 0.008, 0.016, 0.03, 0.06, 0.09, 0.2)
    attack_steps: int = 40
    attack_images: int = 1000
    minimal_images: int = 1000
    adversary: AdversarialTraining = dataclasses.field(default_factory=AdversarialTraining)

    def __post_init__(self):
        super().__post_init__()
        check_all("rhos", self.rhos, 0)
        check_all("epsilons", self.epsilons, 1e-6, 1)
        check_all("minimal_epsilons", self.minimal_epsilons, 1e-6, 1)
        for name in ("attack_steps", "attack_images", "minimal_images"):
            check_least(name, getattr(self, name), 1)


@dataclasses.dataclass(frozen=True)
class Gallery(Shared):
    """Images that a network knows by their high frequencies alone and mistakes by their low ones.

    `radii`: the split radii whose images are counted; `radius`: the one that is drawn, `examples` images of
    it. `rescale`: `max` divides filtered images by their largest pixel, as published.
    """

    radii: tuple[float, ...] = (4, 8, 12, 16)
    radius: float = 12
    examples: int = 8
    rescale: Rescale = "none"

    def __post_init__(self):
        super().__post_init__()
        check_all("radii", self.radii, 0)
        if self.radius not in self.radii:
            raise ValueError(
                f"`radius` must be one of `radii`, {list(self.radii)}. Received: radius={self.radius}"
            )
        check_between("examples", self.examples, 1, 10)


@dataclasses.dataclass(frozen=True)
class Perturbations(Shared):
    """Where in the spectrum FGSM and PGD put their energy, for a natural and an adversarial network.

    The attacks run through Foolbox at one `epsilon` on the first `attack_images` test images. `radii` bound
    the rings whose share of the energy is told.
    """

    radii: tuple[float, ...] = (4, 8, 12, 16)
    epsilon: float = 0.03
    attack_steps: int = 40
    attack_images: int = 1000
    adversary: AdversarialTraining = dataclasses.field(default_factory=AdversarialTraining)

    def __post_init__(self):
        super().__post_init__()
        check_all("radii", self.radii, 0)
        check_within("epsilon", self.epsilon, 0, 1)
        for name in ("attack_steps", "attack_images"):
            check_least(name, getattr(self, name), 1)


@dataclasses.dataclass(frozen=True)
class BNStudy(Shared):
    """What batch normalization gains where networks train on filtered images alone.

    The networks train on low-passed images of each radius of `low_radii`, as in the paper, on high-passed
    ones of each of `radii`, and on images without their mean (high-passed by half a bin), which the gains are
    held against; they are tested on images of the same filter and on the originals. `rescale`: `max` divides
    all of them by their largest pixel, as published.
    """

    low_radii: tuple[float, ...] = (4, 8, 12, 16)
    radii: tuple[float, ...] = (4, 8, 12)
    rescale: Rescale = "none"
    batch_norm: Literal["batch", "batch_statistics"] = "batch"

    def __post_init__(self):
        super().__post_init__()
        check_all("low_radii", self.low_radii, 1)
        check_all("radii", self.radii, 1)
