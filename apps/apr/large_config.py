"""Settings of the experiment on large images."""

from __future__ import annotations

import dataclasses
from typing import Literal

from apps.apr.config import APR
from apps.lab.settings import (
    Augmentations,
    Crop,
    Data,
    Repeated,
    Training,
    check_all,
    check_least,
    check_names,
)


def _imagenet_training() -> Training:
    """The authors' recipe on ImageNet."""
    return Training(
        network="resnet50_imagenet",
        statistics="imagenet",
        epochs=100,
        batch_size=256,
        weight_decay=1e-4,
        schedule="steps",
        milestones=(30, 60, 90),
        augmentations=Augmentations(pair=0.5, pair_space="normalized", overflow="wrap"),
        crop=Crop(area=(0.08, 1.0), size=224, center=224 / 256),
    )


@dataclasses.dataclass(frozen=True)
class ImageNet(Repeated):
    """Ways to train on large images, from a stream: clean error, and error under corruptions.

    `image_size`: the shorter side that images are brought to, of which the square in the middle is kept;
    `train_image_size`: the same for training (null: as `image_size`; both null: the stored size). What the
    network sees of them: `training.crop`. `corrupted`: imagenet2012_corrupted of TFDS (prepared in
    `data.data_dir`), or a folder in the layout of CIFAR-10-C; null: the crops of the test images are
    corrupted here each time, with the parameters that `table` names. `corruptions`: null for the 15 of the
    benchmark. `data_parallel`: a batch is shared among all devices, on JAX. With `data.train_images` or
    `data.test_images` that split is held in memory, else nothing is.
    """

    seeds: int = 1
    data: Data = dataclasses.field(default_factory=lambda: Data(name="imagenet2012"))
    image_size: int | None = 256
    train_image_size: int | None = None
    rows: tuple[str, ...] = APR
    training: Training = dataclasses.field(default_factory=_imagenet_training)
    data_parallel: bool = False
    corrupted: str | None = None
    corruptions: tuple[str, ...] | None = None
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    table: Literal["auto", "small", "medium", "large"] = "large"

    def __post_init__(self):
        super().__post_init__()
        for name in ("image_size", "train_image_size"):
            check_least(name, getattr(self, name), 8)
        if self.training.crop.size is None:
            raise ValueError(
                "`training.crop.size` must be the side of what the network sees. "
                "Received: training.crop.size=null"
            )
        if self.training.network == "resnet50_imagenet":
            check_least("training.crop.size", self.size, 32)
        check_names("rows", self.rows, APR)
        check_all("severities", self.severities, 1, 5)
        if self.data.fallback is not None:
            raise ValueError(
                "`data.fallback` must be null here: CIFAR cannot stand in for large images. "
                f"Received: data.fallback={self.data.fallback}"
            )
        if self.corrupted == "imagenet2012_corrupted" and self.size != 224:
            raise ValueError(
                "`training.crop.size` must be 224, the size of the images of imagenet2012_corrupted. "
                f"Received: training.crop.size={self.size}"
            )

    @property
    def size(self) -> int:
        """Side of what the network sees."""
        return self.training.crop.size or 0
