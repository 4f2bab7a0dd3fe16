"""Settings of the benchmarks."""

from __future__ import annotations

import dataclasses
from typing import Literal

from apps.lab.settings import check_all, check_between, check_least, check_names, check_within

# The parts of a run, in their order.
GROUPS = (
    "limits",
    "layers",
    "sweeps",
    "attacks",
    "corruptions",
    "feeds",
    "training",
    "peers",
    "memory",
    "import",
)
AXES = ("images", "frequencies", "classes")
# Of `apps.benchmarks.sweeps`, which imports Keras.
SWEEPS = (
    "accuracy",
    "class_scores",
    "band_accuracy",
    "fourier_heat_map",
    "frequency_importance",
    "hfss",
    "band_stop",
    "shortcut_report",
    "critical_band",
    "amplitude_swap",
    "corruption_error",
    "flip_rate",
    "input_gradient_spectrum",
    "learned_map",
    "adcs",
    "image_spectral_density",
)


@dataclasses.dataclass(frozen=True)
class Speed:
    """Every row is the median of pairs, ours and the other way in turn, after a first call of each.

    `groups`: which parts to measure. `full`: also images of 224 pixels, mixed precision, all corruptions, the
    slow attacks, Keras' own augmentations and the memory of every sweep. `against`: a JSON file of an earlier
    run; what became slower is named. `history`: the folder that every run adds its JSON file to. `output` is
    the run folder; null makes runs/benchmarks/speed/<time>-<backend>. `device`: `any` takes what the backend
    takes, `gpu` refuses to measure anything else.

    A row takes at most `pairs` pairs and stops, after the third, once `seconds` have passed. `batch_size`
    images of 32 x 32 a batch, with `full` also `large_batch` of 224 x 224; `images` for sweeps and feeds,
    `attack_images` for attacks of `attack_steps` steps; `search_images` and blocks of side `search_patch`,
    of which the published way removes one, for the ranking of frequencies.
    """

    seed: int = 0
    output: str | None = None
    history: str = "runs/benchmarks/history"
    against: str | None = None
    full: bool = False
    device: Literal["any", "gpu"] = "any"
    groups: tuple[str, ...] = GROUPS
    seconds: float = 0.5
    pairs: int = 15
    batch_size: int = 128
    large_batch: int = 16
    images: int = 128
    attack_images: int = 64
    attack_steps: int = 10
    search_images: int = 50
    search_patch: int = 8

    def __post_init__(self):
        check_least("seed", self.seed, 0)
        check_names("groups", self.groups, GROUPS)
        check_between("seconds", self.seconds, 0, 1000)
        for name in ("batch_size", "images", "attack_images", "attack_steps", "search_images"):
            check_between(name, getattr(self, name), 1, 1000)
        for name in ("pairs", "large_batch"):
            check_between(name, getattr(self, name), 1, 100)
        check_between("search_patch", self.search_patch, 1, 16)


@dataclasses.dataclass(frozen=True)
class Growth:
    """How time and peak memory of every sweep grow with the images, the frequencies and the classes.

    Each sweep along each of the `axes` has a process of its own, which goes through 1, 2, 4, ... up to
    `factor` times the smallest size: `images` images, `frequencies` groups of frequencies, masks or bands,
    `classes` outputs. A time is the least of `repeats` calls after a first one. The slope is that of
    log(time) over log(size); above `slope`, by the clock and of CPU time, it is named, and so is memory that
    grew by more than `megabytes` beyond the images themselves. `sweeps`: some of them (null: all).
    """

    seed: int = 0
    output: str | None = None
    axes: tuple[str, ...] = AXES
    sweeps: tuple[str, ...] | None = None
    factor: int = 16
    repeats: int = 2
    images: int = 128
    frequencies: int = 2
    classes: int = 4
    slope: float = 1.05
    megabytes: float = 64.0

    def __post_init__(self):
        check_least("seed", self.seed, 0)
        check_names("axes", self.axes, AXES)
        if self.sweeps is not None:
            check_names("sweeps", self.sweeps, SWEEPS)
        check_between("factor", self.factor, 2, 1024)
        for name in ("repeats", "frequencies"):
            check_between(name, getattr(self, name), 1, 100)
        check_between("images", self.images, 8, 10000)
        check_between("classes", self.classes, 2, 100)
        check_between("slope", self.slope, 0, 10)
        check_least("megabytes", self.megabytes, 0)


@dataclasses.dataclass(frozen=True)
class Scaling:
    """What more workers save: units of work under Ray, timed with few `workers` and simulated for more.

    `units` units, each the band accuracy of `images` images at `radii` radii, on workers of one thread. The
    simulated grid has `trainings` of `training_minutes`, each followed by `measurements` of
    `measurement_minutes`, on as many workers as `simulated` says.
    """

    seed: int = 0
    output: str | None = None
    workers: tuple[int, ...] = (1, 2)
    units: int = 24
    images: int = 256
    radii: int = 8
    simulated: tuple[int, ...] = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
    trainings: int = 100
    training_minutes: float = 40.0
    measurements: int = 20
    measurement_minutes: float = 4.0

    def __post_init__(self):
        check_least("seed", self.seed, 0)
        for name in ("units", "images", "radii", "trainings", "measurements"):
            check_least(name, getattr(self, name), 1)
        check_between("radii", self.radii, 1, 16)
        for name in ("workers", "simulated"):
            check_all(name, getattr(self, name), 1)
        if self.simulated[0] != 1:
            raise ValueError(f"`simulated` must begin with 1. Received: simulated={list(self.simulated)}")


@dataclasses.dataclass(frozen=True)
class Plan:
    """What measuring a large set costs, on paper.

    `images` images of `size` pixels a side and `classes` classes, on each number of `devices`. `rate`: images
    a second that one device passes forward (null: of ResNet-50, measured here in batches of `batch_size`).
    `corruption_ms`: milliseconds a corrupted image on one core, mean over the 15 corruptions (null: measured
    here). Each device has `cores` cores and a bus of `bandwidth` GB/s; a line of a journal takes `line_ms`.
    Several devices share the steps, of `step_images` images, as `keras_freq.evaluate.RayWorkers` does, whose
    board takes `step_ms` for each. `few`: images of the smaller heat map. Searches take `per_class` images of
    each class: HFSS with `budgets` masks by stage, learned maps with `steps` of `images_per_step` images for
    each class.
    """

    seed: int = 0
    output: str | None = None
    images: int = 50000
    size: int = 224
    classes: int = 1000
    devices: tuple[int, ...] = (1, 8, 64)
    rate: float | None = None
    corruption_ms: float | None = None
    batch_size: int = 32
    cores: int = 12
    bandwidth: float = 20.0
    line_ms: float = 5.0
    step_images: int = 128
    step_ms: float = 3.0
    few: int = 1000
    per_class: int = 50
    budgets: tuple[int, ...] = (1000, 2000, 4000, 8000)
    steps: int = 120
    images_per_step: int = 32

    def __post_init__(self):
        check_least("seed", self.seed, 0)
        for name in ("images", "batch_size", "cores", "few", "per_class", "steps", "images_per_step"):
            check_least(name, getattr(self, name), 1)
        check_least("step_images", self.step_images, 1)
        check_between("size", self.size, 8, 4096)
        check_between("classes", self.classes, 2, 1_000_000)
        check_all("devices", self.devices, 1)
        check_all("budgets", self.budgets, 1)
        for name in ("rate", "corruption_ms", "bandwidth", "line_ms", "step_ms"):
            value = getattr(self, name)
            if value is not None:
                check_within(name, value, 0, float("inf"))
