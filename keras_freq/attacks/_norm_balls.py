"""Norm balls around images: a start inside, a step uphill, and the way back, exactly where that is asked for.

A ball and the pixel bounds are `(low, high)` for `"linf"`, the limits of each pixel, and `(images, epsilon,
lowest, highest)` for `"l2"`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

_TINY = 1e-12


def default_step_size(epsilon: float, steps: int) -> float:
    """`2.5 * epsilon / steps`: every point of the ball can be reached, and the boundary is reached early."""
    return 2.5 * epsilon / steps


def step_linf(x: Any, gradient: Any, step_size: Any, low: Any, high: Any) -> Any:
    """`P(x + step_size * sign(g))`."""
    return project_linf(x + step_size * ops.sign(gradient), low, high)


def project_linf(x: Any, low: Any, high: Any) -> Any:
    return ops.minimum(ops.maximum(x, low), high)


def step_l2(
    x: Any, gradient: Any, step_size: Any, images: Any, epsilon: Any, lowest: Any, highest: Any
) -> Any:
    """`P(x + step_size * g / |g|)`."""
    return project_l2(x + step_size * gradient / _lengths(gradient), images, epsilon, lowest, highest)


def project_l2(x: Any, images: Any, epsilon: Any, lowest: Any, highest: Any) -> Any:
    """Onto the ball, then onto the bounds, which are convex and hold the centre: it stays in the ball."""
    change = x - images
    x = images + change * ops.minimum(1.0, epsilon / _lengths(change))
    return ops.minimum(ops.maximum(x, lowest), highest)


def draw_in_ball(
    xp: Any, uniform: Callable, normal: Callable, shape: tuple, epsilon: float, norm: str
) -> Any:
    """Perturbations that are uniform in the ball.

    For `"l2"`: the first `d` coordinates of a uniform point on the sphere in `d + 2` dimensions.

    Args:
        xp: `numpy` or `keras.ops`.
        uniform: Uniform draws from [0, 1) of a shape.
        normal: Standard normal draws of a shape.
        shape: `(batch, ...)`, of which the batch may be unknown.
        epsilon: Radius of the ball.
        norm: `"linf"` or `"l2"`.
    """
    if norm == "linf":
        return epsilon * (2 * uniform(shape) - 1)
    size = int(np.prod(shape[1:]))
    points = normal((shape[0], size + 2))
    points = points / xp.sqrt(xp.sum(xp.square(points), axis=1, keepdims=True))
    return epsilon * xp.reshape(points[:, :size], (-1, *shape[1:]))


def _lengths(images: Any) -> Any:
    squares = ops.sum(ops.square(images), axis=(1, 2, 3), keepdims=True)
    return ops.maximum(ops.sqrt(squares), _TINY)


def pixel_limits(
    images: np.ndarray, epsilon: float, bounds: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest float32 value each pixel may take in the L-infinity ball.

    `low = max(x - epsilon, bounds[0])`, rounded towards `x`: no value between them leaves the ball, not by
    one unit in the last place.

    Args:
        images: float32, any shape, inside the bounds.
        epsilon: Radius of the ball, in pixel units.
        bounds: Lowest and highest pixel value.

    Returns:
        `(low, high)`, float32, of the images' shape.
    """
    exact = images.astype("float64")
    limits = []
    for edge, towards in ((exact - epsilon, np.inf), (exact + epsilon, -np.inf)):
        rounded = edge.astype("float32")
        outside = np.abs(rounded.astype("float64") - exact) > epsilon
        rounded = np.where(outside, np.nextafter(rounded, np.float32(towards)), rounded)
        limits.append(np.clip(rounded, np.float32(bounds[0]), np.float32(bounds[1])))
    return limits[0], limits[1]


def snap(
    originals: np.ndarray, images: np.ndarray, epsilon: float, bounds: tuple[float, float], norm: str
) -> np.ndarray:
    """Moves images that float arithmetic left just outside the ball or the bounds back inside, exactly.

    Args:
        originals: float32 `(batch, ...)`, the centres, inside the bounds.
        images: float32, of the same shape.
        epsilon: Radius of the ball, in pixel units.
        bounds: Lowest and highest pixel value.
        norm: `"linf"` or `"l2"`.

    Returns:
        float32 images; where nothing was outside they are what was given, bit for bit.
    """
    if norm == "linf":
        return np.clip(images, *pixel_limits(originals, epsilon, bounds))
    images = np.clip(images, np.float32(bounds[0]), np.float32(bounds[1]))
    sizes = distances(originals, images, norm)
    outside = sizes > epsilon
    if not outside.any():
        return images
    factor = np.where(outside, epsilon / np.maximum(sizes, np.finfo("float64").tiny) * (1 - 1e-12), 1.0)
    start = originals.astype("float64")
    wanted = (images - start) * factor.reshape((-1,) + (1,) * (images.ndim - 1))
    moved = (start + wanted).astype("float32")
    # Rounding must not lengthen any component: one float towards the centre where it did.
    longer = np.abs(moved - start) > np.abs(wanted)
    moved = np.where(longer, np.nextafter(moved, originals), moved)
    return np.where(outside.reshape((-1,) + (1,) * (images.ndim - 1)), moved, images)


def distances(originals: np.ndarray, images: np.ndarray, norm: str) -> np.ndarray:
    """Size of each image's perturbation, float64 `(batch,)`."""
    difference = (images.astype("float64") - originals.astype("float64")).reshape(len(images), -1)
    if norm == "linf":
        return np.abs(difference).max(axis=1)
    return np.sqrt(np.square(difference).sum(axis=1))
