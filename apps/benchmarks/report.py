"""The rows of a run as tables: for the terminal, at most 110 columns, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from apps.lab.report import markdown

HEAD = ("case", "ours, ms", "quartiles", "other, ms", "quartiles", "ours / other", "quartiles", "pairs")


def describe_run(document: dict[str, Any]) -> str:
    """Date, device, versions and what the numbers are, in three lines."""
    made, settings = document["machine"], document["settings"]
    load = "" if document["load"] is None else f", load {document['load']:.1f}"
    return (
        f"{document['date'][:16].replace('T', ' ')}, {made['device']}, {made['cpu_count']} cores{load}\n"
        f"{made['backend']} {made['backend_version']}, keras {made['keras']}, numpy {made['numpy']}, "
        f"scipy {made['scipy']}, Python {made['python']}, keras_freq {made['keras_freq']}\n"
        f"medians and quartiles of at most {settings['pairs']} pairs, ours and the other way in turn\n"
    )


def as_text(rows: Iterable[dict]) -> str:
    """A table for each group of rows that are paired with the same."""
    blocks = []
    for heading, part in _grouped(rows).items():
        if "peak_mib" in part[0]:
            lines = [f"{'':50}{'peak, MiB':>12}{'bare, MiB':>12}{'added, MiB':>12}"]
            lines += [
                f"  {_cut(r['case']):48}{r['peak_mib']:12.0f}{r['bare_peak_mib']:12.0f}{r['added_mib']:12.0f}"
                for r in part
            ]
        else:
            lines = [f"{'':50}{'ours, ms':>9} {'quartiles':>15}{'other':>9}{'x':>8} {'quartiles':>13}"]
            lines += [_line(row) for row in part]
        blocks.append("\n".join([heading, *lines]))
    return "\n\n".join(blocks) + "\n"


def as_markdown(rows: Iterable[dict]) -> str:
    """All rows, each group of them a table."""
    blocks = []
    for heading, part in _grouped(rows).items():
        if "peak_mib" in part[0]:
            head: tuple[str, ...] = ("case", "peak, MiB", "bare, MiB", "added, MiB")
            cells = [
                [r["case"], *(f"{r[key]:.0f}" for key in ("peak_mib", "bare_peak_mib", "added_mib"))]
                for r in part
            ]
        else:
            head, cells = HEAD, [_cells(row) for row in part]
        blocks.append(f"**{heading}**\n\n{markdown(head, cells)}")
    return "\n\n".join(blocks) + "\n"


def _grouped(rows: Iterable[dict]) -> dict[str, list[dict]]:
    """The rows by what they are paired with, in the order of the first of each."""
    found: dict[str, list[dict]] = {}
    for row in rows:
        found.setdefault(_heading(row), []).append(row)
    return found


def _heading(row: dict) -> str:
    what = ", ".join(part for part in (row["shape"], row["dtype"]) if part)
    return f"{row['group']}{': ' if what else ''}{what}, beside {row['other']}"


def _line(row: dict) -> str:
    span, ratios = _span(row, "ours"), _span(row, "ratio")
    return (
        f"  {_cut(_case(row)):48}{number(row['ours']):>9} {span:>15}{number(row['theirs']):>9}"
        f"{number(row['ratio']):>8} {ratios:>13}"
    )


def _cells(row: dict) -> list[str]:
    found = [_case(row)]
    for name in ("ours", "theirs", "ratio"):
        found += [number(row[name]), _span(row, name)]
    return [*found, str(row["pairs"])]


def _case(row: dict) -> str:
    return row["case"] + (f", {row['gb_per_s']:.1f} GB/s" if "gb_per_s" in row else "")


def _span(row: dict, name: str) -> str:
    return f"{number(row[name + '_low'])} to {number(row[name + '_high'])}"


def number(value: float) -> str:
    """Two or three digits that count."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def _cut(text: str) -> str:
    return text if len(text) <= 47 else text[:46] + "."
