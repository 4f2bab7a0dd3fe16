"""A progress bar where tqdm is installed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress_bar(
    show: bool | None, description: str, unit: str = "image", *, total: int | None = None, done: int = 0
) -> Iterator[Callable[[int], None]]:
    """A bar that counts up.

    Args:
        show: `True` shows it and needs tqdm, `False` does not, `None` shows it on a terminal if tqdm is
            installed.
        description: What is being done.
        unit: What is counted.
        total: How many there are, for an estimate of the time left.
        done: How many of them were done before, which the estimate leaves out.

    Yields:
        A function that takes how many more are done.

    Raises:
        ImportError: If `show` is `True` and tqdm is missing.
    """
    if show is None:
        show = sys.stderr.isatty() and _tqdm() is not None
    if not show:
        yield lambda count: None
        return
    tqdm = _tqdm()
    if tqdm is None:
        raise ImportError("A progress bar needs tqdm: pip install tqdm. Received: progress=True")
    with tqdm(desc=description, unit=unit, total=total, initial=done, leave=False) as bar:
        yield bar.update


def _tqdm():
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm
