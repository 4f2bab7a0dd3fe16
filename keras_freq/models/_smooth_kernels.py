"""Smoother convolution kernels: does a model that reads high frequencies less withstand more?"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import keras
import numpy as np

from keras_freq._core.checks import check_choice, check_flag, check_number, show
from keras_freq._core.classifier import Classifier

Model = TypeVar("Model", keras.Model, Classifier)
# All of them keep the two spatial axes of the kernel first, whatever `data_format` says.
_CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)
# Stands for open heights and widths in the search for the first convolution, which is as far as it runs.
_OPEN_SIDE = 64


def smooth_kernel(
    kernel: np.ndarray,
    rho: float,
    *,
    normalize: bool = False,
    layout: Literal["HWIO", "OIHW"] = "HWIO",
) -> np.ndarray:
    """Add to each weight of a convolution kernel a share of its eight spatial neighbors.

    `w'[i, j] = w[i, j] + rho * sum(w[i + a, j + b])` over `a, b` in -1, 0, 1 but not both 0, for each pair of
    channels alone. Beyond the border the kernel goes on with the value at its edge, so that the size stays
    and a kernel of 1 x 1 is only scaled.

    Args:
        kernel: Floating array of rank 4, in the order that `layout` says.
        rho: Share of the neighbors, finite, at least 0; 0 changes nothing. The paper takes 0.1 to 1.
        normalize: Divide by `1 + 8 * rho`, by which the kernel would grow if it is constant.
        layout: `"HWIO"` (height, width, channels: Keras) or `"OIHW"` (channels, height, width: PyTorch).

    Returns:
        A new array of the kernel's shape and type, computed in float64.

    Raises:
        ValueError: if `rho` is negative or not finite, or the kernel is not of rank 4.
        TypeError: if the kernel is not floating.

    Source: Wang et al., "High-frequency Component Helps Explain the Generalization of Convolutional Neural
        Networks", CVPR 2020, the smoothing of convolution kernels.
        Differs from the original: its PyTorch port takes the channels for two of the spatial axes; here those
        never mix.

    Example:
        >>> kernel = np.zeros((3, 3, 1, 1), "float32")
        >>> kernel[1, 1] = 1
        >>> keras_freq.models.smooth_kernel(kernel, 0.5)[..., 0, 0]
        array([[0.5, 0.5, 0.5],
               [0.5, 1. , 0.5],
               [0.5, 0.5, 0.5]], dtype=float32)
    """
    check_flag(normalize, "normalize")
    rho = check_number(rho, "rho", least=0)
    check_choice(layout, "layout", ("HWIO", "OIHW"))
    kernel = np.asarray(kernel)
    if kernel.ndim != 4 or 0 in kernel.shape:
        raise ValueError(
            f"`kernel` must have rank 4 and no empty axis, in the order {layout}. "
            f"Received: kernel.shape={kernel.shape}"
        )
    if not (np.issubdtype(kernel.dtype, np.floating) or kernel.dtype.name == "bfloat16"):
        raise TypeError(f"`kernel` must be floating. Received: kernel.dtype={kernel.dtype}")
    weights = kernel.astype("float64")
    box = weights
    for axis in (layout.index("H"), layout.index("W")):
        first, last = box.take([0], axis), box.take([-1], axis)
        padded, size = np.concatenate([first, box, last], axis), kernel.shape[axis]
        box = np.sum([padded.take(range(start, start + size), axis) for start in range(3)], axis=0)
    smoothed = weights + rho * (box - weights)
    return (smoothed / (1 + 8 * rho) if normalize else smoothed).astype(kernel.dtype)


def smooth_kernels(
    model: Model,
    rho: float,
    *,
    layers: Literal["first", "all"] | Sequence[str] = "first",
    normalize: bool = False,
) -> Model:
    """A copy of a model whose convolution kernels are smoothed over space.

    `w'[i, j] = w[i, j] + rho * sum(w[i + a, j + b])` over the eight neighbors, as `smooth_kernel` does.
    Takes `Conv2D`, `DepthwiseConv2D`, `Conv2DTranspose`, and the depthwise kernel of `SeparableConv2D`.

    Args:
        model: A built Keras model: functional, sequential, or of a class with `get_config`, such as
            `keras_freq.APRModel`; or a `keras_freq.Classifier` of one. It stays as it is.
        rho: Share of the neighbors, finite, at least 0. The paper takes 0, 0.1, 0.25, 0.5 and 1.
        layers: `"first"`, as published: the two-dimensional convolution that the images meet first in
            inference, also inside nested models and wrappers. `"all"`: every one. Or the names of layers; a
            name that several have stands for all of them.
        normalize: Divide the smoothed kernels by `1 + 8 * rho`. Without it, as published, what the next layer
            receives grows too, by up to that factor.

    Returns:
        A new model of the same architecture and name; its other weights equal those of `model`. It is not
        compiled: `predict` and the functions of `keras_freq.evaluate` need no compilation, `evaluate` does.
        Of a classifier, one of that model with the same declarations.

    Raises:
        TypeError: if `model` is not a Keras model.
        ValueError: if `rho` is negative or not finite, the model has no weights yet, no convolution, or
            cannot be copied, or `layers` names a layer that is not there or is no such convolution.

    Source: Wang et al., "High-frequency Component Helps Explain the Generalization of Convolutional Neural
        Networks", CVPR 2020, the smoothing of convolution kernels, there after training and in the first
        layer.

    Example:
        >>> smoothed = keras_freq.models.smooth_kernels(classifier, 0.5)
        >>> smoothed.predict(images, verbose=0).shape
        (8, 4)
    """
    check_flag(normalize, "normalize")
    if isinstance(model, Classifier):
        return model.of(smooth_kernels(model.model, rho, layers=layers, normalize=normalize))
    rho = check_number(rho, "rho", least=0)
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"`model` must be a Keras model. Received: model={show(model)} of type {type(model).__name__}"
        )
    if not model.built:
        raise ValueError(
            "`model` must be built: call it on images once. "
            f"Received: model={model.name!r}, which has no weights yet"
        )
    _choose(model, layers)  # refuses before the copy is made
    copy = _copy(model)
    chosen = _choose(copy, layers)
    if layers == "first" and len(chosen) > 1:
        chosen = [_find_first_used(copy, chosen)]
    for layer in chosen:
        kernel = _get_kernel(layer)
        smoothed = smooth_kernel(keras.ops.convert_to_numpy(kernel), rho, normalize=normalize)
        kernel.assign(smoothed)
    return copy


def _choose(model: keras.Model, layers: Any) -> list[keras.Layer]:
    """The convolutions that `layers` stands for; all of them for `"first"`."""
    inside = list(_iterate_layers(model, {id(model)}))
    if isinstance(layers, str):
        check_choice(layers, "layers", ("first", "all"))
        chosen = [layer for layer in inside if isinstance(layer, _CONVOLUTIONS)]
        if not chosen:
            raise ValueError(
                f"`model` must have a two-dimensional convolution. Received: model={model.name!r} without one"
            )
    else:
        if not isinstance(layers, Sequence) or not layers or not all(isinstance(n, str) for n in layers):
            raise ValueError(
                f"`layers` must be 'first', 'all' or a list of layer names. Received: layers={show(layers)}"
            )
        chosen = []
        for name in dict.fromkeys(layers):
            named = [layer for layer in inside if layer.name == name]
            if not named:
                raise ValueError(
                    f"`layers` must name layers of {model.name!r}. "
                    f"Received: {show(name)}, which is none of them"
                )
            for layer in named:
                if not isinstance(layer, _CONVOLUTIONS):
                    raise ValueError(
                        "`layers` must name two-dimensional convolutions. "
                        f"Received: {show(name)}, which is a {type(layer).__name__}"
                    )
            chosen += named
    for layer in chosen:
        _get_kernel(layer)
    return chosen


def _get_kernel(layer: keras.Layer) -> keras.Variable:
    separable = isinstance(layer, keras.layers.SeparableConv2D)
    kernel = getattr(layer, "depthwise_kernel" if separable else "kernel", None) if layer.built else None
    if not isinstance(kernel, keras.Variable):
        raise ValueError(
            "Kernels to be smoothed must be plain weights, neither unbuilt nor with LoRA. "
            f"Received: the layer {layer.name!r}"
        )
    return kernel


def _iterate_layers(value: Any, seen: set[int]) -> Iterator[keras.Layer]:
    """Every layer inside a layer, whatever holds it: nested models, wrappers, lists and dictionaries."""
    if isinstance(value, keras.Model):
        parts = value.layers
    elif isinstance(value, keras.Layer):
        parts = list(vars(value).values())
    else:
        parts = list(value.values()) if isinstance(value, dict) else value
    for part in parts:
        if isinstance(part, (keras.Layer, list, tuple, dict)) and id(part) not in seen:
            seen.add(id(part))
            if isinstance(part, keras.Layer):
                yield part
            yield from _iterate_layers(part, seen)


def _copy(model: keras.Model) -> keras.Model:
    """The same architecture and state, not compiled."""
    inside = [model, *_iterate_layers(model, {id(model)})]
    # The classes at hand serve also where they are not registered with Keras.
    classes = {type(layer).__name__: type(layer) for layer in inside}
    try:
        config = _drop_compilation(keras.saving.serialize_keras_object(model))
        copy = keras.saving.deserialize_keras_object(config, custom_objects=classes, safe_mode=False)
        # Through a file, which also restores what layers derive from their weights; set_weights does not.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "copy.weights.h5"
            model.save_weights(path)
            copy.load_weights(path)
    except (NotImplementedError, TypeError, ValueError) as error:
        lines = str(error).strip().splitlines()
        raise ValueError(
            "`model` must be one that Keras can make again from its `get_config`. "
            f"Received: model={model.name!r}, where that fails: {lines[0] if lines else type(error).__name__}"
        ) from error
    return copy


def _drop_compilation(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: _drop_compilation(item) for key, item in config.items() if key != "compile_config"}
    return [_drop_compilation(item) for item in config] if isinstance(config, list) else config


class _Reached(BaseException):
    """Leaves a forward pass at the first convolution; no `except Exception` on the way holds it."""


def _find_first_used(model: keras.Model, candidates: list[keras.Layer]) -> keras.Layer:
    """The layer that a forward pass comes to first; the order in which layers are kept need not be that."""
    reached = []

    def stop(layer, *args, **kwargs):
        reached.append(layer)
        raise _Reached

    for layer in candidates:
        layer.call = functools.partial(stop, layer)
    try:
        model(_make_zeros(model), training=False)
    except _Reached:
        return reached[0]
    finally:
        for layer in candidates:
            del layer.call
    raise ValueError(
        "`model` must pass its images through a two-dimensional convolution. "
        f"Received: model={model.name!r}, which uses none of its {len(candidates)} in inference"
    )


def _make_zeros(model: keras.Model) -> Any:
    """A batch of one, all zeros, as the model takes it."""

    def zeros(shape, dtype="float32"):
        return np.zeros([1] + [_OPEN_SIDE if side is None else side for side in shape[1:]], dtype)

    inputs = [zeros(tensor.shape, tensor.dtype) for tensor in getattr(model, "inputs", None) or ()]
    if inputs:
        return inputs[0] if len(inputs) == 1 else inputs
    shape = (model.get_build_config() or {}).get("input_shape")
    if shape is None:
        raise ValueError(
            "`layers` must name the layers of a model whose input shape is not known. "
            f"Received: layers='first', model={model.name!r}"
        )
    return zeros(shape)
