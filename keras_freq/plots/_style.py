"""The look that all figures share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Parameters = ParamSpec("Parameters")

STYLE = Path(__file__).with_name("style.mplstyle")


def styled(plot: Callable[Parameters, Figure]) -> Callable[Parameters, Figure]:
    """Runs a plot function under the package's style, which ends with the call."""

    @functools.wraps(plot)
    def draw(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Figure:
        import matplotlib.style

        # Matplotlib's own defaults first: a user's matplotlibrc must not change the figures.
        with matplotlib.style.context(["default", STYLE]):
            return plot(*args, **kwargs)

    return draw


def colors() -> list[str]:
    """The style's line colors. "C0" and the like would be looked up at drawing, when the style is gone."""
    import matplotlib

    return matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
