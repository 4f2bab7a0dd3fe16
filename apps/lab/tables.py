"""Cells of tables as text, whatever stands in them."""

from __future__ import annotations


def escape(cell: object) -> str:
    """A cell of a Markdown table: no character of it divides cells, ends the line or is markup."""
    text = " ".join(str(cell).split("\n"))
    return text.replace("|", "\\|").replace("<", "&lt;")
