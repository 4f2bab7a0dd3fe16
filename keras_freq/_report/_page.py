"""A report as one HTML page that needs nothing else: no request leaves it."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_freq._report._cells import number
from keras_freq._report._drawn import Drawn
from keras_freq._report._figures import draw_figures
from keras_freq._report._record import Report
from keras_freq._report._sections import SECTIONS
from keras_freq._report._tables import make_tables

_COUNTS = {5: "Five", 6: "Six", 7: "Seven", 8: "Eight"}
_FOLDER = Path(__file__).parent / "page"


def render_page(report: Report, figures: Sequence[Drawn] | None = None) -> str:
    """The page; figures are drawn where none are given."""
    figures = draw_figures(report) if figures is None else figures
    tables, findings = make_tables(report), report.findings()
    style, script = ((_FOLDER / name).read_text("utf-8") for name in ("page.css", "page.js"))
    sections = [
        {
            "key": key,
            "title": section.title,
            "figures": [_picture(figure) for figure in figures if figure.section == key],
            "tables": [table for table in tables if table.section == key],
            "missing": [
                (model.name, model.missing.get(key, "was not reached"))
                for model in report.models
                if key not in model.results
            ],
        }
        for key, section in SECTIONS.items()
        if key in report.settings["only"]
    ]
    return _template().render(
        report=report,
        findings=sorted(findings, key=lambda one: one.verdict == "missing"),
        count=_COUNTS.get(len(findings), str(len(findings))),
        differences=[_difference(row) for row in report.differences()],
        sections=sections,
        minutes=sum(sum(model.seconds.values()) for model in report.models) / 60,
        style=style,
        script=script,
        policy=_policy(style, script),
    )


@functools.cache
def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja")


def _picture(figure: Drawn) -> dict[str, str]:
    kind, content = ("png", figure.png) if figure.svg is None else ("svg+xml", figure.svg)
    return {
        "name": figure.name,
        "caption": figure.caption,
        "source": f"data:image/{kind};base64,{base64.b64encode(content).decode()}",
    }


def _difference(row: Any) -> dict[str, Any]:
    low, high = row.interval
    return {
        "measure": row.measure.replace("_", " "),
        "other": row.other,
        "cells": [number(row.value), number(row.reference), number(row.difference)],
        "interval": f"{low:+.3f} to {high:+.3f}",
        "differs": low > 0 or high < 0,
        "paired": row.paired,
        "n": row.n,
    }


def _policy(style: str, script: str) -> str:
    """What the page may load: its own style and script, and pictures that stand in it."""

    def allow(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; img-src data:; style-src {allow(style)}; script-src {allow(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
