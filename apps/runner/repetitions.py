"""Numbers over the seeds: selected from the records, as mean and range."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from apps.runner.run import Run


def values(run: Run, **wanted) -> np.ndarray:
    """The values of the records with these entries, in the order of their seeds."""
    found = [r for r in run.records if all(r.get(key) == value for key, value in wanted.items())]
    return np.array([r["value"] for r in sorted(found, key=lambda r: r["seed"])], "float64")


def mean_and_range(numbers: Iterable[float], digits: int = 3) -> str:
    """`0.612 (0.604 to 0.621)`, or the one number there is."""
    numbers = np.asarray(list(numbers), "float64")
    if len(numbers) == 0 or not np.isfinite(numbers).all():
        return "-"
    mean = f"{numbers.mean():.{digits}f}"
    if len(numbers) == 1:
        return mean
    return f"{mean} ({numbers.min():.{digits}f} to {numbers.max():.{digits}f})"


def order(first: Sequence[float], second: Sequence[float], *, higher: str, lower: str) -> str:
    """What the pairs of one seed each say: all one way, or not."""
    differences = np.asarray(first, "float64") - np.asarray(second, "float64")
    total, above, below = len(differences), int((differences > 0).sum()), int((differences < 0).sum())
    if above == total:
        return f"{higher} in {total} of {total} seeds"
    if below == total:
        return f"{lower} in {total} of {total} seeds"
    return f"no one order ({higher} in {above} of {total} seeds)"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def print_table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """The same table on the terminal; where it has many columns, the means without their ranges."""
    from rich.console import Console
    from rich.table import Table

    wide = len(head) > 6
    note = "the ranges stand in summary.md" if wide else ""
    table = Table(title=title, title_justify="left", caption=note, caption_justify="left")
    for index, heading in enumerate(head):
        table.add_column(heading, justify="right" if index else "left")
    for row in rows:
        table.add_row(*(str(cell).partition(" (")[0] if wide else str(cell) for cell in row))
    console = Console()
    # A log file has no width of its own.
    (console if console.is_terminal else Console(width=120)).print(table)
