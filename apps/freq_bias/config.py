"""Settings of the seven experiments, and the groups that they share."""

from __future__ import annotations

import dataclasses
from typing import Literal

from apps.lab.settings import (
    Crop,
    Data,
    Repeated,
    Training,
    check_all,
    check_between,
    check_least,
    check_names,
    check_within,
)

SETS = ("original", "scr", "wcr", "hars")
Center = Literal["dc", "pixel"]
Bins = Literal["all", "inner"]
EvalCast = Literal["none", "clip", "minmax", "uint8_wrap"]


def _published() -> Training:
    """ResNet-18 as the authors' code trains it."""
    return Training(
        network="resnet18",
        statistics="cifar10_pytorch",
        epochs=200,
        schedule="steps",
        milestones=(50, 100, 150),
        crop=Crop(padding=4, mode="reflect"),
    )


@dataclasses.dataclass(frozen=True)
class Kernels:
    """The kernels of `keras_freq.cdes.CDES`, how they are trained, and how images are made with them.

    `images_per_class`: images that the kernels of a class train on (null: all); those of all classes train on
    as many of each. The rate is divided by 10 after every `decay_every` epochs. The options after `seed` are
    those of `CDES` and of `keras_freq.cdes.make_scr`, where they are described; the published code took
    `masks: reference`, `center: pixel`, `carry_over: true`, `include_test: true`, `shuffle: false` and
    `epoch: 0`. `transform_noise`: whether the kernels see noise when images are made, too.
    """

    filters: int = 16
    kernel_size: int = 7
    rho: float = 1.0
    radius: float = 10
    epochs: int = 20
    batch_size: int = 100
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 1e-4
    decay_every: int = 5
    images_per_class: int | None = None
    seed: int = 0
    center: Center = "dc"
    bins: Bins = "inner"
    masks: Literal["complementary", "reference"] = "complementary"
    noise: float = 0.1
    similarity: Literal["noisy", "clean"] = "noisy"
    reduction: Literal["mean", "sum"] = "mean"
    shuffle: bool = True
    include_test: bool = False
    carry_over: bool = False
    epoch: int | None = None
    transform_noise: bool = True

    def __post_init__(self):
        for name in ("filters", "kernel_size", "epochs", "batch_size", "decay_every"):
            check_least(f"kernels.{name}", getattr(self, name), 1)
        for name in ("rho", "radius", "noise", "seed"):
            check_least(f"kernels.{name}", getattr(self, name), 0)
        check_within("kernels.learning_rate", self.learning_rate, 0, 10)
        check_within("kernels.momentum", self.momentum, -1e-9, 1)
        check_within("kernels.weight_decay", self.weight_decay, -1e-9, 1)
        check_least("kernels.images_per_class", self.images_per_class, 1)
        check_between("kernels.epoch", self.epoch, 0, self.epochs - 1)


@dataclasses.dataclass(frozen=True)
class Shared(Repeated):
    """What every experiment with networks has. `seeds` repetitions use the seeds `seed`, `seed + 1`, ..."""

    data: Data = dataclasses.field(default_factory=Data)
    training: Training = dataclasses.field(default_factory=_published)


@dataclasses.dataclass(frozen=True)
class Priority(Shared):
    """Learning priority: the spectrum of the input gradients of the test images after every epoch.

    `every`: measure after every n-th epoch, on the first `measured_images` test images (null: all). `center`
    and `bins` choose the bands: `pixel` with `inner` are the published ones.
    """

    every: int = 1
    measured_images: int | None = None
    center: Center = "dc"
    bins: Bins = "all"

    def __post_init__(self):
        super().__post_init__()
        check_least("every", self.every, 1)
        check_least("measured_images", self.measured_images, 1)


@dataclasses.dataclass(frozen=True)
class Onset(Shared):
    """The first steps: gradients and accuracy on filtered images after 0, 1, 2, 4, ... `iterations` of them.

    `radius` filters the test images. Gradients are of the first `measured_images` test images (null: all), in
    the bands of `center` and `bins`, as in `priority`. `level`: the accuracy that low- and high-passed images
    are to reach. Networks are trained here and not kept.
    """

    iterations: int = 1024
    radius: float = 8
    level: float = 0.2
    measured_images: int | None = 500
    center: Center = "dc"
    bins: Bins = "all"

    def __post_init__(self):
        super().__post_init__()
        check_least("iterations", self.iterations, 1)
        check_least("radius", self.radius, 0)
        check_within("level", self.level, 0, 1)
        check_least("measured_images", self.measured_images, 1)
        if self.training.validation:
            raise ValueError(
                "`training.validation` must be 0: nothing is held out here. "
                f"Received: training.validation={self.training.validation}"
            )
        if self.training.iterations is not None:
            raise ValueError(
                "`training.iterations` must be null: `iterations` says how many steps are taken. "
                f"Received: training.iterations={self.training.iterations}"
            )


@dataclasses.dataclass(frozen=True)
class Generate:
    """Writes the SCR and the WCR copy of a data set, train and test, and shows images and densities.

    `folder`: where the copies go, as `NAME_scr.npz`, `NAME_wcr.npz` and, where `tfds` says so, as sets that
    TFDS loads with `data_dir=folder`. `sets`: which of the two. `examples`: images a class in the figure.
    """

    seed: int = 0
    output: str | None = None
    data: Data = dataclasses.field(default_factory=Data)
    kernels: Kernels = dataclasses.field(default_factory=Kernels)
    folder: str = "runs/enhanced"
    sets: tuple[str, ...] = ("scr", "wcr")
    tfds: bool = True
    examples: int = 1

    def __post_init__(self):
        check_least("seed", self.seed, 0)
        check_names("sets", self.sets, ("scr", "wcr"))
        check_between("examples", self.examples, 1, 5)


@dataclasses.dataclass(frozen=True)
class Discrimination(Shared):
    """Feature discrimination: networks trained on original, SCR and WCR images, tested by frequency.

    `radii` of the low- and high-passed test images. `eval_cast`: what happens to them before they are
    classified, each measured: none, clip, minmax, or uint8_wrap, the cast of the published loader. The
    gradient spectra are of the first `measured_images` test images (null: all), after every n-th epoch
    (`every`).
    """

    kernels: Kernels = dataclasses.field(default_factory=Kernels)
    radii: tuple[float, ...] = (4, 6, 8, 10, 12, 14, 16, 18)
    eval_cast: tuple[str, ...] = ("none", "uint8_wrap")
    sets: tuple[str, ...] = ("original", "scr", "wcr")
    every: int = 1
    measured_images: int | None = None

    def __post_init__(self):
        super().__post_init__()
        check_all("radii", self.radii, 0)
        check_names("eval_cast", self.eval_cast, ("none", "clip", "minmax", "uint8_wrap"))
        check_names("sets", self.sets, ("original", "scr", "wcr"))
        check_between("every", self.every, 1, self.training.epochs)
        check_least("measured_images", self.measured_images, 1)


@dataclasses.dataclass(frozen=True)
class Consistency(Shared):
    """Class consistency: networks trained on HARS, where one part of the spectrum is another class's.

    `radius` splits the spectrum. `transforms` and `keep` are those of `keras_freq.cdes.make_hars`, each pair
    a training set beside the originals. `radii` and `eval_cast` as in the experiment discrimination.
    """

    radius: float = 12
    transforms: tuple[str, ...] = ("dft", "dct")
    keep: tuple[str, ...] = ("high", "low")
    radii: tuple[float, ...] = (4, 6, 8, 10, 12, 14, 16, 18)
    eval_cast: tuple[str, ...] = ("none", "uint8_wrap")

    def __post_init__(self):
        super().__post_init__()
        check_least("radius", self.radius, 0)
        check_names("transforms", self.transforms, ("dft", "dct"))
        check_names("keep", self.keep, ("high", "low"))
        check_all("radii", self.radii, 0)
        check_names("eval_cast", self.eval_cast, ("none", "clip", "minmax", "uint8_wrap"))


@dataclasses.dataclass(frozen=True)
class Densities(Shared):
    """Spectral density of the images against the spectrum of the input gradients, by class and data set.

    A network trains on each of the `sets` (`hars` is the DFT form of radius 12 that keeps the high part);
    both spectra are of the first `images_per_class` test images of each class (null: all). `center` and
    `bins` choose the bands.
    """

    kernels: Kernels = dataclasses.field(default_factory=Kernels)
    sets: tuple[str, ...] = SETS
    images_per_class: int | None = None
    center: Center = "dc"
    bins: Bins = "all"

    def __post_init__(self):
        super().__post_init__()
        check_names("sets", self.sets, SETS)
        check_least("images_per_class", self.images_per_class, 1)


@dataclasses.dataclass(frozen=True)
class Regularizer(Shared):
    """Networks whose input gradients are driven towards low or high frequencies, beside one that is not.

    The weight of the penalty is `training.augmentations.regularizer`. Measured: the spectrum of the input
    gradients of the test images, accuracy on low- and high-passed ones (`radii`), error under the 15
    corruptions at `severities`.
    """

    rows: tuple[str, ...] = ("standard", "spectral_low", "spectral_high")
    radii: tuple[float, ...] = (4, 8, 12, 16)
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)

    def __post_init__(self):
        super().__post_init__()
        check_names("rows", self.rows, ("standard", "spectral_low", "spectral_high"))
        check_all("radii", self.radii, 0)
        check_all("severities", self.severities, 1, 5)
