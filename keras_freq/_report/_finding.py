"""One answer about a model, and how it is written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_freq._core.result import Record
from keras_freq._report._statistics import Interval

# The smallest difference of shares that a finding speaks of.
MATTERS = 0.1
# Name of a number of two models, interval of its difference, and number of images.
Compared = tuple[str, Interval, int]


@dataclass(frozen=True, kw_only=True)
class Finding(Record):
    """One answer about a model.

    Attributes:
        key: `"high_frequencies"`, `"blur"`, `"amplitude"`, `"shortcuts"` or `"changes"`; of deep sections
            `"cue_conflict"`, `"critical_band"` or `"sufficient_maps"`.
        verdict: `"yes"`, `"no"`, `"unclear"`: the images were not enough to tell, or `"missing"`: it was not
            measured.
        title: The answer in a few words.
        text: The answer with its numbers.
        number: The number that decided, or `None`.
        interval: Its 95 % interval, or `None`.
        rule: How the verdict follows from the interval.

    Example:
        >>> report = kf.report(model, data, only=("bands",))
        >>> [finding.key for finding in report.findings()][:2]
        ['high_frequencies', 'blur']
    """

    key: str
    verdict: str
    title: str
    text: str
    number: float | None
    interval: tuple[float, float] | None
    rule: str


def answer(
    key: str, verdict: str, title: str, text: str, number: float | None, interval: Interval | None, rule: str
) -> Finding:
    return Finding(
        key=key, verdict=verdict, title=title, text=text, number=number, interval=interval, rule=rule
    )


def missing(key: str, title: str, section: str, rule: str) -> Finding:
    return answer(
        key,
        "missing",
        f"{title}: not looked at",
        f"The section {section!r} was not measured.",
        None,
        None,
        rule,
    )


def nearest(values: tuple[float, ...], wanted: float) -> int:
    return int(np.argmin(np.abs(np.array(values) - wanted)))


def at_share(radii: tuple[float, ...], share: float) -> int:
    """Index of the radius next to this share of the largest, which is half the side of the images."""
    return nearest(radii, max(radii) * share)


def show(interval: Interval) -> str:
    low, high = (round(bound, 2) + 0.0 for bound in interval)  # no minus before 0.00
    return f"95 % interval {low:.2f} to {high:.2f}"
