"""A progress bar."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from keras_freq._core import processes
from keras_freq._core.checks import check_flag


@contextlib.contextmanager
def progress_bar(
    show: bool | None, description: str, unit: str = "image", *, total: int | None = None, done: int = 0
) -> Iterator[Callable[[int], None]]:
    """A bar that counts up; of several processes the first one shows it.

    Args:
        show: `True` shows it, `False` does not, `None` shows it on a terminal.
        description: What is being done.
        unit: What is counted.
        total: How many there are, for an estimate of the time left.
        done: How many of them were done before, which the estimate leaves out.

    Yields:
        A function that takes how many more are done.
    """
    wanted = sys.stderr.isatty() if show is None else check_flag(show, "progress")
    if not wanted or processes.index() > 0:
        yield lambda count: None
        return
    from tqdm.auto import tqdm

    with tqdm(desc=description, unit=unit, total=total, initial=done, leave=False) as bar:
        yield bar.update
