"""A function for some images of a batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keras_freq.spectral._backend import Array, library_of


def apply_where(chosen: Array, function: Callable[..., Array], images: Array, *parameters: Array) -> Array:
    """`function(images, *parameters)` of the chosen images, and the others as they are.

    Of NumPy arrays only the chosen images are computed; of tensors, whose shapes may not depend on values,
    all are.

    Args:
        chosen: `(batch,)` booleans.
        function: Of a batch of any size, image by image.
        images: `(batch, ...)`, of rank 4.
        *parameters: Arrays `(batch, ...)` that belong to the images.
    """
    xp = library_of(images)
    if xp.name != "numpy":
        return xp.where(xp.reshape(chosen, (-1, 1, 1, 1)), function(images, *parameters), images)
    rows = np.flatnonzero(chosen)
    if not rows.size:
        return images
    changed = function(images[rows], *(parameter[rows] for parameter in parameters))
    if rows.size == len(images):
        return changed
    result = images.astype(changed.dtype)
    result[rows] = changed
    return result
