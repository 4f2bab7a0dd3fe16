"""What a long sweep has measured so far, kept in a file, so that a stopped one goes on where it was."""

from __future__ import annotations

import functools
import json
import os
import stat
import weakref
import zlib
from pathlib import Path
from typing import Any

from keras_freq._core import processes
from keras_freq._core.checks import show
from keras_freq._core.files import errors_name, sync_folder

_FORMAT = "keras_freq sweep 3"
# The journal of this process that holds the lock of a file, by what the system calls the file.
_HOLDERS: weakref.WeakValueDictionary[tuple[int, int], SweepJournal] = weakref.WeakValueDictionary()


class SweepJournal:
    """Measured rows by key, one line for each step of the sweep, under the settings they were made with.

    A line is the CRC-32 of what follows, in hexadecimal, and JSON. The first one has the format and the
    settings; its sum goes into those of all others, so that a line of another run is a damaged one. Lines are
    appended and synced, so that a step costs the same however much is measured and no
    step is lost. A kill or a loss of power can damage the last line only: it is left out when the file is
    read, and written over.

    Where several processes measure together, the first one alone reads and writes the file.

    The file is locked, where the system has locks, from the beginning until the journal is closed or
    forgotten. A second journal of one process takes the file over: the first is that of a call that was
    stopped.

    Args:
        path: File, or `None` to keep nothing.
        run: All that the numbers depend on, as plain values. A file of another run is refused.
        what: Name of the function that sweeps.

    Attributes:
        rows: The measured rows by key.

    Raises:
        ValueError: If the file is no journal of that function, is of another run, is used by another process,
            or has a damaged line before the last. It is left as it is.
    """

    def __init__(self, path: str | os.PathLike | None, run: dict[str, Any], *, what: str):
        self.rows: dict[str, Any] = {}
        self._path = None if path is None else _check_path(path)
        self._close: Any = None
        self._head = {"format": f"{_FORMAT}, {what}", "run": json.loads(json.dumps(run))}
        self._end = 0  # where the next line begins
        if self._path is not None:
            self.rows = processes.take_from_first(functools.partial(self._open, self._path, what))

    def _open(self, path: Path, what: str) -> dict[str, Any]:
        """The rows of a file, which is held from now on."""
        try:
            self._handle = _open_locked(path)
        except OSError as error:
            raise ValueError(
                "`checkpoint` must be a file that can be read and written. "
                f"Received: checkpoint={str(path)!r} ({error.strerror or error})"
            ) from error
        self._close = weakref.finalize(self, os.close, self._handle)
        _HOLDERS[_identity(self._handle)] = self
        try:
            self._end = self._load(path, what)
        except BaseException:
            self.close()
            raise
        return self.rows

    def add(self, rows: dict[str, Any]) -> None:
        """Takes note of what a step has measured, plain values by key, and writes it."""
        rows = json.loads(json.dumps(rows))
        if self._path is not None:
            processes.take_from_first(functools.partial(self._write, rows))
        self.rows |= rows

    def close(self) -> None:
        """Lets the file go; the rows stay."""
        if self._close is not None:
            self._close()

    def _write(self, rows: dict[str, Any]) -> None:
        if not self._close.alive:
            raise ValueError(
                "`checkpoint` must be used by one call at a time. "
                f"Received: checkpoint={str(self._path)!r}, which a later call has taken over"
            )
        head = _line(self._head)
        line = (b"" if self._end else head) + _line(rows, head)
        with errors_name(self._path or ""):
            os.ftruncate(self._handle, self._end)
            os.lseek(self._handle, self._end, os.SEEK_SET)
            rest = memoryview(line)
            while rest:  # a nearly full disk takes a part first and fails at the next call
                rest = rest[os.write(self._handle, rest) :]
            os.fsync(self._handle)
        self._end += len(line)

    def _load(self, path: Path, what: str) -> int:
        content = _read(self._handle)
        if _line(self._head).startswith(content):  # empty, or killed in the middle of its first line
            return 0
        *lines, _ = content.split(b"\n")  # what follows the last line end is half a line, or nothing
        head = _parse(lines[0]) if lines else None
        if head is None or head.get("format") != self._head["format"]:
            raise ValueError(
                f"`checkpoint` must be a file that an unfinished `{what}` wrote, or none yet. "
                f"Received: checkpoint={str(path)!r}, which is no such file"
            )
        parsed = [_parse(line, lines[0] + b"\n") for line in lines[1:]]
        whole = parsed[:-1] if content.endswith(b"\n") and parsed and parsed[-1] is None else parsed
        if not whole:
            return 0  # nothing was measured, under whatever settings
        for name, value in self._head["run"].items():
            if head["run"].get(name) != value:
                raise ValueError(
                    "`checkpoint` must be of a run with the same settings, weights and data: name another "
                    f"file or remove it. Received: checkpoint={str(path)!r}, where {name} is "
                    f"{head['run'].get(name)!r}, here {value!r}"
                )
        if None in whole:
            place = whole.index(None)
            before, after = (sum(len(rows or ()) for rows in part) for part in (whole[:place], whole[place:]))
            raise ValueError(
                f"`checkpoint` must have whole lines: remove line {place + 2}, and what it held is measured "
                f"again. Received: checkpoint={str(path)!r}, where line {place + 2} is damaged, and "
                f"{before} rows before it and {after} after it are whole"
            )
        for rows in whole:
            self.rows |= rows or {}
        return sum(len(line) + 1 for line in lines[: len(whole) + 1])


def _check_path(path: Any) -> Path:
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path) or _is_special(Path(path)):
        raise ValueError(
            f"`checkpoint` must be the path of a file, or None. Received: checkpoint={show(path)}"
        )
    return Path(path)


def _is_special(path: Path) -> bool:
    """Whether there is something that is no file: a folder, or a pipe, which would be waited for."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):  # none yet, or none that can be
        return False


def _line(value: dict[str, Any], head: bytes = b"") -> bytes:
    text = json.dumps(value).encode()
    return b"%08x %s\n" % (zlib.crc32(text, zlib.crc32(head)), text)


def _parse(line: bytes, head: bytes = b"") -> dict[str, Any] | None:
    """What `_line` wrote, or None where it is damaged or stands under another head."""
    check, _, text = line.partition(b" ")
    parsed = json.loads(text) if check == b"%08x" % zlib.crc32(text, zlib.crc32(head)) else None
    return parsed if isinstance(parsed, dict) else None


def _read(handle: int) -> bytes:
    parts = []
    while part := os.read(handle, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def _open_locked(path: Path) -> int:
    """A descriptor of the file, made where it is missing, with a lock that no other process has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    sync_folder(path.parent)
    if not _lock(handle):
        holder = _HOLDERS.get(_identity(handle))
        if holder is not None:
            holder.close()
        if holder is None or not _lock(handle):
            os.close(handle)
            raise ValueError(
                "`checkpoint` must be used by one process at a time: name another file, or wait. "
                f"Received: checkpoint={str(path)!r}, which another process has open"
            )
    return handle


def _lock(handle: int) -> bool:
    """Whether no other journal has the file; also where it cannot be told."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _identity(handle: int) -> tuple[int, int]:
    status = os.fstat(handle)
    return status.st_dev, status.st_ino
