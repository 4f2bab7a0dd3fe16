"""The figure that all plots return: a notebook shows it by itself, as it does one that pyplot made.

Imported by a plot when it is called, since it imports Matplotlib.
"""

import io
from typing import Any

import matplotlib.figure
from matplotlib.text import Text


class Figure(matplotlib.figure.Figure):
    """`matplotlib.figure.Figure`, and what a notebook asks of a value at the end of a cell."""

    def suptitle(self, t: str, **options: Any) -> Text:
        """As Matplotlib's, in several lines where one is wider than the figure."""
        return super().suptitle(t, **{"wrap": True, **options})

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()
