"""Arrays of an `.npz` archive, each looked at before it is read."""

from __future__ import annotations

import contextlib
import math
import os
import zipfile
from collections.abc import Iterator

import numpy as np

# An array may unpack to 64 GiB, no more.
LARGEST_ARRAY = 1 << 36


class Archive:
    """The arrays of an `.npz` file by name; a context.

    Every array is read whole and held against its check sum, and a header that promises more than there is,
    or less, is refused before. Whatever is damaged is a ValueError of one line with the reason.

    Attributes:
        files: The names of the arrays.
    """

    def __init__(self, path: str | os.PathLike):
        with _one_line():
            with open(path, "rb") as file:
                if file.read(6) == np.lib.format.MAGIC_PREFIX:
                    raise ValueError("it is a single array")
            self._zip = zipfile.ZipFile(path)
            _count_members(path, len(self._zip.namelist()))
            for name in self._zip.namelist():
                self._zip.open(name).close()  # a damaged name is not that of its member
        self.files = [name.removesuffix(".npy") for name in self._zip.namelist() if name.endswith(".npy")]

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def __getitem__(self, key: str) -> np.ndarray:
        with _one_line():
            stored = self._zip.getinfo(f"{key}.npy").file_size
            if stored > LARGEST_ARRAY:
                raise ValueError(f"{key} unpacks to {stored} bytes, more than {LARGEST_ARRAY}")
            with self._zip.open(f"{key}.npy") as member:
                first = np.lib.format.read_magic(member) == (1, 0)
                header = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
                shape, _, dtype = header(member)
                promised = member.tell() + math.prod(shape) * dtype.itemsize
            if not dtype.hasobject and promised != stored:
                raise ValueError(f"{key} promises {promised} bytes and holds {stored}")
            with self._zip.open(f"{key}.npy") as member:
                return np.lib.format.read_array(member, allow_pickle=False)


def _count_members(path: str | os.PathLike, listed: int) -> None:
    """Refuses an archive whose end tells of more members than its list, of which zipfile sees a part."""
    with open(path, "rb") as file:
        file.seek(-22, os.SEEK_END)
        end = file.read()
    told = int.from_bytes(end[10:12], "little")
    if end[:4] == b"PK\5\6" and told not in (listed, 0xFFFF):  # without a comment, and not too many
        raise ValueError(f"it lists {listed} of {told} arrays")


@contextlib.contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    # Bytes that are damaged raise a dozen kinds of errors in zipfile and in NumPy.
    except Exception as error:
        raise ValueError(str(error).splitlines()[0][:200] if str(error) else type(error).__name__) from error
