"""Settings of the experiments, and the groups that they share."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import Any, Literal

from apps.lab.augmentations import PLAIN_ROWS, ROWS
from apps.lab.networks import NETWORKS
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

METHODS = ("hfss", "exact", "hybrid", "gradient")
Mean = Literal["dataset", "zero"]


@dataclasses.dataclass(frozen=True)
class LabeledImages(Data):
    """What to train on and measure with.

    `name`, `data_dir`, `download`, `image_size` and `classes` are what `keras_freq.data.load` takes: a set of
    TFDS, an `.npz` file or a folder of images; `classes` names those to keep, in order (null: all).
    `fallback` is the set to take where `name` is not there (null: stop). `train_images` and `test_images`
    keep the first images only (null: all).
    """

    image_size: int | None = None
    classes: tuple[str, ...] | None = None

    def __post_init__(self):
        super().__post_init__()
        check_least("data.image_size", self.image_size, 8)
        if self.classes is not None and len(self.classes) < 2:
            raise ValueError(
                f"`data.classes` must name at least two classes. Received: data.classes={list(self.classes)}"
            )


def _published(**changes: Any) -> Training:
    """As published: SGD, weight decay in the loss, a rate that falls on plateaus, crop and flip."""
    published = Training(
        network="resnet18",
        batch_size=64,
        learning_rate=0.01,
        nesterov=True,
        weight_decay=1e-4,
        schedule="plateau",
        patience=11,
        threshold=1e-4,
        validation=0.1,
        crop=Crop(padding=4),
    )
    return dataclasses.replace(published, **changes)


def _early(iterations: int) -> Training:
    """The first steps of it: a constant rate, no image held out, no augmentation."""
    return _published(iterations=iterations, schedule="constant", validation=0.0, crop=Crop())


def _check_steps(training: Training, every: int) -> None:
    if training.iterations is None:
        raise ValueError(
            "`training.iterations` must be the number of steps to take. Received: training.iterations=null"
        )
    check_between("every", every, 1, training.iterations)


@dataclasses.dataclass(frozen=True)
class Search:
    """How dominant frequencies are found.

    `images_per_class`: search images, from the training set (null: as many as the test set has); with
    `split: test` the test images themselves, as published. `patch`: side of the blocks of bins that are
    removed together. `method` of `keras_freq.shortcuts.frequency_importance`; `mirror: reference` removes the
    blocks of the published code. `fraction`: share of the bins that a map keeps. `dc`: whether DC is ranked
    like the others (as published), kept in every map or in none. `mean`: what images without it lie about:
    the mean of the data set that the network normalizes with, as where normalized images are filtered (as
    published), or 0.
    """

    images_per_class: int | None = None
    split: Literal["separate", "test"] = "separate"
    patch: int = 1
    method: Literal["exact", "hybrid", "gradient"] = "exact"
    mirror: Literal["conjugate", "reference"] = "conjugate"
    fraction: float = 0.05
    dc: Literal["rank", "keep", "drop"] = "rank"
    mean: Mean = "dataset"

    def __post_init__(self):
        check_least("search.images_per_class", self.images_per_class, 1)
        check_least("search.patch", self.patch, 1)
        check_within("search.fraction", self.fraction, 0, 1)


@dataclasses.dataclass(frozen=True)
class Stages:
    """How `keras_freq.shortcuts.hfss` searches.

    `patches`: side of the patches of each stage (null: halved from a quarter of the image to 1 or 2).
    `budgets`: masks a stage. `share`: part of the patches that a mask keeps. `top`: masks of a class that the
    next stage goes on from. `grid` and `mirror` as there.
    """

    patches: tuple[int, ...] | None = None
    budgets: tuple[int, ...] = (1000, 2000, 4000, 8000)
    share: float = 0.6
    top: int = 10
    grid: Literal["all", "aligned", "shifted", "union"] = "all"
    mirror: Literal["conjugate", "n-1-i"] = "conjugate"

    def __post_init__(self):
        if self.patches is not None and not all(side >= 1 for side in self.patches):
            raise ValueError(f"`stages.patches` must be at least 1. Received: {list(self.patches)}")
        if not self.budgets or min(self.budgets) < 1:
            raise ValueError(
                "`stages.budgets` must hold a number of masks for each stage, each at least 1. "
                f"Received: stages.budgets={list(self.budgets)}"
            )
        check_within("stages.share", self.share, 0, 1)
        check_least("stages.top", self.top, 1)


@dataclasses.dataclass(frozen=True)
class Shared(Repeated):
    """What every experiment with networks has. `seeds` repetitions use the seeds `seed`, `seed + 1`, ..."""

    data: LabeledImages = dataclasses.field(default_factory=LabeledImages)
    training: Training = dataclasses.field(default_factory=_published)


@dataclasses.dataclass(frozen=True)
class Synthetic(Repeated):
    """Synthetic band sets: which class is learnt first, and which survives when bands are removed.

    `bands`: the sets, one each, `train_per_class` and `test_per_class` images a class, drawn from the seed.
    `overlap`: the part of C3's noise that lies in all bands as that of the others (0: none).
    `networks` train for `training.iterations` steps; F1 of each class on the test images is recorded at
    every `every`-th. Then every pair of the four bands is removed from the test images.
    """

    bands: tuple[int, ...] = (1, 2, 3, 4)
    train_per_class: int = 1000
    test_per_class: int = 250
    overlap: float = 0.0
    networks: tuple[str, ...] = ("resnet18", "alexnet_small", "vgg16_bn")
    every: int = 10
    training: Training = dataclasses.field(default_factory=functools.partial(_early, 500))

    def __post_init__(self):
        super().__post_init__()
        check_all("bands", self.bands, 1, 4)
        check_names("networks", self.networks, tuple(NETWORKS))
        for network in self.networks:  # which may lack what `training` sets
            dataclasses.replace(self.training, network=network)
        check_between("overlap", self.overlap, 0, 1)
        for name in ("train_per_class", "test_per_class"):
            check_least(name, getattr(self, name), 1)
        _check_steps(self.training, self.every)


@dataclasses.dataclass(frozen=True)
class Learning(Shared):
    """Early learning on natural images: F1 of each class over the first iterations.

    Networks train for `training.iterations` steps on the images as they are, low-passed and high-passed
    (`d < radius`, `d >= radius`), each measured on test images of its own kind at every `every`-th step.
    """

    kinds: tuple[str, ...] = ("original", "low", "high")
    radius: float = 14
    every: int = 20
    training: Training = dataclasses.field(default_factory=functools.partial(_early, 1200))

    def __post_init__(self):
        super().__post_init__()
        check_names("kinds", self.kinds, ("original", "low", "high"))
        check_least("radius", self.radius, 0)
        _check_steps(self.training, self.every)


@dataclasses.dataclass(frozen=True)
class Adcs:
    """ADCS maps of a data set: at which frequencies a class has more amplitude than the others.

    `channel`: how the channels become one map; with `published` the maps of the published code stand beside
    (sums, the class compared with itself, ties counted as -1, luma). `split`: the images that the maps are
    of, the first `images_per_class` of each class (null: all); published: 50 images of the validation
    split, which is the test split here.
    """

    seed: int = 0
    output: str | None = None
    data: LabeledImages = dataclasses.field(default_factory=LabeledImages)
    channel: Literal["mean", "luma", "sign_then_mean"] = "mean"
    published: bool = True
    split: Literal["train", "test"] = "test"
    images_per_class: int | None = 50

    def __post_init__(self):
        check_least("seed", self.seed, 0)
        check_least("images_per_class", self.images_per_class, 1)


@dataclasses.dataclass(frozen=True)
class Study(Shared):
    """Dominant frequency maps of networks, and what each map leaves of them: TPR and FPR.

    Each of the `networks` trains with `training` (its own `network` and `width` apart); the first one also
    with each of the `augmentations`. `widths`: one for each network (null: as published). `every`: the test
    under the final maps after every n-th epoch of the first network (null: not), which is trained a second
    time for it.
    """

    networks: tuple[str, ...] = ("resnet18", "resnet50", "vgg16_bn", "vit", "alexnet_small")
    widths: tuple[int, ...] | None = None
    augmentations: tuple[str, ...] = ("standard", "aug_mix", "rand_augment", "apr_sp")
    search: Search = dataclasses.field(default_factory=Search)
    every: int | None = 1

    def __post_init__(self):
        super().__post_init__()
        check_names("networks", self.networks, tuple(NETWORKS))
        check_names("augmentations", self.augmentations, PLAIN_ROWS)
        if self.widths is not None and len(self.widths) != len(self.networks):
            raise ValueError(
                f"`widths` must hold one number for each of the {len(self.networks)} networks. "
                f"Received: widths={list(self.widths)}"
            )
        for network, width in zip(self.networks, self.widths or [None] * len(self.networks), strict=True):
            check_least("widths", width, 1)
            dataclasses.replace(self.training, network=network, width=width)  # which it may lack
        check_least("every", self.every, 1)


@dataclasses.dataclass(frozen=True)
class Transfer(Shared):
    """Maps found on one set, tested on others: TPR and FPR before and after.

    `corruptions` at `severity`: copies of the test images, made here. `other`: names of sets with a test
    split and the same classes, as `data.name` (`cifar10_1/v6` is CIFAR-10.1 of TFDS). `renditions`: a folder
    of images, one folder a class (null: none); `rendition_classes`: its class folders in the order of the
    classes (null: the names of the classes).
    """

    augmentations: tuple[str, ...] = ("standard", "apr_sp")
    search: Search = dataclasses.field(default_factory=Search)
    corruptions: tuple[str, ...] = ("gaussian_noise", "defocus_blur", "contrast", "jpeg_compression")
    severity: int = 3
    other: tuple[str, ...] = ()
    renditions: str | None = None
    rendition_classes: tuple[str, ...] | None = None

    def __post_init__(self):
        super().__post_init__()
        check_names("augmentations", self.augmentations, PLAIN_ROWS)
        check_between("severity", self.severity, 1, 5)


@dataclasses.dataclass(frozen=True)
class Compare(Shared):
    """HFSS, the exact ranking and its approximations on one network; the degree of shortcut learning.

    Each of the `methods` finds maps on the same search images; `fractions`: shares of the bins that the maps
    of the rankings keep (HFSS keeps what its stages leave; the rankings are also cut to the same share).
    `thresholds`: of the degree of shortcut learning. `corruptions` at `severity` and `fgsm` (epsilon; null:
    none): further test images for it.
    """

    methods: tuple[str, ...] = METHODS
    search: Search = dataclasses.field(default_factory=Search)
    stages: Stages = dataclasses.field(default_factory=Stages)
    fractions: tuple[float, ...] = (0.05,)
    thresholds: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    corruptions: tuple[str, ...] = ("gaussian_noise", "contrast")
    severity: int = 3
    fgsm: float | None = 4 / 255

    def __post_init__(self):
        super().__post_init__()
        check_names("methods", self.methods, METHODS)
        check_all("fractions", self.fractions, 1e-6, 1)
        check_all("thresholds", self.thresholds, 0, 1)
        if list(self.thresholds) != sorted(self.thresholds):
            raise ValueError(f"`thresholds` must rise. Received: thresholds={list(self.thresholds)}")
        check_between("severity", self.severity, 1, 5)
        check_within("fgsm", self.fgsm, -1e-9, 1)


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """Looks at EfficientNet-Lite0 with its weights of ImageNet-1k, through ten of its classes.

    `data`: what `keras_freq.data.load` takes, whose classes have the names of Imagenette's; `images`: how
    many of them, `image_size`: the side that they are brought to (null: as they are). Bands at `radii`; the
    heat map with waves of `epsilon` on `heat_map_images`, within `window` of DC; corruptions at `severity` on
    `corrupted_images`; PGD of `attack_steps` in balls of `levels`/255 on `attack_images`; noise of one
    octave, as in `keras_freq.evaluate.critical_band`, on `noise_images`. The ranking of squares of `patch`
    bins, cut at `fraction`, and HFSS with its `budgets` see `images_per_class`.
    """

    seed: int = 0
    output: str | None = None
    data: str = "imagenette112_val.npz"
    images: int | None = None
    image_size: int | None = None
    radii: tuple[float, ...] = (4, 8, 16, 32, 48)
    epsilon: float = 14.0
    heat_map_images: int = 100
    window: int = 8
    severity: int = 3
    corrupted_images: int = 200
    levels: tuple[float, ...] = (0.25, 0.5, 1)
    attack_steps: int = 10
    attack_images: int = 100
    noise_images: int = 300
    contrast: float = 0.2
    deviations: tuple[float, ...] = (0.01, 0.02, 0.04, 0.08, 0.16)
    images_per_class: int = 10
    patch: int = 8
    fraction: float = 0.05
    budgets: tuple[int, ...] = (50, 100, 200)

    def __post_init__(self):
        for name in ("images", "heat_map_images", "corrupted_images", "attack_images", "images_per_class"):
            check_least(name, getattr(self, name), 1)
        check_least("noise_images", self.noise_images, 1)
        check_between("contrast", self.contrast, 0.01, 1)
        check_all("deviations", self.deviations, 0.001)
        for name in ("window", "attack_steps", "patch"):
            check_least(name, getattr(self, name), 1)
        check_least("image_size", self.image_size, 32)
        check_between("severity", self.severity, 1, 5)
        check_between("fraction", self.fraction, 0, 1)
        check_all("radii", self.radii, 0.5)
        check_all("levels", self.levels, 0, 255)
        check_all("budgets", self.budgets, 1)


PRETRAINED = "efficientnet_lite0"
CONTROLS = ("disk", "power", "random")  # masks that know nothing of the network


@dataclasses.dataclass(frozen=True)
class MaskSearch:
    """Masks of equal shares, found by several methods.

    They are found on the first `search_per_class` training images of every class, and tested on the first
    `test_per_class` test images. `fractions`: falling shares of the bins. `patch`: side of the blocks that
    the rankings remove. Learned maps with each of the `specificities`; `steps` a class and share, with
    `images_per_step`, `learning_rate` and `smoothing`, as in `keras_freq.shortcuts.learned_path`.
    """

    seed: int = 0
    output: str | None = None
    data: LabeledImages = dataclasses.field(default_factory=LabeledImages)
    search_per_class: int = 50
    test_per_class: int = 100
    fractions: tuple[float, ...] = (0.2, 0.1, 0.05, 0.02)
    patch: int = 1
    specificities: tuple[float, ...] = (1,)
    steps: int = 30
    images_per_step: int = 32
    learning_rate: float = 0.1
    smoothing: float = 0.0

    def __post_init__(self):
        check_least("seed", self.seed, 0)
        for name in ("search_per_class", "test_per_class", "patch", "steps", "images_per_step"):
            check_least(name, getattr(self, name), 1)
        check_all("fractions", self.fractions, 1e-6, 1)
        if any(one <= other for one, other in itertools.pairwise(self.fractions)):
            raise ValueError(f"`fractions` must fall. Received: fractions={list(self.fractions)}")
        check_all("specificities", self.specificities, 0)
        check_within("learning_rate", self.learning_rate, 0, float("inf"))
        check_between("smoothing", self.smoothing, 0, 100)

    @property
    def searches(self) -> tuple[str, ...]:
        """Names of the methods that ask the network."""
        return ("gradient", "exact", *(f"learned-{weight:g}" for weight in self.specificities))

    def check_share(self, share: float) -> None:
        """Refuses a share of which there are no masks."""
        if share not in self.fractions:
            raise ValueError(f"`share` must be one of the fractions. Received: share={share}")


@dataclasses.dataclass(frozen=True)
class Frontier(MaskSearch):
    """How few frequencies are enough: masks of equal shares on reference networks, by several methods.

    `networks`: names of `keras_freq.models.reference`, or `efficientnet_lite0` for the one of ImageNet, which
    looks at classes with the names of Imagenette's. Learned maps with the first of the `specificities` are
    compared with the other methods. `budgets`: masks of each stage of `keras_freq.shortcuts.hfss`, which
    searches for every share by itself and leaves about that share; empty: without it.
    """

    networks: tuple[str, ...] = ("cifar10/standard", "cifar10/standard_twice", "cifar10/apr_sp")
    budgets: tuple[int, ...] = ()

    def __post_init__(self):
        super().__post_init__()
        for budget in self.budgets:
            check_least("budgets", budget, 1)
        if not self.networks:
            raise ValueError("`networks` must name at least one. Received: networks=[]")


@dataclasses.dataclass(frozen=True)
class Exchange(Frontier):
    """Each network under the maps of each other: whether a map is a property of a network, or of the data.

    As in `Frontier`; `methods`: those of its masks that are exchanged, at one `share` of its `fractions`.
    """

    networks: tuple[str, ...] = (
        "cifar10/standard",
        "cifar10/standard_twice",
        "cifar10/apr_s",
        "cifar10/apr_sp",
        "cifar10/gaussian_noise",
    )
    methods: tuple[str, ...] = ("exact", "learned-1")
    share: float = 0.05

    def __post_init__(self):
        super().__post_init__()
        if self.budgets:
            raise ValueError(f"`budgets` stands with frontier alone. Received: budgets={list(self.budgets)}")
        check_names("methods", self.methods, self.searches)
        self.check_share(self.share)
        if len(self.networks) < 2:
            raise ValueError(f"`networks` must name at least two. Received: networks={list(self.networks)}")


@dataclasses.dataclass(frozen=True)
class Cure(MaskSearch):
    """Networks trained against shortcuts, beside others: does less shortcut learning go with fewer errors?

    For each of `seeds` seeds the `rows` of `apps.lab.augmentations.ROWS` train with `training`, `standard`
    first. Rows that need maps have those of that network, found by `maps` at `share`. Then shortcut learning
    of every network is measured under maps of its own, found by each of the `methods`, and under that first
    network's maps; `disk`, `power` and `random` are methods too, that know no network and stand beside. On
    the same test images errors, under corruptions of `severity` too, and on the first `attacked` of them
    under PGD of the L-inf radius `epsilon`; `outside` names a set of unknown classes (as in
    `keras_freq.data.load`) that as many test images are to be told from (null: none). `store`: as in every
    app. `folder`: where the numbers of each network are kept for others (null: nowhere); what is there by the
    same settings is neither trained nor measured again, and what came later, a method or a set of unknown
    classes, is measured alone.
    """

    seeds: int = 3
    store: str = "runs/networks"
    folder: str | None = None
    rows: tuple[str, ...] = (
        "standard",
        "standard_twice",
        "gaussian_noise",
        "spectral_dropout",
        "amplitude_drop",
        "amplitude_uncertainty",
        "dfm_x",
        "dfm_dropped",
        "apr_s",
        "apr_sp",
        "hybrid_augment_pp",
    )
    maps: str = "exact"
    methods: tuple[str, ...] = ("exact", "learned-1")
    share: float = 0.05
    severity: int = 3
    attacked: int = 500
    epsilon: float = 1 / 255
    outside: str | None = None
    training: Training = dataclasses.field(default_factory=Training)

    def __post_init__(self):
        super().__post_init__()
        check_least("seeds", self.seeds, 1)
        check_names("rows", self.rows, tuple(ROWS))
        if self.rows[0] != "standard":
            raise ValueError(f"`rows` must begin with standard. Received: rows={list(self.rows)}")
        check_names("maps", (self.maps,), self.searches)
        check_names("methods", self.methods, (*self.searches, *CONTROLS))
        self.check_share(self.share)
        check_between("severity", self.severity, 1, 5)
        check_least("attacked", self.attacked, 1)
        check_between("epsilon", self.epsilon, 0, 1)
