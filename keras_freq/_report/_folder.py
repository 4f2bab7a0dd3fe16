"""A report as a folder: the page, the record, tables and figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from keras_freq._core.files import write_whole
from keras_freq._core.result import Record
from keras_freq._report._drawn import Drawn
from keras_freq._report._figures import draw_figures
from keras_freq._report._page import render_page
from keras_freq._report._record import Report

# Names of the figures and tables that a report has written, so that the next one leaves none of them.
_WRITTEN = Path("parts", "written.json")


def remove_written(folder: Path) -> None:
    """Removes the figures and tables of an earlier report, and no other file."""
    if (folder / _WRITTEN).is_file():
        for name in json.loads((folder / _WRITTEN).read_text("utf-8")):
            (folder / name).unlink(missing_ok=True)


def write_folder(
    report: Report, folder: Path, drawn: dict[Any, list[Drawn]], *, model: int, section: str
) -> None:
    """Writes what a section more changes, each file whole or not at all, the page last.

    Args:
        report: What is known so far.
        folder: Where to.
        drawn: Figures of earlier calls, which are not drawn again.
        model: Of which model the section is, counted from 0.
        section: The section.
    """
    before = {id(figure) for figures in drawn.values() for figure in figures}
    figures = draw_figures(report, drawn)
    pictures = {f"figures/{figure.name}.png": figure.png for figure in figures if id(figure) not in before}
    pictures |= {
        f"figures/{figure.name}.svg": figure.svg
        for figure in figures
        if id(figure) not in before and figure.svg is not None
    }
    tables = {
        f"tables/{name}_{model}.csv": result
        for name, result in report.models[model].results.get(section, {}).items()
        if isinstance(result, Record)
    }
    written = folder / _WRITTEN
    names = set(json.loads(written.read_text("utf-8"))) if written.is_file() else set()
    write_whole(written, json.dumps(sorted(names | pictures.keys() | tables.keys())))
    for name, picture in pictures.items():
        write_whole(folder / name, picture)
    for name, table in tables.items():
        table.to_csv(folder / name)
    write_whole(folder / "report.json", report.to_json())
    write_whole(folder / "index.html", render_page(report, figures))
