"""Settings of the experiment on large images."""

from __future__ import annotations

import dataclasses
from typing import Literal

from apps.apr.config import Training
from apps.lab.settings import Data, check_all, check_least, check_names


@dataclasses.dataclass(frozen=True)
class Crops:
    """The augmentations of `imagenet`.

    `area`, `aspect`: bounds of the share of the area and of the ratio of width to height of a random crop.
    `pair`, `single`: chances to recombine of APR-P and APR-S; `level`: strength of the operations of APR-S.
    """

    area: tuple[float, float] = (0.08, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    pair: float = 0.5
    single: float = 0.5
    level: float = 3.0

    def __post_init__(self):
        for name, most in (("area", 1), ("aspect", float("inf"))):
            low, high = getattr(self, name)
            if not 0 < low <= high <= most:
                allowed = "above 0" + (" and up to 1" if most == 1 else "")
                raise ValueError(
                    f"`augmentations.{name}` must be two numbers {allowed}, the lower first. "
                    f"Received: augmentations.{name}={[low, high]}"
                )
        for name in ("pair", "single"):
            check_all(f"augmentations.{name}", [getattr(self, name)], 0, 1)
        check_all("augmentations.level", [self.level], 0.1, 10)


def _imagenet_training() -> Training:
    return Training(
        epochs=100,
        batch_size=256,
        nesterov=False,
        weight_decay=1e-4,
        milestones=(30, 60, 90),
        factor=0.1,
    )


@dataclasses.dataclass(frozen=True)
class ImageNet:
    """Ways to train on large images, from a stream: clean error, and error under corruptions.

    `image_size`: the shorter side that images are brought to, of which the square in the middle is kept;
    `train_image_size`: the same for training (null: as `image_size`; both null: the stored size). `crop`:
    side of what the network sees, a random crop in training; in testing the middle, `center` of the shorter
    side, brought to that size. `corrupted`: imagenet2012_corrupted of TFDS (prepared in `data.data_dir`), or
    a folder in the layout of CIFAR-10-C; null: the crops of the test images are corrupted here each time,
    with the parameters that `table` names. `corruptions`: null for the 15 of the benchmark. `data_parallel`:
    a batch is shared among all devices, on JAX. With `data.train_images` or `data.test_images` that split is
    held in memory, else nothing is.
    """

    seed: int = 0
    seeds: int = 1
    output: str | None = None
    data: Data = dataclasses.field(default_factory=lambda: Data(name="imagenet2012"))
    image_size: int | None = 256
    train_image_size: int | None = None
    crop: int = 224
    center: float = 224 / 256
    network: Literal["resnet50", "resnet18", "small_resnet"] = "resnet50"
    rows: tuple[str, ...] = ("standard", "apr_p", "apr_s", "apr_sp")
    training: Training = dataclasses.field(default_factory=_imagenet_training)
    augmentations: Crops = dataclasses.field(default_factory=Crops)
    data_parallel: bool = False
    corrupted: str | None = None
    corruptions: tuple[str, ...] | None = None
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    table: Literal["auto", "small", "large"] = "large"

    def __post_init__(self):
        check_least("seed", self.seed, 0)
        check_least("seeds", self.seeds, 1)
        for name in ("image_size", "train_image_size"):
            if getattr(self, name) is not None:
                check_least(name, getattr(self, name), 8)
        check_least("crop", self.crop, 32 if self.network == "resnet50" else 8)
        check_all("center", [self.center], 0.1, 1)
        check_names("rows", self.rows, ("standard", "apr_p", "apr_s", "apr_sp"))
        check_all("severities", self.severities, 1, 5)
        if self.data.fallback is not None:
            raise ValueError(
                "`data.fallback` must be null here: CIFAR cannot stand in for large images. "
                f"Received: data.fallback={self.data.fallback}"
            )
        if self.corrupted == "imagenet2012_corrupted" and self.crop != 224:
            raise ValueError(
                "`crop` must be 224, the size of the images of imagenet2012_corrupted. "
                f"Received: crop={self.crop}"
            )

    @property
    def all_seeds(self) -> tuple[int, ...]:
        return tuple(range(self.seed, self.seed + self.seeds))
