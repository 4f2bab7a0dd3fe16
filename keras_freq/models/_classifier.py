"""What all networks have in common: their arguments, the first layer, and the head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_freq._core.checks import check_choice, check_number, check_whole, show
from keras_freq.models._blocks import FORMAT, NORMALIZATIONS

# Per-channel mean and standard deviation of the CIFAR-10 training images in [0, 1].
CIFAR10_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR10_STD = (0.2470, 0.2435, 0.2616)


def make_classifier(
    body: Callable[[keras.KerasTensor], keras.KerasTensor],
    input_shape: Any,
    classes: int,
    *,
    normalization: str | None = None,
    dropout: float,
    seed: int | None,
    mean: float | Sequence[float],
    std: float | Sequence[float],
    name: str,
    drop_pooled: bool = False,
    head: Mapping[str, Any] | None = None,
) -> keras.Model:
    """Checks the arguments that all networks share, and makes input, head and model around a body.

    Args:
        body: From normalized pixels to feature maps, which are averaged over space, or to vectors. It is
            called after the checks.
        input_shape: As of every network, and so are the arguments up to `name`.
        classes: Number of classes, at least 2.
        normalization: `"batch"`, `"batch_statistics"` or None.
        dropout: Share of the features, from 0 to below 1.
        seed: Seed of the dropout.
        mean: Mean of the pixels.
        std: Standard deviation of the pixels.
        name: Name of the model.
        drop_pooled: Whether the head drops averaged features; otherwise `dropout` is the body's affair.
        head: Options of the last layer, `keras.layers.Dense`.
    """
    shape = _check_shape(input_shape)
    check_whole(classes, "classes", least=2)
    check_choice(normalization, "normalization", (*NORMALIZATIONS, None))
    check_number(dropout, "dropout", least=0, below=1)
    if seed is not None:
        check_whole(seed, "seed", least=0)
    means, deviations = (
        _check_statistic(value, key, shape[2]) for value, key in ((mean, "mean"), (std, "std"))
    )
    inputs = keras.Input(shape, name="pixels")
    x = layers.Normalization(
        axis=-1, mean=means.tolist(), variance=np.square(deviations).tolist(), name="normalization"
    )(inputs)
    x = body(x)
    if len(x.shape) == 4:
        x = layers.GlobalAveragePooling2D(data_format=FORMAT, name="pool")(x)
    if drop_pooled and dropout:
        x = layers.Dropout(float(dropout), seed=seed, name="dropout")(x)
    # float32 also under mixed precision.
    last = layers.Dense(classes, dtype="float32", name="logits", **(head or {}))
    return keras.Model(inputs, last(x), name=name)


def _check_shape(input_shape: Any) -> tuple[int | None, int | None, int]:
    try:
        height, width, channels = input_shape
        sides = [None if side is None else check_whole(side, "side") for side in (height, width)]
        return sides[0], sides[1], check_whole(channels, "channels")
    except (TypeError, ValueError, OverflowError):
        raise ValueError(
            "`input_shape` must be (height, width, channels), where height and width may be None. "
            f"Received: input_shape={show(input_shape)}"
        ) from None


def _check_statistic(value: float | Sequence[float], name: str, channels: int) -> np.ndarray:
    try:
        values = np.asarray(value, "float64")
    except (TypeError, ValueError, OverflowError):
        values = np.array(np.nan)
    if values.shape not in ((), (channels,)) or not np.isfinite(values).all():
        raise ValueError(
            f"`{name}` must be a number or one number for each of the {channels} input channels. "
            f"Received: {name}={show(value)}"
        )
    if name == "std" and values.min() <= 0:
        raise ValueError(f"`std` must be greater than 0. Received: std={show(value)}")
    return np.broadcast_to(values, (channels,)).copy()
