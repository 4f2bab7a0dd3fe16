"""Files that are written whole or not at all, lines that are appended so, and locks."""

from __future__ import annotations

import json
import os
import stat
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TextIO


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


def write_json(path: str | os.PathLike, value: Any) -> Path:
    """Writes JSON, indented, whole or not at all."""
    return write_whole(path, json.dumps(value, indent=2, allow_nan=True) + "\n")


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
