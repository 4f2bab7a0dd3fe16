"""Errors under corruptions as a table in color."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_freq._core.checks import show
from keras_freq.plots._results import Results, results_by_label
from keras_freq.plots._style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def corruption_table(
    results: Results | Mapping[str, Any],
    *,
    clean: Results | None = None,
    title: str | None = None,
) -> Figure:
    """Errors in percent, one row per label, one column per corruption, and the mean of the corruptions last.

    A column is colored from its lowest error (light) to its highest (dark), so that colors compare models
    within a corruption; the lowest is printed in bold.

    Args:
        results: What `keras_freq.evaluate.corruption_error` returns; a list of such results, over seeds or of
            other corruptions of one model, of which each corruption's mean is printed; a mapping from
            corruption to error in [0, 1], or to several of them; or a mapping from row label to any of these.
            Rows must hold the same corruptions.
        clean: What `keras_freq.evaluate.accuracy` returns for the images as they are, in the same form as
            `results`, where the results are of corrupted images only.
        title: Title of the figure. By default it says what is shown.

    Returns:
        The figure.

    Raises:
        ValueError: If there is no row, rows differ in their corruptions, `clean` has other rows, or errors
            leave [0, 1].

    Source:
        Hendrycks and Dietterich, ICLR 2019, the tables of errors by corruption.

    Example:
        >>> kinds = ("gaussian_noise", "fog")
        >>> result = keras_freq.evaluate.corruption_error(model, data, corruptions=kinds, severities=(1, 5))
        >>> figure = keras_freq.plots.corruption_table({"standard": result})
        >>> figure.savefig("corruptions.png")
    """
    from keras_freq.plots._figure import Figure

    table, columns = _check_values(results, clean)
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


def _check_values(results: Any, clean: Any) -> tuple[dict[str, np.ndarray], list[str]]:
    """Row label to errors in the order of the columns, and the names of these."""
    given = results if isinstance(results, Mapping) and not _is_row(results) else {"": results}
    if not given:
        raise ValueError("`results` must hold at least one row. Received: an empty mapping")
    whole = {} if clean is None else results_by_label(clean, ("accuracy",))
    if whole and whole.keys() != {str(label) for label in given}:
        raise ValueError(f"`clean` must have the rows {list(given)}. Received: {list(whole)}")
    rows = {str(label): _row(str(label), row, whole.get(str(label), ())) for label, row in given.items()}
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


def _row(label: str, row: Any, clean: Sequence[Any]) -> dict[str, float]:
    several = list(row) if isinstance(row, (list, tuple)) and row else [row]
    given: dict[str, list[float]] = {"clean": [1 - one.accuracy for one in clean]} if clean else {}
    for one in several:
        if isinstance(one, Mapping):
            found = one
        elif hasattr(one, "by_corruption"):
            known = {} if clean or not np.isfinite(one.clean_error) else {"clean": one.clean_error}
            found = known | one.by_corruption
        else:
            raise ValueError(
                "a row must be a result, a list of results or a mapping from corruption to error. "
                f"Received: {type(one).__name__} for {show(label)}"
            )
        for name, value in found.items():
            given.setdefault(str(name), []).append(float(np.mean(value)))
    errors = {name: float(np.mean(values)) for name, values in given.items()}
    if not errors or not all(0 <= error <= 1 for error in errors.values()):
        raise ValueError(f"errors must lie in [0, 1]. Received: {errors} for {show(label)}")
    own = [error for name, error in errors.items() if name not in ("clean", "mean")]
    if "mean" not in errors and len(own) > 1:
        errors["mean"] = float(np.mean(own))
    return errors
