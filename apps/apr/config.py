"""Settings of the experiments, and the groups that they share."""

from __future__ import annotations

import dataclasses
from typing import Literal

from apps.lab.augmentations import PLAIN_ROWS
from apps.lab.networks import NETWORKS
from apps.lab.settings import (
    Adversary,
    Augmentations,
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

APR = ("standard", "apr_p", "apr_s", "apr_sp")


def _published() -> Training:
    """The authors' recipe on CIFAR."""
    return Training(
        network="resnet18",
        epochs=200,
        nesterov=True,
        schedule="steps",
        milestones=(60, 120, 160, 190),
        factor=0.2,
        statistics="cifar10_pytorch",
        augmentations=Augmentations(overflow="wrap"),
        crop=Crop(padding=4, fill=128 / 255),
    )


@dataclasses.dataclass(frozen=True)
class Shared(Repeated):
    """What every experiment with networks has. `seeds` repetitions use the seeds `seed`, `seed + 1`, ..."""

    data: Data = dataclasses.field(default_factory=Data)
    training: Training = dataclasses.field(default_factory=_published)


@dataclasses.dataclass(frozen=True)
class Table(Shared):
    """Networks times ways to train: clean error and error under corruptions.

    `corrupted`: a folder in the layout of CIFAR-10-C, or `cifar10_corrupted` of TFDS (prepared in
    `data.data_dir`); null: the test images are corrupted here, once, and kept in the run folder. `rows`: ways
    to train, of `apps.lab.augmentations.ROWS`; null: all that need no maps.
    """

    networks: tuple[str, ...] = ("all_conv", "densenet", "wrn_40_2", "resnext", "resnet18")
    rows: tuple[str, ...] | None = None
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    corrupted: str | None = None

    def __post_init__(self):
        super().__post_init__()
        check_names("networks", self.networks, tuple(NETWORKS))
        for network in self.networks:  # which may lack what `training` sets
            dataclasses.replace(self.training, network=network)
        check_names("rows", self.all_rows, PLAIN_ROWS)
        check_all("severities", self.severities, 1, 5)

    @property
    def all_rows(self) -> tuple[str, ...]:
        return PLAIN_ROWS if self.rows is None else self.rows


@dataclasses.dataclass(frozen=True)
class Study(Shared):
    """One network, some ways to train, and a look at what comes out."""

    rows: tuple[str, ...] = APR

    def __post_init__(self):
        super().__post_init__()
        check_names("rows", self.rows, PLAIN_ROWS)

    @property
    def network(self) -> str:
        return self.training.network


@dataclasses.dataclass(frozen=True)
class Swap(Study):
    """The phase of one image with the amplitude of another: which does the prediction follow?

    Donors of amplitudes are test images of other classes, and those of `donors`, another set as
    `keras_freq.data.load` names it (TFDS, in `data.data_dir`, or an .npz file). `pairs`: test images that are
    recombined (null: all). `examples`: pairs that are drawn.
    """

    rows: tuple[str, ...] = ("standard", "apr_sp")
    donors: str | None = None
    pairs: int | None = None
    axes: Literal["chw", "hw"] = "chw"
    examples: int = 6

    def __post_init__(self):
        super().__post_init__()
        check_least("pairs", self.pairs, 2)
        check_between("examples", self.examples, 1, 12)


@dataclasses.dataclass(frozen=True)
class TwoHeads(Study):
    """One trunk with a head for the phase and one for the amplitude, beside networks with one head.

    Training: the recipe of `training`, on images and on their recombinations in every step; `mixed` and
    `amplitude_weight` are the weights of `keras_freq.training.TwoHeadModel`. `rows` are trained beside.
    Testing: error on the test images and on their corrupted copies (`severities`, `corrupted` as in `table`),
    and what each head follows where one of `pairs` test images (null: all) lends its phase and another one
    its amplitude.
    """

    rows: tuple[str, ...] = ("standard", "apr_p")
    mixed: float = 1.0
    amplitude_weight: float = 1.0
    axes: Literal["chw", "hw"] = "chw"
    pairs: int | None = None
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    corrupted: str | None = None

    def __post_init__(self):
        super().__post_init__()
        for name in ("mixed", "amplitude_weight"):
            check_between(name, getattr(self, name), 0, 1000)
        check_least("pairs", self.pairs, 2)
        check_all("severities", self.severities, 1, 5)
        for name, allowed in (("validation", 0), ("iterations", None)):
            if (value := getattr(self.training, name)) != allowed:
                word = "null" if allowed is None else allowed
                raise ValueError(
                    f"`training.{name}` must be {word} for a network with two heads. "
                    f"Received: training.{name}={value}"
                )
        if self.training.adversary.steps or self.training.crop.size is not None:
            raise ValueError(
                "a network with two heads is trained without an adversary and at the size of its images. "
                f"Received: training.adversary.steps={self.training.adversary.steps}, "
                f"training.crop.size={self.training.crop.size}"
            )


@dataclasses.dataclass(frozen=True)
class Detection(Study):
    """Telling images of other sets from those of known classes, and calibration, clean and corrupted.

    `outside`: sets of images of unknown classes, as `keras_freq.data.load` names them (TFDS, in
    `data.data_dir`, or .npz files); their test splits are taken, of each the first `outside_images` (null:
    all). `scores`: larger for known classes.
    `bins`: of the reliability diagram and the calibration error. `severities`: of the 15 corruptions that
    calibration is measured under, on the first `corrupted_images` test images (null: all); `corrupted` is as
    in `table`.
    """

    outside: tuple[str, ...] = ()
    outside_images: int | None = None
    scores: tuple[str, ...] = ("max_logit", "max_softmax")
    bins: int = 15
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    corrupted_images: int | None = None
    corrupted: str | None = None

    def __post_init__(self):
        super().__post_init__()
        check_names("scores", self.scores, ("max_logit", "max_softmax", "energy"))
        check_least("bins", self.bins, 1)
        check_all("severities", self.severities, 1, 5)
        for name in ("outside_images", "corrupted_images"):
            check_least(name, getattr(self, name), 1)
        if not self.outside or len(set(self.outside)) < len(self.outside):
            raise ValueError(
                f"`outside` must name at least one set, each once. Received: outside={list(self.outside)}"
            )


@dataclasses.dataclass(frozen=True)
class HeatMaps(Study):
    """Error by the frequency of an added wave.

    `epsilon`: L2 norm of the wave in each channel. `images`: the first test images, the same for every wave.
    `phase`: a number (radians) or random. `window`: largest distance from DC along each axis that is measured
    (null: all). `coverage`: reference is the half that the published picture of APR was made from (31 x 31
    on 32 px), half measures every conjugate pair once, full every bin.
    """

    epsilon: float = 4.0
    images: int = 1000
    phase: Literal["0", "pi/4", "random"] = "0"
    window: int | None = None
    coverage: Literal["half", "reference", "full"] = "reference"

    def __post_init__(self):
        super().__post_init__()
        check_within("epsilon", self.epsilon, 0, 1000)
        check_least("images", self.images, 1)
        check_least("window", self.window, 1)


def _published_adversarial() -> Training:
    """The authors' recipe: one step from a random start."""
    return Training(
        network="resnet18",
        epochs=55,
        learning_rate=0.2,
        schedule="cyclic",
        peak=0.5,
        precision="mixed_float16",
        augmentations=Augmentations(pair=0.16, overflow="wrap"),
        crop=Crop(padding=4),
        adversary=Adversary(steps=1, epsilon=8 / 255, step_size=10 / 255, random_start=True),
    )


@dataclasses.dataclass(frozen=True)
class Adversarial(Study):
    """Adversarial training in one random step, with and without recombination; worst case of several attacks.

    Training: the attack is `training.adversary`. Each row may have its own epochs, largest rate and chance
    that APR-S is applied to an image (`epochs`, `rates`, `singles`; a row that is not named takes those of
    `training`).
    Testing: the first `attack_images` test images in a ball of `epsilon`; `attacks` run one after the other
    on the images that still stand. `auto_attack`: also AutoAttack, through its package, on PyTorch.
    """

    training: Training = dataclasses.field(default_factory=_published_adversarial)
    epochs: dict[str, int] = dataclasses.field(default_factory=dict)
    rates: dict[str, float] = dataclasses.field(default_factory=dict)
    singles: dict[str, float] = dataclasses.field(default_factory=dict)
    epsilon: float = 8 / 255
    attacks: tuple[str, ...] = ("pgd_ce", "pgd_margin", "deepfool", "square")
    attack_steps: int = 40
    restarts: int = 2
    queries: int = 500
    attack_images: int = 1000
    auto_attack: bool = False

    def __post_init__(self):
        super().__post_init__()
        check_names("rows", self.rows, APR)
        check_least("training.adversary.steps", self.training.adversary.steps, 1)
        check_names("attacks", self.attacks, ("pgd_ce", "pgd_margin", "deepfool", "square"))
        check_within("epsilon", self.epsilon, 0, 1)
        for name in ("attack_steps", "restarts", "queries", "attack_images"):
            check_least(name, getattr(self, name), 1)
        for name, least in (("epochs", 1), ("rates", 1e-9), ("singles", 0)):
            for row, value in getattr(self, name).items():
                check_names(name, (row,), APR)
                check_least(f"{name}.{row}", value, least)


@dataclasses.dataclass(frozen=True)
class Corrupt:
    """Writes a corrupted copy of a split, in the layout of CIFAR-10-C.

    `folder`: where to. `image_size`: side that the images of a TFDS set are brought to (null: as they are).
    `corruptions`: names; standard: the 15 of the benchmark, all: the 4 others too, cifar10_bar and
    imagenet_bar: the 10 of each list of C-bar. `table`: small, medium, large or auto, the parameters for
    32, 64 or 224 pixels. `jpeg`: quality of the JPEG files that the images go through (0: none; null: 85
    for medium and large, as published). `frost`: folder of photographs of ice (null: ice is generated).
    """

    folder: str
    seed: int = 0
    output: str | None = None
    data: Data = dataclasses.field(default_factory=Data)
    split: Literal["train", "test"] = "test"
    image_size: int | None = None
    corruptions: tuple[str, ...] = ("standard",)
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    table: Literal["auto", "small", "medium", "large"] = "auto"
    jpeg: int | None = None
    frost: str | None = None

    def __post_init__(self):
        check_least("seed", self.seed, 0)
        check_all("severities", self.severities, 1, 5)
        check_least("image_size", self.image_size, 1)
        if self.data.fallback is not None:
            raise ValueError(
                "`data.fallback` must be null here: copies are of the set that is named. "
                f"Received: data.fallback={self.data.fallback}"
            )
        if self.jpeg is not None and not 0 <= self.jpeg <= 95:
            raise ValueError(f"`jpeg` must be null or from 0 to 95. Received: jpeg={self.jpeg}")
        if not self.corruptions or len(set(self.corruptions)) < len(self.corruptions):
            raise ValueError(
                "`corruptions` must hold names, each once, standard or all. "
                f"Received: corruptions={list(self.corruptions)}"
            )
