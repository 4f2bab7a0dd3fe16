"""The figure that all plots return: a notebook shows it by itself, as it does one that pyplot made.

Imported by a plot when it is called, since it imports Matplotlib.
"""

import io

import matplotlib.figure


class Figure(matplotlib.figure.Figure):
    """`matplotlib.figure.Figure`, and what a notebook asks of a value at the end of a cell."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()
