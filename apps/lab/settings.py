"""Settings that apps share, and checks of numbers among settings. Nothing here imports Keras."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Literal

from apps.lab.augmentations import ROWS
from apps.lab.networks import NETWORKS

Statistics = Literal["cifar10", "cifar10_pytorch", "imagenet", "imagenet10", "synthetic", "none"]


# Null passes the first three: it stands where a setting may be left out.
def check_least(name: str, value: float | None, least: float) -> None:
    if value is not None and not value >= least:
        raise ValueError(f"`{name}` must be at least {least:g}. Received: {name}={value}")


def check_within(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low < value < high:
        raise ValueError(f"`{name}` must be above {low:g} and below {high:g}. Received: {name}={value}")


def check_between(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        raise ValueError(f"`{name}` must lie in [{low:g}, {high:g}]. Received: {name}={value}")


def check_all(name: str, values: Iterable[float], least: float, most: float = float("inf")) -> None:
    values = list(values)
    if not values or not all(least <= value <= most for value in values):
        allowed = f"at least {least:g}" if most == float("inf") else f"in [{least:g}, {most:g}]"
        raise ValueError(f"`{name}` must hold at least one number, each {allowed}. Received: {name}={values}")
    if len(set(values)) < len(values):
        raise ValueError(f"`{name}` must hold each number once. Received: {name}={values}")


def check_names(name: str, values: Sequence[str], allowed: Sequence[str]) -> None:
    if not values or len(set(values)) < len(values) or not set(values) <= set(allowed):
        raise ValueError(
            f"`{name}` must hold some of {', '.join(allowed)}, each once. Received: {name}={list(values)}"
        )


@dataclasses.dataclass(frozen=True)
class Repeated:
    """What every experiment with networks has. `seeds` repetitions use the seeds `seed`, `seed + 1`, ...

    `store`: the folder where trained networks are kept and looked for; all apps share it.
    """

    seed: int = 0
    seeds: int = 3
    output: str | None = None
    store: str = "runs/networks"

    def __post_init__(self):
        check_least("seed", self.seed, 0)
        check_least("seeds", self.seeds, 1)

    @property
    def all_seeds(self) -> tuple[int, ...]:
        return tuple(range(self.seed, self.seed + self.seeds))


@dataclasses.dataclass(frozen=True)
class Data:
    """What to train on and measure with.

    `name` and `data_dir` are what `keras_freq.data.load` takes, `download` lets TFDS fetch the set.
    `fallback` is the set to take where `name` is not there (null: stop). `train_images` and `test_images`
    keep the first images only (null: all).
    """

    name: str = "cifar10"
    data_dir: str | None = None
    download: bool = False
    fallback: str | None = None
    train_images: int | None = None
    test_images: int | None = None

    def __post_init__(self):
        for name in ("train_images", "test_images"):
            check_least(f"data.{name}", getattr(self, name), 1)


@dataclasses.dataclass(frozen=True)
class Adversary:
    """The attack of adversarial training, projected gradient descent in an L-infinity ball.

    `steps`: 0 trains on natural images. `epsilon` and `step_size` in pixel units (pixels in [0, 1]).
    `random_start`: from a point of the ball drawn uniformly.
    """

    steps: int = 0
    epsilon: float = 0.03
    step_size: float = 0.003
    random_start: bool = False

    def __post_init__(self):
        check_least("adversary.steps", self.steps, 0)
        check_within("adversary.epsilon", self.epsilon, 0, 1)
        check_within("adversary.step_size", self.step_size, 0, 1)


@dataclasses.dataclass(frozen=True)
class Crop:
    """Random crops and flips of training images; as it stands, neither.

    `padding`: pixels around the image before a random crop of its old size, with a `flip` (null: none); they
    hold the number `fill`, or with `mode: reflect` the mirrored image. An alternating flip shows every image
    as it is in one epoch, mirrored in the next. `area`: bounds of the share of
    the area that a random box covers, `aspect`: of its ratio of width to height; it is resized to the whole,
    with a random flip (null: no box). `size`: side of what the network sees (null: that of the images); in
    testing it sees the middle, `center` of the shorter side, brought to that size.
    """

    padding: int | None = None
    flip: Literal["random", "alternating", "none"] = "random"
    mode: Literal["constant", "reflect"] = "constant"
    fill: float = 0.0
    area: tuple[float, float] | None = None
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    size: int | None = None
    center: float = 1.0

    def __post_init__(self):
        check_least("crop.padding", self.padding, 0)
        check_between("crop.fill", self.fill, 0, 1)
        check_between("crop.center", self.center, 0.1, 1)
        for name, most in (("area", 1), ("aspect", float("inf"))):
            bounds = getattr(self, name)
            if bounds is not None and not 0 < bounds[0] <= bounds[1] <= most:
                allowed = "above 0" + (" and up to 1" if most == 1 else "")
                raise ValueError(
                    f"`crop.{name}` must be two numbers {allowed}, the lower first. "
                    f"Received: crop.{name}={list(bounds)}"
                )
        check_least("crop.size", self.size, 8)
        if self.flip != "random" and self.padding is None:
            raise ValueError(
                "`crop.flip` needs `crop.padding`. "
                f"Received: crop.flip={self.flip}, crop.padding={self.padding}"
            )
        if self.size is not None and (self.area is None or self.padding is not None):
            raise ValueError(
                "`crop.size` needs `crop.area` and no `crop.padding`. "
                f"Received: crop.size={self.size}, crop.area={self.area}, crop.padding={self.padding}"
            )


@dataclasses.dataclass(frozen=True)
class Augmentations:
    """Strengths of the augmentations; a row of `apps.lab.augmentations.ROWS` uses its own alone.

    `pair`, `single`: chances to recombine of APR-P and APR-S; `applied`: chance that APR-S does anything to
    an image, `level`: strength of its operations, `overflow`: what becomes of levels beyond 0 to 255, clip,
    or wrap as in the published code.
    `pair_space`: APR-P mixes pixels, or pixels normalized as the network sees them. `cutout`: side of the
    hole as a share of the image; `hole`: what it holds. `mix_up`, `cut_mix`: alpha of the Beta distribution.
    `aug_mix`: level of its operations. `rand_augment`: strength of its two operations, in [0, 1].
    `gaussian_noise`: its standard deviation, of pixels in [0, 1]. `fourier_noise`: mean L2 norm of the wave
    in a channel, exponentially distributed. `hybrid`: chance of a hybrid image. `fda`: half-width of the
    amplitude window as a share of the shorter side. `maps`: dominant frequencies of each class, as
    `apps.lab.augmentations.write_maps` writes them; `map_probability`: chance of an image to be changed by
    them. `spectral_dropout`: share of the frequencies that goes; `amplitude_drop`: chance of an image to lose
    amplitudes; `amplitude_uncertainty`: chance of an image that its lowest amplitudes move, in
    `amplitude_uncertainty_steps` steps against the network. `regularizer`: weight of the share of the input
    gradients' energy that lies in high frequencies (row spectral_low) or in low ones (spectral_high).
    """

    pair: float = 0.6
    pair_space: Literal["pixels", "normalized"] = "pixels"
    single: float = 0.5
    applied: float = 1.0
    overflow: Literal["clip", "wrap"] = "clip"
    level: float = 3.0
    cutout: float = 0.5
    hole: float = 128 / 255
    mix_up: float = 1.0
    cut_mix: float = 1.0
    aug_mix: float = 3.0
    rand_augment: float = 0.3
    gaussian_noise: float = 0.1
    fourier_noise: float = 4.0
    hybrid: float = 0.6
    fda: float = 0.05
    maps: str = ""
    map_probability: float = 0.3
    spectral_dropout: float = 0.3
    amplitude_drop: float = 0.5
    amplitude_uncertainty: float = 0.5
    amplitude_uncertainty_steps: int = 5
    regularizer: float = 0.5

    def __post_init__(self):
        shares = ("pair", "single", "applied", "cutout", "hole", "cut_mix", "rand_augment", "hybrid", "fda")
        dropped = ("map_probability", "spectral_dropout", "amplitude_drop", "amplitude_uncertainty")
        for name in (*shares, *dropped, "gaussian_noise"):
            check_between(f"augmentations.{name}", getattr(self, name), 0, 1)
        for name in ("level", "aug_mix"):
            check_between(f"augmentations.{name}", getattr(self, name), 0.1, 10)
        check_least("augmentations.amplitude_uncertainty_steps", self.amplitude_uncertainty_steps, 0)
        check_between("augmentations.regularizer", self.regularizer, 0, 1000)
        for name in ("mix_up", "fourier_noise"):
            check_within(f"augmentations.{name}", getattr(self, name), 0, 100)


@dataclasses.dataclass(frozen=True)
class Training:
    """The recipe of a network: what it is, and how it is trained.

    `network`: a name of `apps.lab.networks.NETWORKS`. `width`: filters of its first stage, of a ResNeXt those
    of a group there, of a ViT the width of its tokens, of a WRN the factor by which it is wider; `dropout`:
    share of the last features (null: as published). `normalization`: as published, none, batch, or
    batch_statistics, which takes the statistics of the batch at hand at test time too.
    `statistics`: of which images the mean and deviation are that the first layer normalizes with;
    cifar10_pytorch has the smaller deviations of the codes of APR and FreqBias, .2023 .1994 .2010; none
    leaves pixels as they are.
    `precision`: the Keras policy of the network.

    `epochs`, or so many `iterations` of `batch_size` images (null: whole epochs). `momentum` and `nesterov`
    are SGD's. `weight_decay` is part of the loss, `weight_decay / 2 * |w|^2`, or with `decoupled` taken from
    the weights apart from the gradient. `lookahead`: every so many steps SGD's weights fall back to their
    slow average (`apps.lab.lookahead.Lookahead`; 0: never).

    `schedule`: constant; steps, the rate times `factor` after each of the `milestones` (epochs); cosine, down
    to 0, after `warmup` epochs of linear rise; cyclic, linearly from `begin` times the rate up to the
    rate at `peak` (a share of the training) and down to `end` times the rate; plateau, times `factor`
    where the loss of the validation images has not fallen, by more than the share `threshold`, for
    `patience` epochs. `validation`: share of the training images that is held out for it.

    `augmentation`: a name of `apps.lab.augmentations.ROWS`, which comes after the `crop`, with the strengths
    `augmentations`. `halves`: a row that mixes the images of a batch trains on the sum of the losses of the
    clean and the mixed half, as published, or on their mean, as large as the loss of a row that does not.
    `adversary`: the attack, where there is one; with it, both halves' losses are always averaged.
    """

    network: str = "small_resnet"
    width: int | None = None
    normalization: Literal["published", "none", "batch", "batch_statistics"] = "published"
    dropout: float | None = None
    statistics: Statistics = "cifar10"
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    epochs: int = 200
    iterations: int | None = None
    batch_size: int = 128
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9
    nesterov: bool = False
    lookahead: int = 0
    weight_decay: float = 5e-4
    decoupled: bool = False
    label_smoothing: float = 0.0
    schedule: Literal["constant", "steps", "cosine", "cyclic", "plateau"] = "constant"
    warmup: int = 0
    milestones: tuple[int, ...] = ()
    factor: float = 0.1
    peak: float = 0.4
    begin: float = 0.0
    end: float = 0.0
    patience: int = 10
    threshold: float = 0.0
    validation: float = 0.0
    augmentation: str = "standard"
    halves: Literal["sum", "mean"] = "sum"
    augmentations: Augmentations = dataclasses.field(default_factory=Augmentations)
    crop: Crop = dataclasses.field(default_factory=Crop)
    adversary: Adversary = dataclasses.field(default_factory=Adversary)

    def __post_init__(self):
        check_names("training.network", (self.network,), tuple(NETWORKS))
        check_names("training.augmentation", (self.augmentation,), tuple(ROWS))
        for name in ("epochs", "batch_size", "patience", "width", "iterations"):
            check_least(f"training.{name}", getattr(self, name), 1)
        for name in ("momentum", "weight_decay", "validation", "label_smoothing", "dropout"):
            check_within(f"training.{name}", getattr(self, name), -1e-9, 1)
        for name in ("factor", "peak"):
            check_within(f"training.{name}", getattr(self, name), 0, 1)
        check_within("training.learning_rate", self.learning_rate, 0, 10)
        for name in ("begin", "end", "threshold"):
            check_between(f"training.{name}", getattr(self, name), 0, 1)
        for name in ("warmup", "lookahead"):
            check_least(f"training.{name}", getattr(self, name), 0)
        if self.lookahead and self.optimizer != "sgd":
            raise ValueError(
                "`training.lookahead` must be 0 but for SGD. "
                f"Received: training.lookahead={self.lookahead}, training.optimizer={self.optimizer}"
            )
        if self.milestones:
            check_all("training.milestones", self.milestones, 1)
            if list(self.milestones) != sorted(self.milestones):  # Keras would make other rates of them
                raise ValueError(
                    f"`training.milestones` must rise. Received: training.milestones={list(self.milestones)}"
                )
        if self.schedule == "steps" and not self.milestones:
            raise ValueError(
                "`training.milestones` must name the epochs of the steps. Received: training.milestones=[]"
            )
        if self.schedule == "plateau" and self.validation == 0:
            raise ValueError(
                "`training.schedule` plateau needs validation images. Received: training.validation=0"
            )
        for name, usual in (("width", None), ("normalization", "published"), ("dropout", None)):
            if name in NETWORKS[self.network].lacks and getattr(self, name) != usual:
                raise ValueError(
                    f"`training.{name}` must be {'null' if usual is None else usual} for {self.network}. "
                    f"Received: training.{name}={getattr(self, name)}"
                )
        if ROWS[self.augmentation].mapped != bool(self.augmentations.maps):
            word = "hold" if ROWS[self.augmentation].mapped else "be empty without"
            raise ValueError(
                f"`training.augmentations.maps` must {word} maps of the classes for {self.augmentation}. "
                f"Received: training.augmentations.maps={self.augmentations.maps[:40]!r}"
            )
        if self.crop.size is not None and ROWS[self.augmentation].whole:
            raise ValueError(
                f"`training.crop.size` must be null for {self.augmentation}, which trains on images of their "
                f"size. Received: training.crop.size={self.crop.size}"
            )
        if self.adversary.steps and not ROWS[self.augmentation].adversarial:
            allowed = ", ".join(name for name, row in ROWS.items() if row.adversarial)
            raise ValueError(
                f"`training.augmentation` must be one of {allowed} with an adversary. "
                f"Received: training.augmentation={self.augmentation}"
            )
