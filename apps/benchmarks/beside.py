"""Several runs side by side: ``python -m apps.benchmarks.beside RUN.json [RUN.json ...]`` prints Markdown.

Between its two marks the README of the app has what this prints of the runs in ``records``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from apps.benchmarks.report import describe_run, number
from apps.lab.errors import RunError
from apps.lab.report import markdown

BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"  # in the README of the app

Key = tuple[str, str, str, str, str]  # group, shape, dtype, what it is paired with, case


def lay_beside(documents: Iterable[dict[str, Any]]) -> str:
    """The runs, then a table of each group: ours in milliseconds, and how many times the other way's time.

    Memory: MiB that the peak rose by above that of the bare way.
    """
    documents = list(documents)
    names = [document["machine"]["backend"] for document in documents]
    tables: dict[tuple[str, ...], dict[Key, list[str]]] = {}
    for place, document in enumerate(documents):
        for row in document["rows"]:
            key = (row["group"], row["shape"], row["dtype"], row["other"], row["case"])
            rows = tables.setdefault(key[:4], {})
            rows.setdefault(key, ["-"] * len(documents))[place] = _cell(row)
    blocks = [" ".join(describe_run(document).splitlines()[:2]) for document in documents]
    parts = ["\n".join(f"- {block}" for block in blocks)]
    for heading, rows in tables.items():
        group, shape, dtype, other = heading
        what = ", ".join(filter(None, (shape, dtype, f"beside {other}")))
        lines = [[key[-1], *cells] for key, cells in rows.items()]
        parts.append(f"**{group}**: {what}\n\n{markdown(('case', *names), lines)}")
    return "\n\n".join(parts) + "\n"


def _cell(row: dict[str, Any]) -> str:
    if "peak_mib" in row:
        return f"{row['added_mib']:+.0f} MiB of {row['peak_mib']:.0f}"
    speed = f", {number(row['gb_per_s'])} GB/s" if "gb_per_s" in row else ""
    return f"{number(row['ours'])} ms, {number(row['ratio'])}x{speed}"


if __name__ == "__main__":
    from apps.benchmarks.history import read

    if not sys.argv[1:]:
        sys.exit("usage: python -m apps.benchmarks.beside RUN.json [RUN.json ...]")
    try:
        print(lay_beside(map(read, sys.argv[1:])), end="")
    except RunError as error:
        sys.exit(f"error: {error}")
