"""Results as plots take them: one, several of one kind, or a mapping from label to either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keras_freq._core.result import Result
from keras_freq._core.stored import equal

Results = Result | Sequence[Result] | Mapping[str, Result | Sequence[Result]]


def results_by_label(
    results: Any, parts: Sequence[str], *, same: Sequence[str] = (), label: str = ""
) -> dict[str, list[Any]]:
    """Lists of results by label.

    Args:
        results: What the user gave.
        parts: Attributes that every result must have.
        same: Those of them that must agree within a list, since its mean is drawn.
        label: Of what was given without one.
    """
    given = results if isinstance(results, Mapping) else {label: results}
    if not given:
        raise ValueError("`results` must hold at least one result. Received: an empty mapping")
    lists = {}
    for key, value in given.items():
        several = list(value) if isinstance(value, (list, tuple)) else [value]
        name = f" for {key!r}" if isinstance(results, Mapping) else ""
        if not several:
            raise ValueError(f"`results` must hold at least one result. Received: an empty list{name}")
        for one in several:
            missing = [part for part in parts if not hasattr(one, part)]
            if missing:
                raise ValueError(
                    f"a result must have the attributes {', '.join(parts)}. "
                    f"Received: {type(one).__name__} without {', '.join(missing)}{name}"
                )
            for part in same:
                if not equal(getattr(one, part), getattr(several[0], part)):
                    raise ValueError(
                        f"results whose mean is drawn must have the same {part}. "
                        f"Received: {getattr(several[0], part)} and {getattr(one, part)}{name}"
                    )
        lists[str(key)] = several
    return lists


def name_images(lists: Mapping[str, Sequence[Any]]) -> str:
    """How many images the results stand for: `n = 100`, or all numbers that occur."""
    counts = dict.fromkeys(one.n for several in lists.values() for one in several if hasattr(one, "n"))
    return f"n = {', '.join(map(str, counts))}" if counts else ""


def name_seeds(lists: Mapping[str, Sequence[Any]], drawn: str = "mean") -> str:
    """`mean of 3 seeds` where a list holds more than one result, else nothing."""
    counts = sorted({len(several) for several in lists.values()})
    if counts[-1] == 1:
        return ""
    return f"{drawn} of {counts[0]}{f' to {counts[-1]}' if len(counts) > 1 else ''} seeds"


def name_radius(results: Mapping[str, Sequence[Any]]) -> str:
    """The label of an axis over the radii of results, which must be of one kind."""
    units = {getattr(one, "units", "index") for several in results.values() for one in several}
    if len(units) > 1:
        raise ValueError(f"`results` must have radii of the same units. Received: units={sorted(units)}")
    return "index units" if units <= {"index"} else "cycles per pixel"
