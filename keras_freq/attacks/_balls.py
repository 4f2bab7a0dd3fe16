"""Images kept exactly inside a norm ball and the pixel bounds, rounding included."""

from __future__ import annotations

import numpy as np


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
