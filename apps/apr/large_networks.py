"""Networks for large images, and the model that trains them as APR's authors do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras
import numpy as np

import keras_freq as kf
from apps.apr import rows
from apps.apr.large_config import ImageNet
from apps.apr.large_images import crop_layer
from apps.apr.networks import precision
from apps.lab import RunError
from apps.lab.cropping import CroppedAPRModel, NormalizedPair

# Of the training images of ImageNet in [0, 1], per channel.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
LABELS = {"resnet50": "ResNet-50", "resnet18": "ResNet-18 (CIFAR's stem)", "small_resnet": "small ResNet"}


def large_classifier(config: ImageNet, classes: int, *, seed: int, name: str) -> keras.Model:
    """The network with weights drawn from the seed: pixels in [0, 1] in, logits out."""
    keras.utils.set_random_seed(seed)
    shape = (config.crop, config.crop, 3)
    with precision(config.training.precision):
        if config.network == "resnet50":
            return _resnet50(shape, classes, name)
        options = {"mean": MEAN, "std": STD, "name": name, "seed": seed}
        if config.network == "resnet18":
            return kf.models.resnet_cifar(18, shape, classes, **options)
        return kf.models.small_resnet(shape, classes, width=config.training.width, **options)


def _resnet50(shape: tuple[int, int, int], classes: int, name: str) -> keras.Model:
    inputs = keras.Input(shape)
    x = keras.layers.Normalization(mean=MEAN, variance=np.square(STD))(inputs)
    backbone = keras.applications.ResNet50(
        weights=None, input_shape=shape, classes=classes, classifier_activation=None
    )
    return keras.Model(inputs, backbone(x), name=name)


def training_model(config: ImageNet, row: str, classifier: keras.Model, *, seed: int) -> CroppedAPRModel:
    """The model that trains `classifier` in the way of the row: crop, APR-S, flip, normalise, APR-P."""
    parts = {}
    if row in ("apr_s", "apr_sp"):
        parts["single"] = rows.single(config.augmentations, seed=seed)
    if row in ("apr_p", "apr_sp"):
        parts["pair"] = NormalizedPair(rows.pair(config.augmentations, seed=seed), mean=MEAN, std=STD)
    return CroppedAPRModel(
        classifier,
        crop=crop_layer(config, seed=seed + 1),
        augment=keras.layers.RandomFlip("horizontal", seed=seed + 4),
        name=f"{classifier.name}_training",
        **parts,
    )


@contextlib.contextmanager
def shared_among_devices(config: ImageNet) -> Iterator[None]:
    """Models built inside train with every batch shared among all devices, where the settings say so.

    Raises:
        RunError: If the backend cannot, or the batch cannot be shared evenly.
    """
    if not config.data_parallel:
        yield
        return
    backend = keras.backend.backend()
    if backend != "jax":
        raise RunError(
            "`data_parallel` must be false, or Keras run on JAX (KERAS_BACKEND=jax), the backend whose "
            f"keras.distribution is complete. Received: data_parallel=true with KERAS_BACKEND={backend}"
        )
    devices = keras.distribution.list_devices()
    size = config.training.batch_size
    if size % len(devices):
        raise RunError(
            f"`training.batch_size` must be a multiple of the number of devices, {len(devices)}, with "
            f"data_parallel=true. Received: training.batch_size={size}"
        )
    with keras.distribution.DataParallel(devices=devices).scope():
        yield
