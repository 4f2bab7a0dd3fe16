"""The table of networks: to add one is to add one entry. Keras is imported where a network is built."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
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
        maker: The function of `keras_freq.models` that makes it, or one of the same arguments.
        options: What that function is given beside the settings: a mapping, or one by image shape and width.
        lacks: Settings among `width`, `normalization` and `dropout` that it does not have.
        sees_images: Whether it starts from training images, which it takes as the option `images`.
    """

    label: str
    maker: str | Callable[..., Any]
    options: Mapping[str, Any] | Callable[..., Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    sees_images: bool = False


def _vit(shape: tuple[int, ...], width: int = 768) -> dict[str, Any]:
    """Narrower than 192: 6 layers in place of 12. On images of at most 64 a side: 4 pixels a patch, not 8.

    Heads are 64 channels wide; one head where that does not divide the width.
    """
    return {
        "patch": 8 if min(shape[:2]) > 64 else 4,
        "width": width,
        "depth": 12 if width >= 192 else 6,
        "heads": 1 if width % 64 else width // 64,
    }


def _resnet50_imagenet(*, input_shape, classes, name, seed, mean=0.0, std=1.0):
    import keras
    import numpy as np

    inputs = keras.Input(input_shape)
    x = keras.layers.Normalization(mean=mean, variance=np.square(std))(inputs)
    backbone = keras.applications.ResNet50(
        weights=None, input_shape=input_shape, classes=classes, classifier_activation=None
    )
    return keras.Model(inputs, backbone(x), name=name)


NETWORKS: dict[str, Network] = {
    "small_resnet": Network("small ResNet", "small_resnet"),
    "whitened_net": Network("whitened network", "whitened_net", sees_images=True),
    "resnet18": Network("ResNet-18", "resnet_cifar", {"depth": 18}),
    "resnet20": Network("ResNet-20", "resnet_cifar", {"depth": 20}),
    "resnet32": Network("ResNet-32", "resnet_cifar", {"depth": 32}),
    "resnet50": Network("ResNet-50", "resnet_cifar", {"depth": 50}),
    "resnet50_imagenet": Network(
        "ResNet-50 (stem of ImageNet)", _resnet50_imagenet, lacks=("width", "normalization", "dropout")
    ),
    "wrn_40_2": Network("WRN-40-2", "wide_resnet", {"depth": 40, "width": 2}),
    "all_conv": Network("AllConv", "all_conv"),
    "densenet": Network(
        "DenseNet (40, 12)", "densenet_cifar", {"depth": 40, "growth": 12, "stem": 24}, lacks=("width",)
    ),
    "resnext": Network("ResNeXt-29 (4x32)", "resnext_cifar", {"depth": 29, "cardinality": 4, "width": 32}),
    "vgg16_bn": Network("VGG-16-BN", "vgg16_bn"),
    "alexnet_small": Network("AlexNet-small", "alexnet_small"),
    "vit": Network("ViT", "vit", _vit, lacks=("normalization",)),
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
    network = NETWORKS[training.network]
    maker = getattr(kf.models, network.maker) if isinstance(network.maker, str) else network.maker
    seen = {"images": images} if network.sees_images else {}
    with precision(training.precision):
        return maker(**arguments(training, shape, classes), **seen, name=name, seed=seed)


def arguments(training: Training, shape: tuple[int, ...], classes: int) -> dict[str, Any]:
    """What the function is given that makes the network of a recipe, but for its name, seed and images."""
    network = NETWORKS[training.network]
    width = {} if training.width is None else {"width": training.width}
    options = network.options(shape, **width) if callable(network.options) else network.options
    found = {"input_shape": shape, "classes": classes, **options, **width}
    if training.dropout is not None:
        found["dropout"] = training.dropout
    if training.normalization != "published":
        found["normalization"] = None if training.normalization == "none" else training.normalization
    if training.statistics == "none":
        found |= {"mean": 0.0, "std": 1.0}  # of any number of channels
    elif training.statistics != "cifar10":
        found["mean"], found["std"] = STATISTICS[training.statistics]
    return found


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
