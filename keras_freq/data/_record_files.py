"""Whether files of TFRecords are whole, by the lengths that stand before their records."""

from __future__ import annotations

from pathlib import Path

import numpy as np

# A record is its length, 8 bytes, their check sum, 4 bytes, the content, and its check sum, 4 bytes.
_HEAD, _FRAME = 12, 16


def find_fault(path: Path, records: int) -> str | None:
    """What is wrong with a file that should hold so many records, or None; what they hold is not read."""
    size, place = path.stat().st_size, 0
    heads: list[bytes] = []
    with open(path, "rb", buffering=0) as file:
        while place + _FRAME <= size and len(heads) <= records:
            file.seek(place)
            heads.append(file.read(_HEAD))
            place += _FRAME + int.from_bytes(heads[-1][:8], "little")
    if heads and not _sound(np.frombuffer(b"".join(heads), "uint8").reshape(-1, _HEAD)):
        return "damaged"
    if place != size or len(heads) != records:
        return f"cut short: {size} bytes, where {records} records should be"
    return None


def _sound(heads: np.ndarray) -> bool:
    """Whether the check sums of the lengths are right: CRC-32C, masked as TensorFlow does."""
    crc = np.full(len(heads), 0xFFFFFFFF, "uint32")
    for column in heads[:, :8].T:
        crc = _TABLE[(crc ^ column) & 0xFF] ^ (crc >> np.uint32(8))
    crc = ~crc
    masked = ((crc >> np.uint32(15)) | (crc << np.uint32(17))) + np.uint32(0xA282EAD8)
    return bool((masked == np.ascontiguousarray(heads[:, 8:]).view("<u4")[:, 0]).all())


def _make_table() -> np.ndarray:
    table = np.arange(256, dtype="uint32")
    for _ in range(8):
        table = (table >> np.uint32(1)) ^ np.where(table & 1, np.uint32(0x82F63B78), np.uint32(0))
    return table


_TABLE = _make_table()
