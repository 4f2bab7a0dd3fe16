"""Checks of arguments: each returns the value in its plain form, or raises one line that names it.

Every line says what is allowed and what was received: "`name` must be .... Received: name=value".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from keras_freq._core.labels import class_indices

DATA_FORMATS = ("channels_last", "channels_first")


# A whole number that nothing names a bound for.
LARGEST = 2**63 - 1


def show(value: Any) -> str:
    """A value in a message: one line, and not a whole array; text and paths are not cut so soon."""
    text = " ".join(repr(value).split())
    most = 400 if isinstance(value, (str, os.PathLike)) else 120
    return text if len(text) <= most else f"{text[: most - 20]} ... ({type(value).__name__})"


def check_whole(value: Any, name: str, *, least: int = 1, most: int | None = None) -> int:
    """A whole number from `least` on."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least or value > (LARGEST if most is None else most):
        if most is None and whole and value > LARGEST:
            most = LARGEST
        allowed = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"`{name}` must be a whole number {allowed}. Received: {name}={show(value)}")
    return int(value)


def check_seed(value: Any) -> int | None:
    """A seed of Keras' random numbers, or `None`."""
    return None if value is None else check_whole(value, "seed", least=0, most=2**32 - 1)


def check_number(
    value: Any,
    name: str,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
) -> float:
    """A finite number within limits: `least` and `most` belong to them, `above` and `below` do not."""
    number = _as_float(value)
    inside = (
        np.isfinite(number)
        and (least is None or number >= least)
        and (above is None or number > above)
        and (most is None or number <= most)
        and (below is None or number < below)
    )
    if not inside:
        limits = _limits(least, above, most, below)
        raise ValueError(f"`{name}` must be a finite number{limits}. Received: {name}={show(value)}")
    return number


def check_numbers(values: Any, name: str, **limits: Any) -> tuple[float, ...]:
    """One number or more, each within the limits of `check_number`."""
    try:
        values = tuple(values)
    except TypeError:
        values = (values,)
    if not values:
        raise ValueError(f"`{name}` must hold at least one number. Received: {name}=()")
    return tuple(check_number(value, name, **limits) for value in values)


def check_channels(values: Any, name: str, channels: int) -> np.ndarray:
    """A number, or one for each channel, as float32 `(channels,)`."""
    numbers = check_numbers(values, name)
    if len(numbers) not in (1, channels):
        raise ValueError(
            f"`{name}` must be a number or one for each of the {channels} channels. "
            f"Received: {name}={show(values)}"
        )
    return np.broadcast_to(numbers, (channels,)).astype("float32")


def check_interval(
    value: Any, name: str, *, least: float | None = None, most: float | None = None
) -> tuple[float, float]:
    """Two finite numbers, the lower first."""
    try:
        low, high = map(_as_float, value)
    except (TypeError, ValueError, OverflowError):
        low = high = np.nan
    inside = (least is None or low >= least) and (most is None or high <= most)
    if not (np.isfinite(low) and np.isfinite(high) and low < high and inside):
        raise ValueError(
            f"`{name}` must be two finite numbers{_limits(least, None, most, None)}, the lower first. "
            f"Received: {name}={show(value)}"
        )
    return low, high


def check_choice(value: Any, name: str, allowed: Sequence[str | None]) -> Any:
    """One of a few names, or None where it is among them."""
    if not (value is None or isinstance(value, str)) or value not in allowed:
        raise ValueError(
            f"`{name}` must be one of {', '.join(map(repr, allowed))}. Received: {name}={show(value)}"
        )
    return value


def check_choices(values: Any, name: str, allowed: Sequence[str]) -> tuple[str, ...]:
    """Some of a few names, each once."""
    chosen = (values,) if isinstance(values, str) or not np.iterable(values) else tuple(values)
    named = all(isinstance(value, str) for value in chosen)
    if not (chosen and named and len(set(chosen)) == len(chosen) and set(chosen) <= set(allowed)):
        raise ValueError(
            f"`{name}` must hold some of {', '.join(map(repr, allowed))}, each once. "
            f"Received: {name}={show(values)}"
        )
    return chosen


def check_flag(value: Any, name: str) -> bool:
    """True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"`{name}` must be True or False. Received: {name}={show(value)}")
    return bool(value)


def check_radius(value: Any, name: str = "radius") -> float:
    """A number of at least 0; infinity is a radius too."""
    number = _as_float(value)
    if not number >= 0:
        raise ValueError(f"`{name}` must be a number of at least 0. Received: {name}={show(value)}")
    return number


def check_data_format(value: Any) -> str:
    return check_choice(value, "data_format", DATA_FORMATS)


def check_model(model: Any) -> Any:
    if not isinstance(model, keras.Layer):
        raise TypeError(
            f"`model` must be a Keras model. Received: model={show(model)} of type {type(model).__name__}"
        )
    return model


def check_readable_again(data: Any, name: str = "data", when: str = "at every epoch") -> None:
    """Refuses a generator, which is empty after the first pass."""
    if isinstance(data, Iterator):
        raise ValueError(
            f"`{name}` must be readable again {when}: arrays, a tf.data.Dataset or a PyDataset. "
            f"Received: {name} of type {type(data).__name__}, which can be read only once"
        )


def _as_float(value: Any) -> float:
    if isinstance(value, (bool, str, bytes)):
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _limits(least: float | None, above: float | None, most: float | None, below: float | None) -> str:
    if least is not None and most is not None:
        return f" in [{least:g}, {most:g}]"
    if above is not None and most is not None:
        return f" in ({above:g}, {most:g}]"
    if above is not None and below is not None:
        return f" in ({above:g}, {below:g})"
    if least is not None and below is not None:
        return f" in [{least:g}, {below:g})"
    if least is not None:
        return f" of at least {least:g}"
    if above is not None:
        return f" above {above:g}"
    if most is not None:
        return f" of at most {most:g}"
    return "" if below is None else f" below {below:g}"


def check_linf_epsilon(epsilon: Any, name: str = "epsilon") -> float:
    """The radius of an L-infinity ball, for pixels on [0, 1], which a radius of 1 covers."""
    epsilon = check_number(epsilon, name, least=0)
    if epsilon >= 1:
        raise ValueError(
            f"`{name}` must be below 1, the whole range of pixels on [0, 1]: 8 levels of 255 are 8 / 255. "
            f"Received: {name}={epsilon:g}"
        )
    return epsilon


def check_epsilons(
    epsilons: float | Sequence[float], norm: str, *, positive: bool = False
) -> tuple[float, ...]:
    """Sizes of perturbations in ascending order, without repetitions."""
    limits = {"above": 0} if positive else {"least": 0}
    sizes = tuple(sorted(set(check_numbers(epsilons, "epsilons", **limits))))
    if norm == "linf":
        check_linf_epsilon(sizes[-1], "epsilons")
    return sizes


def check_bytes(images: np.ndarray) -> None:
    """Refuses whole numbers that are no bytes."""
    if images.dtype != np.uint8 and not 0 <= images.min() <= images.max() <= 255:
        raise ValueError(
            "Images of whole numbers must lie in 0 to 255. "
            f"Received: dtype {images.dtype} with values from {images.min()} to {images.max()}"
        )


def check_pixels(images: Any, *, unit: bool = False, single: bool = False) -> np.ndarray:
    """Images as an array, uint8 or finite floats, as they are; other whole numbers become uint8.

    With `unit` floats must lie in [0, 1]; with `single` one image without the batch axis will do.
    """
    images = np.asarray(images)
    if images.dtype.kind in "iu" and images.size:
        check_bytes(images)
        images = images.astype("uint8", copy=False)
    # bfloat16 comes from ml_dtypes, which NumPy files under kind "V".
    if images.dtype != np.uint8 and images.dtype.kind != "f" and images.dtype.name != "bfloat16":
        raise ValueError(
            f"Images must be uint8 (0 to 255) or floats (0 to 1). Received: dtype {images.dtype}"
        )
    if images.ndim != 4 and not (single and images.ndim == 3):
        other = ", or 3, (height, width, channels)" if single else ": batch the feed first"
        raise ValueError(
            f"Images must have rank 4, (batch, height, width, channels){other}. "
            f"Received: images of shape {images.shape}"
        )
    if 0 in images.shape:
        raise ValueError(f"Images must not be empty. Received: images of shape {images.shape}")
    if images.dtype != np.uint8:
        least, most = float(images.min()), float(images.max())  # NaN comes through both
        if not max(-least, most) <= np.finfo("float32").max:
            raise ValueError(
                f"Images must be finite. Received: NaN or infinity in images of shape {images.shape}"
            )
        if unit and (least < 0 or most > 1):
            raise ValueError(
                "Float images must lie in [0, 1]: clip or rescale them, or pass bytes as uint8. "
                f"Received: values from {least:.6g} to {most:.6g}"
            )
    return images


def check_images(images: Any, bounds: tuple[float, float] | None = None) -> np.ndarray:
    """Images as float32 `(batch, height, width, channels)`, finite, inside the bounds."""
    images = check_pixels(images)
    if images.dtype == np.uint8:
        raise ValueError("`images` must be floats, scaled to the bounds. Received: images of dtype uint8")
    images = np.ascontiguousarray(images, dtype="float32")
    if bounds is not None:
        least, most = float(images.min()), float(images.max())
        if least < np.float32(bounds[0]) or most > np.float32(bounds[1]):
            raise ValueError(
                f"`images` must lie within bounds={bounds}. Received: values from {least:.6g} to {most:.6g}"
            )
    return images


def check_labels(labels: Any, count: int, classes: int | None = None) -> np.ndarray:
    """True classes, in any form that `class_indices` takes, as int32 `(count,)` below the model's outputs."""
    labels = class_indices(labels)
    if len(labels) != count:
        raise ValueError(
            f"Images and labels must have the same length. Received: {count} images, {len(labels)} labels"
        )
    if classes is not None and labels.max(initial=0) >= classes:
        raise ValueError(
            f"`labels` must be from 0 to {classes - 1}, the model's outputs. "
            f"Received: labels from {labels.min()} to {labels.max()}"
        )
    return labels.astype("int32")


def check_labeled_images(images: Any, labels: Any, *, unit: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Images as `check_pixels` gives them, and as many class indices, int64."""
    images, labels = check_pixels(images, unit=unit), class_indices(labels)
    check_labels(labels, len(images))
    return images, labels


def check_model_classes(model: Any) -> int | None:
    """The number of the model's outputs where it is known before a call."""
    shape = getattr(model, "output_shape", None) if getattr(model, "built", False) else None
    return shape[-1] if isinstance(shape, tuple) and len(shape) == 2 else None
