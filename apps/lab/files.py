"""Files that are written whole or not at all, lines that are appended so, and locks."""

from __future__ import annotations

import io
import json
import os
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np

from apps.lab.errors import one_line


def write_whole(path: str | os.PathLike, content: str | bytes | Callable[[BinaryIO], Any]) -> Path:
    """Writes a file through a temporary one in the same folder, so that a reader never sees half of it.

    Missing folders are made. `content` is text (stored as UTF-8), bytes, or a function that writes to the
    open binary file it is given.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner can read; a result is as readable as what it replaces, or
        # as any other file.
        old = path.is_file() and not path.is_symlink()
        os.chmod(temporary, stat.S_IMODE(path.stat().st_mode) if old else 0o666 & ~_umask())
        os.replace(temporary, path)
        _sync(path.parent)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def clear_halves(folder: Path, of: str = "") -> None:
    """Removes what killed processes have left half written: of one file, or of all below the folder.

    Who calls it holds what is written there.
    """
    for ending in (".part", f".{'[0-9a-f]' * 16}.tmp"):  # of `write_whole` here, and of that of `keras_freq`
        for half in folder.glob(f".{of}.*{ending}" if of else f"**/.*{ending}"):
            half.unlink(missing_ok=True)


def write_json(path: str | os.PathLike, value: Any) -> Path:
    """Writes JSON, indented, whole or not at all."""
    return write_whole(path, json.dumps(value, indent=2, allow_nan=True) + "\n")


def with_check(values: dict[str, Any]) -> dict[str, Any]:
    """A dictionary for JSON, with the CRC-32 of its content as its last entry."""
    values = json.loads(json.dumps(values))  # as it will be read
    return {**values, "crc32": _digits(values)}


def without_check(values: Any) -> dict[str, Any]:
    """What `with_check` was given; a dictionary without a check sum is taken as it is.

    Raises:
        ValueError: If it is damaged, or no dictionary.
    """
    if not isinstance(values, dict):
        raise ValueError("no dictionary")
    values = dict(values)
    if values.pop("crc32", None) not in (None, _digits(values)):
        raise ValueError("it does not fit its check sum")
    return values


def write_checked(path: str | os.PathLike, values: dict[str, Any]) -> Path:
    """Writes a dictionary as JSON with a check sum."""
    return write_json(path, with_check(values))


def read_checked(path: str | os.PathLike) -> dict[str, Any]:
    """Reads what `write_checked` wrote: an OSError if it cannot be read, a ValueError if it is damaged."""
    return without_check(json.loads(Path(path).read_text(encoding="utf-8")))


def read_arrays(path: str | os.PathLike, only: str | None = None) -> dict[str, np.ndarray]:
    """The arrays that `np.savez` wrote, or one of them, each read whole and held against its check sum.

    Raises:
        ValueError: If the file cannot be read or is damaged; one line.
    """
    try:
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            file.seek(-22, os.SEEK_END)  # of the list, zipfile may see a part
            if int.from_bytes(file.read()[10:12], "little") not in (len(names), 0xFFFF):
                raise ValueError("its list of arrays is damaged")
            names = names if only is None else [f"{only}.npy"]
            return {name.removesuffix(".npy"): _read_member(archive, name) for name in names}
    # Bytes that are damaged raise a dozen kinds of errors in zipfile and in NumPy.
    except Exception as error:
        raise ValueError(one_line(error)) from error


def _read_member(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:  # it may unpack to any size
        raise ValueError(f"{name} is compressed")
    content = io.BytesIO(archive.read(name))
    array = np.lib.format.read_array(content, allow_pickle=False)
    if content.read(1):
        raise ValueError(f"{name} is longer than its array")
    return array


def append_records(path: str | os.PathLike, records: list[dict]) -> None:
    """Appends one JSON line a record, all of them or none; its last entry is the CRC-32 of what is before.

    A kill in the middle can at worst leave a last line without its end, which `read_records` leaves out and
    the next call removes.
    """
    lines = as_lines(records)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        end = _end_of_last_line(handle)
        os.ftruncate(handle, end)
        os.lseek(handle, end, os.SEEK_SET)
        written = 0
        try:
            while written < len(lines):  # a nearly full disk writes a part first and fails at the next call
                written += os.write(handle, lines[written:])
            os.fsync(handle)
        except BaseException as error:
            # Ctrl-C while the disk is slow: the lines are whole, and what they tell took long to measure.
            if written < len(lines) or isinstance(error, OSError):
                os.ftruncate(handle, end)
            raise
    finally:
        os.close(handle)


def as_lines(records: list[dict]) -> bytes:
    """Records as `append_records` writes them."""
    return b"".join(map(_line, records))


def read_records(path: str | os.PathLike) -> tuple[list[dict], list[int]]:
    """Reads what `append_records` wrote; a missing file holds nothing.

    Returns:
        The records of the whole lines, and the numbers, from 1, of those that are damaged.
    """
    path = Path(path)
    if not path.exists():
        return [], []
    records, damaged = [], []
    lines = path.read_bytes().split(b"\n")[:-1]  # what follows the last line end is half a line, or nothing
    for number, line in enumerate(lines, start=1):
        text = line.rpartition(_CHECK)[0] + b"}"
        if line + b"\n" == _checked(text):
            records.append(json.loads(text))
        else:
            damaged.append(number)
    return records, damaged


def hold(path: Path) -> TextIO | None:
    """A lock that ends with the process, however that ends; None where another process holds it.

    Where the system cannot lock (Windows, some network file systems), nothing is guarded.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open(path, "a")  # noqa: SIM115 (held as long as the caller wants)
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except (ImportError, OSError):
        pass
    return file


def _digits(values: dict[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(values, sort_keys=True).encode()):08x}"


_CHECK = b', "crc32": "'


def _line(record: dict) -> bytes:
    return _checked(json.dumps(record, allow_nan=True).encode())


def _checked(text: bytes) -> bytes:
    """The JSON of a record with its check sum and a line end."""
    return text[:-1] + _CHECK + b'%08x"}\n' % zlib.crc32(text)


def _end_of_last_line(handle: int) -> int:
    os.lseek(handle, 0, os.SEEK_SET)
    parts = []
    while part := os.read(handle, 1 << 20):
        parts.append(part)
    return b"".join(parts).rfind(b"\n") + 1


def _sync(folder: Path) -> None:
    """Makes the new name of a file last, where folders can be opened."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
