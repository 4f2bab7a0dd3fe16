"""The table of networks: to add one is to add one entry. Keras is imported where a network is built."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

    from apps.lab.settings import Training

# Mean and deviation of the pixels, in [0, 1], that the first layer of a network normalizes with.
STATISTICS = {
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    # Of the synthetic sets of the paper on frequency shortcuts.
    "synthetic": ((0.498, 0.498, 0.498), (0.172, 0.172, 0.172)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    # As the codes of APR and FreqBias have it.
    "cifar10_pytorch": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "imagenet10": ((0.479838, 0.470448, 0.429404), (0.258143, 0.252662, 0.272406)),
}


@dataclasses.dataclass(frozen=True)
class Network:
    """One entry of the table.

    Args:
        label: Its name in tables and figures.
        build: `(models, shape, classes, **options) -> keras.Model`, where `models` is `keras_freq.models`
            and the options are those of the settings that are set, `seed` and `name`.
        lacks: Settings among `width`, `normalization` and `dropout` that it does not have.
        sees_images: Whether it starts from training images, which it takes as the option `images`.
    """

    label: str
    build: Callable[..., Any]
    lacks: tuple[str, ...] = ()
    sees_images: bool = False


def _resnet(depth: int) -> Callable[..., Any]:
    return lambda models, shape, classes, **options: models.resnet_cifar(depth, shape, classes, **options)


def _vit(models, shape, classes, *, width=768, **options):
    """Narrower than 192: 6 layers in place of 12. On images of at most 64 a side: 4 pixels a patch, not 8.

    Heads are 64 channels wide; one head where that does not divide the width.
    """
    design = {
        "patch": 8 if min(shape[:2]) > 64 else 4,
        "depth": 12 if width >= 192 else 6,
        "heads": 1 if width % 64 else width // 64,
    }
    return models.vit(shape, classes, width=width, **design, **options)


def _resnet50_imagenet(models, shape, classes, *, name, seed, mean=0.0, std=1.0):
    import keras
    import numpy as np

    inputs = keras.Input(shape)
    x = keras.layers.Normalization(mean=mean, variance=np.square(std))(inputs)
    backbone = keras.applications.ResNet50(
        weights=None, input_shape=shape, classes=classes, classifier_activation=None
    )
    return keras.Model(inputs, backbone(x), name=name)


NETWORKS: dict[str, Network] = {
    "small_resnet": Network(
        "small ResNet", lambda models, shape, classes, **o: models.small_resnet(shape, classes, **o)
    ),
    "whitened_net": Network(
        "whitened network",
        lambda models, shape, classes, **o: models.whitened_net(shape, classes, **o),
        sees_images=True,
    ),
    "resnet18": Network("ResNet-18", _resnet(18)),
    "resnet20": Network("ResNet-20", _resnet(20)),
    "resnet32": Network("ResNet-32", _resnet(32)),
    "resnet50": Network("ResNet-50", _resnet(50)),
    "resnet50_imagenet": Network(
        "ResNet-50 (stem of ImageNet)", _resnet50_imagenet, ("width", "normalization", "dropout")
    ),
    "wrn_40_2": Network(
        "WRN-40-2",
        lambda models, shape, classes, width=2, **o: models.wide_resnet(40, width, shape, classes, **o),
    ),
    "all_conv": Network("AllConv", lambda models, shape, classes, **o: models.all_conv(shape, classes, **o)),
    "densenet": Network(
        "DenseNet (40, 12)",
        lambda models, shape, classes, **o: models.densenet_cifar(40, 12, shape, classes, stem=24, **o),
        ("width",),
    ),
    "resnext": Network(
        "ResNeXt-29 (4x32)",
        lambda models, shape, classes, width=32, **o: models.resnext_cifar(29, 4, width, shape, classes, **o),
    ),
    "vgg16_bn": Network(
        "VGG-16-BN", lambda models, shape, classes, **o: models.vgg16_bn(shape, classes, **o)
    ),
    "alexnet_small": Network(
        "AlexNet-small", lambda models, shape, classes, **o: models.alexnet_small(shape, classes, **o)
    ),
    "vit": Network("ViT", _vit, ("normalization",)),
}


def classifier(
    training: Training, shape: tuple[int, ...], classes: int, *, seed: int, name: str, images: Any = None
) -> keras.Model:
    """The network of a recipe with weights drawn from the seed: pixels in [0, 1] in, logits out.

    `images`: training images, for a network that starts from their statistics.
    """
    import keras

    import keras_freq as kf

    keras.utils.set_random_seed(seed)
    options: dict[str, Any] = {"name": name, "seed": seed}
    if training.width is not None:
        options["width"] = training.width
    if training.dropout is not None:
        options["dropout"] = training.dropout
    if training.normalization != "published":
        options["normalization"] = None if training.normalization == "none" else training.normalization
    if training.statistics != "cifar10":
        options["mean"], options["std"] = STATISTICS[training.statistics]
    if NETWORKS[training.network].sees_images:
        options["images"] = images
    with precision(training.precision):
        return NETWORKS[training.network].build(kf.models, shape, classes, **options)


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """Layers made inside compute in that policy."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
