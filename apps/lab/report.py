"""Numbers over the seeds: selected from the records, as mean and range, compared in claims."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from apps.lab.run import Claim, Run
from apps.lab.tables import escape


def values(run: Run, **wanted) -> np.ndarray:
    """The values of the records with these entries, in the order of their seeds."""
    found = [r for r in run.records if all(r.get(key) == value for key, value in wanted.items())]
    return np.array([r["value"] for r in sorted(found, key=lambda r: r["seed"])], "float64")


def by_seed(run: Run, **wanted) -> dict[int, float]:
    """The value of the one record of each seed with these entries."""
    found = [r for r in run.records if all(r.get(key) == value for key, value in wanted.items())]
    return {record["seed"]: record["value"] for record in found}


def lines(run: Run, measures: Iterable[str], **wanted) -> np.ndarray:
    """The values of several measures, `(seeds, measures)`."""
    return np.stack([values(run, measure=measure, **wanted) for measure in measures], axis=1)


def cells(run: Run, measures: Iterable[str], digits: int = 3, **wanted) -> list[str]:
    """Mean and range over the seeds of each measure, as the cells of a row."""
    return [mean_and_range(values(run, measure=measure, **wanted), digits) for measure in measures]


def mean_and_range(numbers: Iterable[float], digits: int = 3) -> str:
    """`0.612 (0.604 to 0.621)`, or the one number there is."""
    numbers = np.asarray(list(numbers), "float64")
    if len(numbers) == 0 or not np.isfinite(numbers).all():
        return "-"
    mean = f"{numbers.mean():.{digits}f}"
    if len(numbers) == 1:
        return mean
    return f"{mean} ({numbers.min():.{digits}f} to {numbers.max():.{digits}f})"


def order(first: ArrayLike, second: ArrayLike, *, higher: str, lower: str) -> str:
    """What the pairs of one seed each say: all one way, or not."""
    differences = np.asarray(first, "float64") - np.asarray(second, "float64")
    total, above, below = len(differences), int((differences > 0).sum()), int((differences < 0).sum())
    if not total:
        return "no seed has both"
    if above == total:
        return f"{higher} in {total} of {total} seeds"
    if below == total:
        return f"{lower} in {total} of {total} seeds"
    return f"no one order ({higher} in {above} of {total} seeds)"


def compare(
    text: str,
    first: tuple[str, Iterable[float]],
    second: tuple[str, Iterable[float]],
    *,
    n: int,
    stages: Sequence[str],
    published: str = "-",
    higher: str = "higher",
    lower: str = "lower",
    digits: int = 3,
) -> Claim:
    """The claim that one number is above or below another, with both over the seeds and their order.

    `first` and `second` are names and values by seed; what is ours in the claim then reads
    ``first 0.612 (0.604 to 0.621), second 0.5 (...): higher in 3 of 3 seeds``. `stages` and `n` are those of
    `Claim`, `published` is its paper's number.
    """
    verdict = order(list(first[1]), list(second[1]), higher=higher, lower=lower)
    both = ", ".join(f"{name} {mean_and_range(numbers, digits)}" for name, numbers in (first, second))
    return Claim(text, published, f"{both}: {verdict}", n, tuple(stages))


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [list(map(escape, head)), ["---"] * len(head), *(list(map(escape, row)) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def print_table(
    title: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, whole: bool = False
) -> None:
    """The same table on the terminal; where it has many columns, the means without their ranges.

    With `whole` every cell is printed whole, in one line however wide.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [[str(cell) for cell in row] for row in rows]
    wide = len(head) > 6 and not whole
    note = "the ranges stand in summary.md" if wide else ""
    # As `Text`: names of classes are no markup.
    table = Table(title=Text(title), title_justify="left", caption=note, caption_justify="left")
    for index, heading in enumerate(head):
        table.add_column(Text(heading), justify="right" if index and not whole else "left", no_wrap=whole)
    for row in rows:
        table.add_row(*(Text(cell.partition(" (")[0] if wide else cell) for cell in row))
    console = Console()
    if whole:
        widths = [max(map(len, column)) + 3 for column in zip(head, *rows, strict=True)]
        console = Console(width=max(console.width, sum(widths) + 1))
    elif not console.is_terminal:  # a log file has no width of its own
        console = Console(width=120)
    console.print(table)


def write_report(
    run: Run,
    title: str,
    claims: list[Claim],
    *tables: tuple[str, Sequence[str], list[list[str]]],
    notes: str = "",
) -> None:
    """Prints tables (title, head, rows) and writes `summary.md`: claims, notes and the tables."""
    for table in tables:
        print_table(*table)
    written = [markdown(head, rows) for _, head, rows in tables]
    run.summary(title, claims, notes="\n\n".join([notes, *written] if notes else written))
