"""Checks of what attacks and evaluations are given, each with one clear line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def check_count(value: Any, name: str) -> int:
    """A whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"`{name}` must be a whole number of at least 1. Received: {name}={value!r}")
    return int(value)


def check_size(value: Any, name: str = "epsilon", *, positive: bool = False) -> float:
    """A finite number of at least 0, or above 0."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if isinstance(value, bool) or not np.isfinite(number) or number < 0 or (positive and number == 0):
        least = "above 0" if positive else "of at least 0"
        raise ValueError(
            f"`{name}` must be a finite number {least}, in pixel units. Received: {name}={value!r}"
        )
    return number


def check_epsilons(epsilons: float | Sequence[float], *, positive: bool = False) -> tuple[float, ...]:
    """Sizes of perturbations in ascending order, without repetitions."""
    values = (epsilons,) if np.ndim(epsilons) == 0 else tuple(epsilons)
    if not values:
        raise ValueError("`epsilons` must hold at least one size. Received: epsilons=()")
    return tuple(sorted({check_size(value, "epsilons", positive=positive) for value in values}))


def check_bounds(bounds: Sequence[float]) -> tuple[float, float]:
    """The lowest and the highest pixel value."""
    try:
        lower, upper = map(float, bounds)
    except (TypeError, ValueError):
        lower = upper = float("nan")
    if not (np.isfinite([lower, upper]).all() and lower < upper):
        raise ValueError(
            f"`bounds` must be (lowest, highest) pixel value, finite. Received: bounds={bounds!r}"
        )
    return lower, upper


def check_choice(value: Any, allowed: Sequence[str], name: str) -> str:
    """One of a few names."""
    if value not in allowed:
        raise ValueError(
            f"`{name}` must be one of {', '.join(map(repr, allowed))}. Received: {name}={value!r}"
        )
    return value


def check_seed(seed: Any) -> int:
    """A whole number of at least 0."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"`seed` must be a whole number of at least 0. Received: seed={seed!r}")
    return int(seed)


def check_images(images: Any, bounds: tuple[float, float] | None = None) -> np.ndarray:
    """Images as float32 `(batch, height, width, channels)`, finite, inside the bounds."""
    images = np.asarray(images)
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(
            "`images` must have the shape (batch, height, width, channels) with no empty axis. "
            f"Received: images.shape={images.shape}"
        )
    if not (np.issubdtype(images.dtype, np.floating) or images.dtype.name == "bfloat16"):
        raise ValueError(
            f"`images` must be floating-point, scaled to the bounds. Received: images.dtype={images.dtype}"
        )
    images = np.ascontiguousarray(images, dtype="float32")
    lowest, highest = float(images.min()), float(images.max())  # NaN comes through both
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise ValueError("`images` must be finite. Received: images with NaN or infinite values")
    if bounds is not None and (lowest < np.float32(bounds[0]) or highest > np.float32(bounds[1])):
        raise ValueError(
            f"`images` must lie within bounds={bounds}. Received: values from {lowest:.6g} to {highest:.6g}"
        )
    return images


def check_labels(labels: Any, count: int, classes: int | None = None) -> np.ndarray:
    """True classes as int32 `(count,)`, each below the number of the model's outputs."""
    labels = np.asarray(labels)
    if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"`labels` must be {count} whole numbers, one an image. "
            f"Received: labels.shape={labels.shape}, labels.dtype={labels.dtype}"
        )
    top = np.inf if classes is None else classes
    if labels.min() < 0 or labels.max() >= top:
        allowed = "at least 0" if classes is None else f"from 0 to {classes - 1}, the model's outputs"
        raise ValueError(
            f"`labels` must be {allowed}. Received: labels from {labels.min()} to {labels.max()}"
        )
    return labels.astype("int32")


def check_model_classes(model: Any) -> int | None:
    """The number of the model's outputs where it is known before a call."""
    shape = getattr(model, "output_shape", None) if getattr(model, "built", False) else None
    return shape[-1] if isinstance(shape, tuple) and len(shape) == 2 else None
