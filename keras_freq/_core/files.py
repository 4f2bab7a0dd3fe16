"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO


def write_whole(path: str | os.PathLike, content: str | bytes | Callable[[BinaryIO], Any]) -> Path:
    """Writes a whole file or none: a temporary file in the same folder takes the place of the old one.

    The file is on the disk, not only on its way there, when the function returns. Its mode is that of the
    file that it replaces, or else of any new file. Where the path is a symbolic link the link is replaced:
    what it points to is never written to.

    Args:
        path: Where to write. Missing folders are made.
        content: Text, stored as UTF-8, bytes, or a function that writes to the open binary file it is given.

    Returns:
        The path.

    Raises:
        IsADirectoryError: If there is a folder of that name.
        OSError: If the disk is full, say; nothing is left behind, and an older file stays as it was.
    """
    path = Path(path)
    if path.is_dir() and not path.is_symlink():
        raise IsADirectoryError(f"`path` must be that of a file. Received: path={str(path)!r}, a folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:50]}.{secrets.token_hex(8)}.tmp")
    try:
        with errors_name(path), open(temporary, "xb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        if path.is_file() and not path.is_symlink():
            os.chmod(temporary, stat.S_IMODE(path.stat().st_mode))
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):  # what went wrong first is what is told
            temporary.unlink()
        raise
    sync_folder(path.parent)
    return path


@contextlib.contextmanager
def errors_name(path: str | os.PathLike) -> Iterator[None]:
    """Within it, errors of the system that name no file, as that of a full disk, name this one."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


@contextlib.contextmanager
def lock_folder(folder: Path, *below: str) -> Iterator[None]:
    """Holds a folder for one process, where the system has locks, and clears what a killed one left half
    written in it and in the folders `below`, which are patterns of paths.

    Raises:
        ValueError: If another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows: files are whole even so
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(
                "Only one process can write to a folder at a time: wait for it, or choose another folder. "
                f"Received: folder={str(folder)!r}, which is in use"
            ) from None
        for path in (path for place in ("", *below) for path in folder.glob(os.path.join(place, ".*.tmp"))):
            if re.fullmatch(r"\..+\.[0-9a-f]{16}\.tmp", path.name):
                path.unlink()
        yield
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Puts the names of a folder on the disk, where the system can: a new file outlives a loss of power."""
    # Some systems open no folders, and some file systems sync none; the files in it are whole either way.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
