"""A report as a folder: the page, the record, tables and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from keras_freq._core.files import write_whole
from keras_freq._core.result import Record
from keras_freq._report._drawn import Drawn
from keras_freq._report._figures import draw_figures
from keras_freq._report._page import render_page
from keras_freq._report._record import Report


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
    for figure in figures:
        if id(figure) not in before:
            write_whole(folder / "figures" / f"{figure.name}.png", figure.png)
            if figure.svg is not None:
                write_whole(folder / "figures" / f"{figure.name}.svg", figure.svg)
    for name, result in report.models[model].results.get(section, {}).items():
        if isinstance(result, Record):
            result.to_csv(folder / "tables" / f"{name}_{model}.csv")
    write_whole(folder / "report.json", report.to_json())
    write_whole(folder / "index.html", render_page(report, figures))
