"""Errors under corruptions as a table in colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from keras_freq.plots._style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def corruption_table(
    results: Any | Mapping[str, Any],
    *,
    title: str | None = None,
) -> Figure:
    """Errors in percent, a row a model, a column a corruption; the mean of the corruptions stands last.

    A column is coloured from its lowest error (light) to its highest (dark), so that colours compare models
    within a corruption; the lowest is printed in bold.

    Args:
        results: What `keras_freq.evaluate.corruption_error` returns, a mapping from corruption to error in
            [0, 1], or a mapping from row label to either. Rows must hold the same corruptions. An error may
            be a list of numbers, one a seed: its mean is printed.
        title: Title of the figure. By default it says what is shown.

    Returns:
        The figure.

    Raises:
        ValueError: If there is no row, rows differ in their corruptions, or errors leave [0, 1].

    Source:
        Hendrycks and Dietterich, ICLR 2019, the tables of errors by corruption.

    Example:
        >>> result = keras_freq.evaluate.corruption_error(model, data.test)
        >>> figure = keras_freq.plots.corruption_table({"standard": result})
    """
    from matplotlib.figure import Figure

    table, columns = _checked(results)
    figure = Figure(
        figsize=(1.2 + 0.09 * max(map(len, table)) + 0.52 * len(columns), 2.0 + 0.34 * len(table))
    )
    axes = figure.subplots()
    errors = 100 * np.stack(list(table.values()))
    low, high = errors.min(axis=0), errors.max(axis=0)
    shade = (errors - low) / np.where(high > low, high - low, 1)
    axes.imshow(0.75 * shade, cmap="Oranges", vmin=0, vmax=1, aspect="auto")
    for (row, column), error in np.ndenumerate(errors):
        best = len(table) > 1 and f"{error:.1f}" == f"{low[column]:.1f}"
        axes.text(
            column, row, f"{error:.1f}", ha="center", va="center", size=8, weight="bold" if best else "normal"
        )
    axes.set_xticks(
        range(len(columns)), [name.replace("_", " ") for name in columns], rotation=40, ha="right"
    )
    axes.set_yticks(range(len(table)), list(table))
    for place, name in enumerate(columns):
        if name in ("clean", "mean"):
            axes.axvline(place + 0.5 if name == "clean" else place - 0.5, color="0.2", linewidth=1.2)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.set_title("Error under corruptions, in percent" if title is None else title)
    return figure


def _checked(results: Any) -> tuple[dict[str, np.ndarray], list[str]]:
    """Row label to errors in the order of the columns, and the names of these."""
    rows = results if isinstance(results, Mapping) and not _is_row(results) else {"": results}
    if not rows:
        raise ValueError("`results` must hold at least one row. Received: an empty mapping")
    rows = {str(label): _row(label, row) for label, row in rows.items()}
    first = next(iter(rows.values()))
    for label, row in rows.items():
        if set(row) != set(first):
            raise ValueError(
                f"all rows must hold the same corruptions. Received: {sorted(set(row) ^ set(first))} in some "
                f"but not all, {label!r} among them"
            )
    return {label: np.array([row[name] for name in first]) for label, row in rows.items()}, list(first)


def _is_row(mapping: Mapping) -> bool:
    """Whether the values are errors already."""
    return bool(mapping) and all(np.ndim(value) <= 1 and _numbers(value) for value in mapping.values())


def _numbers(value: Any) -> bool:
    return not isinstance(value, Mapping) and np.asarray(value).dtype.kind in "fiu"


def _row(label: str, row: Any) -> dict[str, float]:
    if isinstance(row, Mapping):
        given: Mapping[str, ArrayLike] = row
    elif hasattr(row, "by_corruption"):
        given = {"clean": row.clean_error} if np.isfinite(row.clean_error) else {}
        given |= row.by_corruption
    else:
        raise ValueError(
            f"a row must be a result or a mapping from corruption to error. Received: {type(row).__name__} "
            f"for {label!r}"
        )
    errors = {str(name): float(np.mean(value)) for name, value in given.items()}
    if not errors or not all(0 <= error <= 1 for error in errors.values()):
        raise ValueError(f"errors must lie in [0, 1]. Received: {errors} for {label!r}")
    own = [error for name, error in errors.items() if name not in ("clean", "mean")]
    if "mean" not in errors and len(own) > 1:
        errors["mean"] = float(np.mean(own))
    return errors
