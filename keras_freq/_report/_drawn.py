"""A figure of a report, and how it is rendered."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_freq._report._record import LookedAt


@dataclass(frozen=True)
class Drawn:
    """One figure.

    Args:
        section: The section it belongs to.
        name: Its file name, without what is behind the dot.
        caption: What it shows, and how to read it.
        png: The picture.
        svg: The same, or `None` where it is made of pixels.
    """

    section: str
    name: str
    caption: str
    png: bytes
    svg: bytes | None


Parts = tuple[str, str, bytes, bytes | None]


def render(name: str, caption: str, figure: Any, *, pixels: bool = False) -> Parts:
    png, svg = io.BytesIO(), io.BytesIO()
    figure.savefig(png, format="png", dpi=110)
    if not pixels:
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return name, caption, png.getvalue(), None if pixels else svg.getvalue()


def several(known: list[LookedAt], section: str, name: str | None = None) -> dict[str, Any]:
    return {model.name: model.results[section][name or section] for model in known}


def short_name(name: str) -> str:
    """The name of a class where there is little room; matplotlib reads formulas between dollars."""
    return (name if len(name) <= 14 else name[:13] + "…").replace("$", r"\$")
