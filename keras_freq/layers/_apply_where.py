"""A function for some images of a batch, or one for each of several groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from keras_freq.spectral._backend import Array, is_distributed, is_tensorflow, library_of


def apply_where(chosen: Array, function: Callable[..., Array], images: Array, *parameters: Array) -> Array:
    """`function(images, *parameters)` of the chosen images, and the others as they are.

    Only the chosen images are computed of NumPy arrays and of tensors that `can_be_grouped`; else all are.

    Args:
        chosen: `(batch,)` booleans.
        function: Of a batch of any size, image by image.
        images: `(batch, ...)`, of rank 4.
        *parameters: Arrays `(batch, ...)` that belong to the images.
    """
    xp = library_of(images)
    if can_be_grouped(images):
        return apply_by_group(xp.cast(chosen, "int32"), (None, function), images, *parameters)
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


def apply_by_group(
    group: Array, functions: Sequence[Callable[..., Array] | None], images: Array, *parameters: Array
) -> Array:
    """`functions[group](images, *parameters)`, each of the images of its group alone; `None` leaves them.

    For tensors that `can_be_grouped`.

    Args:
        group: `(batch,)` whole numbers, int32, indices into `functions`.
        functions: Of a batch of any size, also of none, image by image; they keep shape and dtype.
        images: `(batch, ...)`.
        *parameters: Arrays `(batch, ...)` that belong to the images.
    """
    apply = _gather_groups if is_tensorflow(images) else _choose_for_each
    return apply(group, [function or _leave for function in functions], images, *parameters)


def can_be_grouped(images: Array) -> bool:
    """Whether a traced batch lies with processors alone, where a function of some images costs less than of
    all.

    TensorFlow gathers them, unless XLA compiles, which wants every shape beforehand (Keras leaves it off
    where there are processors alone). JAX goes through the batch image by image. An accelerator would be
    waited for, and devices that share a batch for each other.
    """
    if is_tensorflow(images):
        import tensorflow as tf

        # A private name of TensorFlow: nothing public tells whether XLA compiles what is being traced.
        from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

        processors = all(device.device_type == "CPU" for device in tf.config.get_visible_devices())
        return processors and not GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
    if library_of(images).name != "jax" or is_distributed():
        return False
    import jax

    return jax.default_backend() == "cpu"


def _leave(images, *parameters):
    return images


def _gather_groups(group, functions, images, *parameters):
    import tensorflow as tf

    rows = tf.dynamic_partition(tf.range(tf.shape(images)[0]), group, len(functions))
    parts = [
        function(tf.gather(images, own), *(tf.gather(parameter, own) for parameter in parameters))
        for own, function in zip(rows, functions, strict=True)
    ]
    result = tf.dynamic_stitch(rows, parts)
    result.set_shape(images.shape)
    return result


def _choose_for_each(group, functions, images, *parameters):
    import jax

    if images.shape[0] == 1:
        return jax.lax.switch(group[0], functions, images, *parameters)

    def choose(row):
        own, *values = row
        return jax.lax.switch(own, functions, *(value[None] for value in values))[0]

    return jax.lax.map(choose, (group, images, *parameters))
