"""Reads the tensors of a file that an old `torch.save` wrote, without PyTorch and without running code.

Such a file is a row of pickles (a magic number, a version, facts of the machine, the dictionary of tensors,
the keys of the storages), followed by the storages: the number of entries, 8 bytes, and the entries.
"""

from __future__ import annotations

import collections
import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C
_TYPES = {"FloatStorage": "<f4", "LongStorage": "<i8", "HalfStorage": "<f2", "DoubleStorage": "<f8"}


def read_tensors(path: str | Path) -> dict[str, np.ndarray]:
    """Name to array, of a file that holds a flat dictionary of tensors.

    Raises:
        ValueError: If it is no such file, is damaged, or asks for anything else than tensors.
    """
    try:
        with open(path, "rb") as file:
            if _Tensors(file).load() != _MAGIC:
                raise ValueError("another magic number")
            for _ in range(2):
                _Tensors(file).load()
            reader = _Tensors(file)
            promised = reader.load()
            keys = _Tensors(file).load()
            storages = {key: _read_storage(file, reader.types[key]) for key in keys}
        return {name: tensor.take(storages) for name, tensor in promised.items()}
    # Damaged pickles raise a dozen kinds of errors.
    except Exception as error:
        raise ValueError(
            f"The file must hold tensors that torch.save wrote. Received: {path} ({error})"
        ) from error


class _Promise:
    """A tensor, before its storage is read."""

    def __init__(self, storage: str, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: Any):
        self.storage, self.offset, self.shape, self.stride = storage, offset, shape, stride

    def take(self, storages: dict[str, np.ndarray]) -> np.ndarray:
        found = storages[self.storage]
        steps = [(size - 1) * step for size, step in zip(self.shape, self.stride, strict=True)]
        # Beyond its storage a view would show what else lies in memory.
        if min(self.offset, *self.shape, *self.stride, 0) < 0 or self.offset + sum(steps) >= len(found):
            raise ValueError("a tensor reaches beyond its storage")
        found = found[self.offset :]
        strides = [step * found.itemsize for step in self.stride]
        return np.lib.stride_tricks.as_strided(found, self.shape, strides).copy()


class _Tensors(pickle.Unpickler):
    """Makes dictionaries, numbers, text and promises of tensors; refuses any other class."""

    def __init__(self, file: BinaryIO):
        super().__init__(file)
        self.types: dict[str, str] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Promise
        if module == "torch" and name in _TYPES:
            return _TYPES[name]
        raise ValueError(f"it asks for {module}.{name}")

    def persistent_load(self, found: Any) -> str:
        _, kind, key, *_ = found
        self.types[key] = kind
        return key


def _read_storage(file: BinaryIO, kind: str) -> np.ndarray:
    count = int.from_bytes(file.read(8), "little")
    size = count * np.dtype(kind).itemsize
    content = file.read(size)
    if len(content) < size:
        raise ValueError("it ends too early")
    return np.frombuffer(content, kind, count)
