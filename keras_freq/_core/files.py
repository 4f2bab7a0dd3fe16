"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO


def write_whole(path: str | os.PathLike, content: str | Callable[[BinaryIO], Any]) -> Path:
    """Writes a whole file or none: a temporary file in the same folder takes the place of the old one.

    Args:
        path: Where to write. Missing folders are made.
        content: Text, or a function that writes to the open binary file it is given.

    Returns:
        The path.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return path


def _umask() -> int:
    # Temporary files are private; a result has the mode of any other new file.
    mask = os.umask(0)
    os.umask(mask)
    return mask
