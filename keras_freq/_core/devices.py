"""The devices of `keras.distribution` that share the images of a batch: on JAX, those of this process.

Keras copies a model's weights to all of them; a batch that lies on one is then computed by each of them as a
whole. Here it is split along its first axis, and the compiler splits what follows from it. Where several
processes are joined, each has batches of its own (see `processes`), which its own devices share.
"""

from __future__ import annotations

import functools
from typing import Any

import keras


def count_devices() -> int:
    """Devices over which a batch is split: 1 where there is no distribution, or none that can split it."""
    mesh, name = _choose_mesh()
    return 1 if mesh is None else int(dict(zip(mesh.axis_names, mesh.shape, strict=True)).get(name, 1))


def split_batch(tensors: Any) -> Any:
    """Tensors, in any structure, with each one's first axis split over the devices where they divide it."""
    count = count_devices()
    if count == 1:
        return tensors
    mesh, name = _choose_mesh()

    def split(tensor):
        if not tensor.shape or tensor.shape[0] % count:
            return tensor
        layout = keras.distribution.TensorLayout((name, *[None] * (len(tensor.shape) - 1)), mesh)
        return keras.distribution.distribute_tensor(tensor, layout)

    return keras.tree.map_structure(split, tensors)


def take_local(value: Any) -> Any:
    """An array as it lies on the devices of this process, which can then compute without the others."""
    if keras.backend.backend() != "jax" or value.is_fully_addressable:
        return value
    if not value.is_fully_replicated:
        raise ValueError(
            "Each process must hold all weights of the model that it measures, as under "
            "keras.distribution.DataParallel. "
            f"Received: a weight of shape {value.shape} that is split over processes"
        )
    import jax

    parts = {shard.device: shard.data for shard in value.addressable_shards}
    devices = sorted(parts, key=lambda device: device.id)
    whole = jax.sharding.NamedSharding(jax.sharding.Mesh(devices, ("batch",)), jax.sharding.PartitionSpec())
    return jax.make_array_from_single_device_arrays(value.shape, whole, [parts[one] for one in devices])


def splitting() -> Any:
    """What a compiled function that splits its batch depends on: the distribution, or `None`."""
    return None if count_devices() == 1 else keras.distribution.distribution()


def round_up(size: int) -> int:
    """The next size of a batch that the devices divide."""
    count = count_devices()
    return -(-size // count) * count


def _choose_mesh() -> tuple[Any, str | None]:
    """The devices, and the axis of them over which a batch is split; or `None`."""
    # Keras completes its distributions on JAX alone.
    if keras.backend.backend() != "jax":
        return None, None
    distribution = keras.distribution.distribution()
    if distribution is None or distribution.batch_dim_name is None:
        return None, None
    return _find_local(distribution), distribution.batch_dim_name


@functools.lru_cache(maxsize=4)
def _find_local(distribution: Any) -> Any:
    """The part of a distribution's devices that belongs to this process."""
    import jax

    mesh = distribution.device_mesh
    if jax.process_count() == 1:
        return mesh
    known = set(map(str, mesh.devices.flatten()))
    local = [f"{one.platform}:{one.id}" for one in sorted(jax.local_devices(), key=lambda one: one.id)]
    own = [name for name in local if name in known]
    return keras.distribution.DeviceMesh((len(own),), [distribution.batch_dim_name], own) if own else None
