"""Which tensors are floats from 0 to 255 that a layer made of bytes, for the next layer to know."""

from __future__ import annotations

import weakref
from typing import Any

# By identity: not every tensor can be hashed or given an attribute.
_MARKED: dict[int, weakref.ref] = {}


def mark_float_bytes(images: Any) -> Any:
    """The tensor itself, known from now on as floats from 0 to 255."""
    key = id(images)
    _MARKED[key] = weakref.ref(images, lambda _: _MARKED.pop(key, None))
    return images


def are_float_bytes(images: Any) -> bool:
    """Whether a tensor, of values or in traced code, was marked."""
    found = _MARKED.get(id(images))
    return found is not None and found() is images
