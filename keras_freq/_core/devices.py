"""The devices of `keras.distribution` that share the images of a batch: JAX, in one process.

Keras copies a model's weights to all of them; a batch that lies on one is then computed by each of them as a
whole. Here it is split along its first axis, and the compiler splits what follows from it.
"""

from __future__ import annotations

import warnings
from typing import Any

import keras


def count_devices() -> int:
    """Devices over which a batch is split: 1 where there is no distribution, or none that can split it."""
    # Keras completes its distributions on JAX alone; arrays over several processes cannot be fetched by one.
    if keras.backend.backend() != "jax":
        return 1
    distribution = keras.distribution.distribution()
    if distribution is None or distribution.batch_dim_name is None:
        return 1
    import jax

    if jax.process_count() > 1:
        return 1
    mesh = distribution.device_mesh
    return int(dict(zip(mesh.axis_names, mesh.shape, strict=True)).get(distribution.batch_dim_name, 1))


def split_batch(tensors: Any) -> Any:
    """Tensors, in any structure, with each one's first axis split over the devices where they divide it."""
    count = count_devices()
    if count == 1:
        return tensors
    distribution = keras.distribution.distribution()
    mesh, name = distribution.device_mesh, distribution.batch_dim_name

    def split(tensor):
        if not tensor.shape or tensor.shape[0] % count:
            return tensor
        layout = keras.distribution.TensorLayout((name, *[None] * (len(tensor.shape) - 1)), mesh)
        return keras.distribution.distribute_tensor(tensor, layout)

    return keras.tree.map_structure(split, tensors)


def splitting() -> Any:
    """What a compiled function that splits its batch depends on: the distribution, or `None`."""
    return None if count_devices() == 1 else keras.distribution.distribution()


def round_up(size: int) -> int:
    """The next size of a batch that the devices divide."""
    count = count_devices()
    return -(-size // count) * count


def warn_of_copies() -> None:
    """Warns where several processes are joined, of which each measures the whole."""
    count, backend = 1, keras.backend.backend()
    if backend == "jax":
        import jax

        count = jax.process_count()
    elif backend == "torch":
        import torch

        if torch.distributed.is_available() and torch.distributed.is_initialized():
            count = torch.distributed.get_world_size()
    if count > 1:
        warnings.warn(
            f"Each of the {count} processes measures all of its data: they are not shared between processes. "
            "Measure in one process, or give each one its part of the images.",
            stacklevel=4,
        )
