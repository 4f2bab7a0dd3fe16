"""Python values as strict JSON and back, exactly.

Numbers, texts, None and dictionaries with text keys stand as they are, tuples as lists; what JSON does not
know is a dictionary with one key that begins with `$`. Numbers that are not finite are "NaN", "Infinity" and
"-Infinity". Reading builds plain values, NumPy arrays of numbers and registered records, and runs no code of
the file.
"""

from __future__ import annotations

import base64
import math
import types
import zlib
from collections.abc import Callable
from typing import Any, Union, get_args, get_origin

import numpy as np

_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def encode(value: Any, record: Callable[[Any], dict[str, Any] | None]) -> Any:
    """What `json.dumps` takes and `decode` reads; `record` does the same for a record, None for another."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, str):
        return {"$text": value} if value in _NOT_FINITE else str(value)
    if isinstance(value, tuple):
        return [encode(item, record) for item in value]
    if isinstance(value, list):
        return {"$list": [encode(item, record) for item in value]}
    if isinstance(value, dict):
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: encode(item, record) for key, item in value.items()}
        return {"$pairs": [[encode(key, record), encode(item, record)] for key, item in value.items()]}
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    if isinstance(value, frozenset):
        return {"$set": [encode(item, record) for item in sorted(value)]}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        data = value.astype(value.dtype.newbyteorder("<")).tobytes()
        packed = base64.b64encode(zlib.compress(data, 1)).decode()
        return {"$array": packed, "dtype": value.dtype.name, "shape": list(value.shape)}
    own = record(value)
    if own is None:
        raise TypeError(
            "A result must hold numbers, texts, None, tuples, lists, dictionaries, sets, records or arrays "
            f"of numbers to be written. Received: a value of type {type(value).__name__}"
        )
    return own


def decode(value: Any, record: Callable[[str, dict[str, Any]], Any]) -> Any:
    """The value that `encode` made this of. Raises ValueError, TypeError or KeyError where it made none."""
    if isinstance(value, str):
        return _NOT_FINITE.get(value, value)
    if isinstance(value, list):
        return tuple(decode(item, record) for item in value)
    if not isinstance(value, dict):
        return value
    tag = next((key for key in value if key.startswith("$")), None)
    if tag is None:
        return {key: decode(item, record) for key, item in value.items()}
    content = value[tag]
    if tag == "$text":
        return str(content)
    if tag == "$list":
        return [decode(item, record) for item in content]
    if tag == "$pairs":
        return {decode(key, record): decode(item, record) for key, item in content}
    if tag == "$bytes":
        return bytes.fromhex(content)
    if tag == "$set":
        return frozenset(decode(item, record) for item in content)
    if tag == "$array":
        return _array(content, value["dtype"], value["shape"])
    if tag == "$record":
        return record(content, value["fields"])
    raise ValueError(f"unknown mark {tag!r}")


def _array(packed: str, name: str, shape: list[int]) -> np.ndarray:
    dtype = np.dtype(name)
    if dtype.kind not in "biuf":
        raise ValueError(f"an array of {name}")
    size = dtype.itemsize * math.prod(shape)
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(base64.b64decode(packed, validate=True), size + 1)  # never more than stated
    except zlib.error as error:
        raise ValueError("an array that is cut or changed") from error
    if len(data) != size or (size and not stream.eof):
        raise ValueError("an array that is cut or changed")
    return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype).reshape(shape)


def equal(one: Any, other: Any) -> bool:
    """Equality by value: arrays element by element, NaN equal to NaN."""
    if one is other:
        return True
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        if not (isinstance(one, np.ndarray) and isinstance(other, np.ndarray)):
            return False
        numbers = one.dtype.kind in "fc" and other.dtype.kind in "fc"
        return np.array_equal(one, other, equal_nan=numbers)
    if isinstance(one, (tuple, list)):
        alike = isinstance(other, (tuple, list)) and isinstance(one, tuple) == isinstance(other, tuple)
        return alike and len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict):
        alike = isinstance(other, dict) and one.keys() == other.keys()
        return alike and all(equal(item, other[key]) for key, item in one.items())
    return bool(one == other) or bool(one != one and other != other)


def fits(value: Any, hint: Any) -> bool:
    """Whether a value has the shape that an annotation states; lists pass for tuples, numbers for numbers."""
    outer, inner = get_origin(hint), get_args(hint)
    if outer in (Union, types.UnionType):
        return any(fits(value, part) for part in inner)
    if outer is tuple:
        if not isinstance(value, (tuple, list)):
            return False
        if inner[-1] is Ellipsis:
            return all(fits(item, inner[0]) for item in value)
        return len(value) == len(inner) and all(map(fits, value, inner))
    if hint in (int, float):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    kind = outer or hint
    return not isinstance(kind, type) or isinstance(value, kind)
