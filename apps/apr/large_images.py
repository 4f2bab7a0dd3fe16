"""Large images as streams: nothing is held in memory unless a split is limited."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

import keras_freq as kf
from apps.apr.large_config import ImageNet
from apps.lab import Run, RunError
from apps.lab.augmentations import cropping_layer
from apps.lab.images import as_bytes
from apps.lab.train import Stream


@dataclasses.dataclass(frozen=True)
class LargeImages:
    """A data set: a stream of batches to train on, and crops in the middle of the test images."""

    name: str
    classes: tuple[str, ...]
    train: Stream
    test: CenterCrops


class CenterCrops:
    """Batches of the middle of the images of a feed, as often as wanted."""

    def __init__(self, feed: Any, crop: kf.layers.RandomResizedCrop):
        self._feed, self._crop = feed, crop

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for images, labels, valid in kf.data.iterate_batches(self._feed):
            # Means of pixels in [0, 1], but for rounding.
            yield np.clip(self._crop.middle(images[:valid]), 0, 1), labels[:valid]


class WholeBatches(keras.utils.PyDataset):
    """The first `count` batches of every epoch of a shuffled feed: all but the ragged last one."""

    def __init__(self, feed: keras.utils.PyDataset, count: int):
        super().__init__()
        self._feed, self._count = feed, count
        self._fetched: set[int] | None = None

    @property
    def epoch(self) -> int:
        return self._feed.epoch

    @epoch.setter
    def epoch(self, value: int) -> None:
        self._feed.epoch = value

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if self._fetched is not None:
            self._fetched.add(index)
        return self._feed[index]

    def on_epoch_begin(self) -> None:
        self._fetched = set()

    def on_epoch_end(self) -> None:
        # The feed counts epochs whose every batch was fetched; these never are.
        if self._fetched is not None and len(self._fetched) == self._count:
            self._feed.epoch += 1
        self._fetched = None


def open_images(run: Run, config: ImageNet, *, seed: int) -> LargeImages:
    """Opens what the settings name, with the order of the training images drawn from `seed`."""
    test = _load(config, config.image_size, seed)
    size = config.train_image_size or config.image_size
    train = test if size == config.image_size else _load(config, size, seed)
    for split in ("train", "test"):
        if getattr(test, split) is None:
            raise RunError(
                "`data.name` must have a training split and a test or validation split. "
                f"Received: {test.name} without {split}"
            )
    if test.input_shape[2] != 3:
        raise RunError(f"`data.name` must hold images in color. Received: shape {test.input_shape}")
    run.measure("data", dict, measure="data", value=test.name, classes=len(test.classes))
    feed = _training_feed(config, train, seed)
    # What is held in memory stands for itself; of a set on disk its name, version and size do.
    content = (
        {"images": feed.images, "labels": feed.labels}
        if isinstance(feed, kf.data.ArrayBatches)
        else {"set": test.name, "side": size, "batches": len(feed), "batch_size": config.training.batch_size}
    )
    crop = cropping_layer(config.training, seed=seed)
    return LargeImages(
        test.name,
        test.classes,
        Stream(feed, train.input_shape, content),
        CenterCrops(_limit(config, test, "test", seed) or test.test, crop),
    )


def _load(config: ImageNet, size: int | None, seed: int, batch_size: int | None = None) -> kf.data.ImageData:
    try:
        return kf.data.load(
            config.data.name,
            data_dir=config.data.data_dir,
            download=config.data.download,
            batch_size=batch_size or config.training.batch_size,
            image_size=size,
            seed=seed,
        )
    except (FileNotFoundError, ImportError, ValueError) as error:
        raise RunError(str(error)) from error


def _limit(config: ImageNet, data: kf.data.ImageData, split: str, seed: int) -> kf.data.ArrayBatches | None:
    """The first images of a split in memory, where the settings limit it."""
    limit = getattr(config.data, f"{split}_images")
    if limit is None:
        return None
    pixels, labels = data.arrays(split, limit=limit)
    return kf.data.ArrayBatches(
        as_bytes(pixels), labels, batch_size=config.training.batch_size, shuffle=split == "train", seed=seed
    )


def _training_feed(config: ImageNet, data: kf.data.ImageData, seed: int) -> Any:
    feed = _limit(config, data, "train", seed) or data.train
    if not config.data_parallel:
        return feed
    size = config.training.batch_size
    if isinstance(feed, kf.data.ArrayBatches):
        images = len(feed.labels)
    else:  # opening a set reads no image
        images = len(_load(config, config.train_image_size or config.image_size, seed, batch_size=1).train)
    if images < size:
        raise RunError(
            f"`training.batch_size` must be at most the number of training images, {images}, with "
            f"data_parallel=true. Received: training.batch_size={size}"
        )
    if images % size == 0:
        return feed
    count = math.floor(images / size)
    return WholeBatches(feed, count) if isinstance(feed, keras.utils.PyDataset) else feed.take(count)
