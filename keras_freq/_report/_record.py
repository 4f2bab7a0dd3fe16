"""A report: all that was measured of one or more models, and what follows from it."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_freq._core.files import write_whole
from keras_freq._core.result import Record
from keras_freq._report import _critical_band, _cue_conflict, _sufficient_maps
from keras_freq._report._finding import Compared, Finding
from keras_freq._report._findings import find
from keras_freq._report._statistics import difference_interval, paired_interval, ratio_interval

_DEEP_NUMBERS: dict[str, Callable[[Any], dict[str, float]]] = {
    "cue_conflict": _cue_conflict.read_numbers,
    "critical_band": _critical_band.read_numbers,
    "sufficient_maps": _sufficient_maps.read_numbers,
}


def _compare_swaps(one: Any, two: Any) -> Iterator[Compared]:
    """Each among the pairs that its model takes for different classes."""
    for name, part in (
        ("follows_phase", "phase_predictions"),
        ("follows_amplitude", "amplitude_predictions"),
    ):
        seen = []
        for pairs in (one.pairs, two.pairs):
            differ = pairs.phase_predictions != pairs.amplitude_predictions
            seen += [pairs.predictions == getattr(pairs, part), differ]
        yield name, ratio_interval(*seen), one.n


_COMPARED: dict[str, Callable[[Any, Any], Iterator[Compared]]] = {
    "swap": _compare_swaps,
    "cue_conflict": _cue_conflict.compare,
    "critical_band": _critical_band.compare,
    "sufficient_maps": _sufficient_maps.compare,
}


@dataclass(frozen=True, kw_only=True)
class LookedAt(Record):
    """One model of a report.

    Attributes:
        name: What the report calls it.
        digest: Of its weights.
        assumed: What was declared or assumed of it.
        results: The results of each section, by name.
        missing: Why a section was not measured.
        seconds: How long each section took.

    Example:
        >>> report = kf.report(model, data, only=("bands",))
        >>> sorted(report.models[0].results)
        ['bands', 'clean']
    """

    name: str
    digest: str
    assumed: dict[str, Any]
    results: dict[str, dict[str, Any]]
    missing: dict[str, str]
    seconds: dict[str, float] = field(compare=False)

    def numbers(self) -> dict[str, float]:
        """The headline numbers by name: `clean`, `low_8`, `high_8`, `heat_high_error`,
        `follows_phase`, `corruption_error`, `error_fog`, `robust_2` (2 of 255 levels) and so on."""
        numbers: dict[str, float] = {}
        found = {name: value for results in self.results.values() for name, value in results.items()}
        if "accuracy" in found:
            numbers["clean"] = found["accuracy"].accuracy
        if "calibration" in found:
            numbers["calibration_error"] = found["calibration"].value
        if "bands" in found:
            bands = found["bands"]
            for band in ("low", "high"):
                for radius, value in zip(bands.radii, getattr(bands, band), strict=True):
                    numbers[f"{band}_{radius:g}"] = value
        if "heat_map" in found:
            rings = found["heat_map"].ring_means()
            numbers |= {f"heat_{ring}_error": value for ring, value in rings.items()}
        if "swap" in found:
            for name in ("follows_phase", "follows_amplitude"):
                numbers[name] = getattr(found["swap"], name)
        for section, read in _DEEP_NUMBERS.items():
            if section in self.results:
                numbers |= read(self.results[section][section])
        if "shortcuts" in found:
            numbers["masked_tpr"] = float(np.nanmean(found["shortcuts"].tpr))
            numbers["disk_tpr"] = float(np.nanmean(found["disks"].tpr))
        if "corruptions" in found:
            numbers["corruption_error"] = found["corruptions"].mean
            numbers |= {f"error_{name}": value for name, value in found["corruptions"].by_corruption.items()}
        if "attacks" in found:
            attack = found["attacks"]
            for epsilon, value in zip(attack.epsilons, attack.accuracy, strict=True):
                numbers[f"robust_{epsilon * 255:g}"] = value
        if "unknown" in found:
            numbers["auroc"] = found["unknown"].auroc
        return numbers


@dataclass(frozen=True, kw_only=True)
class Difference(Record):
    """A number of one model less that of another.

    Attributes:
        measure: Name of the number, as in `Report.numbers`.
        other: The model that is compared with.
        value: The number of the report's model.
        reference: That of the other one.
        difference: `value - reference`.
        interval: 95 % interval of the difference.
        paired: Whether the same images were compared one by one.
        n: The number of images.

    Example:
        >>> report = kf.report(model, data, against={"itself": model}, only=("bands",))
        >>> {row.difference for row in report.differences()}
        {0.0}
    """

    measure: str
    other: str
    value: float
    reference: float
    difference: float
    interval: tuple[float, float]
    paired: bool
    n: int


@dataclass(frozen=True, kw_only=True)
class Report(Record):
    """What `keras_freq.report` measured.

    Attributes:
        models: The model, and behind it those it is compared with.
        labels: Classes of the images, `(n,)`, int.
        classes: Names of the classes.
        pictures: Some of the images, bytes `(k, height, width, channels)`, the first `k` of those measured;
            of 2 channels the first, of more than 3 the first three.
        settings: The arguments.
        versions: Versions of keras_freq, Keras and the backend.

    Example:
        >>> report = kf.report(model, data, only=("bands",))
        >>> report.to_json("report.json")
        >>> kf.Report.from_json("report.json") == report
        True
    """

    models: tuple[LookedAt, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    pictures: np.ndarray
    settings: dict[str, Any]
    versions: dict[str, str]

    @property
    def n(self) -> int:
        """The number of images."""
        return len(self.labels)

    def findings(self) -> tuple[Finding, ...]:
        """What the numbers of the first model say."""
        return find(self.models[0].results, self.labels, self.classes)

    def numbers(self) -> dict[str, float]:
        """The headline numbers of the first model by name."""
        return self.models[0].numbers()

    def differences(self) -> tuple[Difference, ...]:
        """The first model beside each of the others, with intervals."""
        first, *others = self.models
        return tuple(row for other in others for row in self._compare(first, other))

    def rows(self) -> list[dict[str, Any]]:
        """One row for each model and number."""
        return [
            {"model": model.name, "measure": name, "value": value}
            for model in self.models
            for name, value in model.numbers().items()
        ]

    def to_html(self, path: str | os.PathLike | None = None) -> str:
        """The report as one page that needs nothing else; written to a file where one is named.

        Args:
            path: The file, or `None`.

        Returns:
            The page.
        """
        from keras_freq._report._page import render_page

        page = render_page(self)
        if path is not None:
            write_whole(path, page)
        return page

    def _repr_html_(self) -> str:
        """In a notebook: the page in a frame of its own, which its styles and scripts do not leave."""
        page = base64.b64encode(self.to_html().encode()).decode()
        title = html.escape(f"Report on {self.models[0].name}", quote=True)
        return (
            f'<iframe title="{title}" src="data:text/html;base64,{page}" sandbox="allow-scripts" '
            'width="100%" height="720" style="border:1px solid #8888"></iframe>'
        )

    def __str__(self) -> str:
        first = self.models[0]
        clean = first.numbers().get("clean")
        lines = [f"Report on {first.name!r}, n = {self.n}, {clean:.3f} right as they are"]
        lines += [f"  {finding.title}: {finding.text}" for finding in self.findings()]
        lines += [f"  not measured: {name}, which {why}" for name, why in first.missing.items()]
        return "\n".join(lines)

    def _compare(self, model: LookedAt, other: LookedAt) -> list[Difference]:
        rows = []
        ours, theirs = model.numbers(), other.numbers()

        def add(measure: str, interval: tuple[float, float], n: int, paired: bool = True) -> None:
            value, reference = ours[measure], theirs[measure]
            rows.append(
                Difference(
                    measure=measure,
                    other=other.name,
                    value=value,
                    reference=reference,
                    difference=value - reference,
                    interval=interval,
                    paired=paired,
                    n=n,
                )
            )

        for section, measure in (("bands", _compare_bands), ("corruptions", _compare_corruptions)):
            if section in model.results and section in other.results:
                one, two = (looked.results[section][section] for looked in (model, other))
                for name, first, second in measure(one, two, self.labels):
                    add(name, paired_interval(first, second), len(first))
        for section, compare in _COMPARED.items():
            if section in model.results and section in other.results:
                results = (looked.results[section][section] for looked in (model, other))
                for name, interval, n in compare(*results):
                    if np.isfinite(interval).all():
                        add(name, interval, n)
        if "attacks" in model.results and "attacks" in other.results:
            one, two = (looked.results["attacks"]["attacks"] for looked in (model, other))
            for epsilon, right, wrong in zip(
                one.epsilons, one.correct_per_class, two.correct_per_class, strict=True
            ):
                interval = difference_interval(sum(right), one.n, sum(wrong), two.n)
                add(f"robust_{epsilon * 255:g}", interval, one.n, paired=False)
        return rows


def _compare_bands(one: Any, two: Any, labels: np.ndarray):
    yield ("clean", *(bands.predictions["clean"] == labels for bands in (one, two)))
    for band in ("low", "high"):
        for index, radius in enumerate(one.radii):
            first, second = (bands.predictions[band][index] == labels for bands in (one, two))
            yield f"{band}_{radius:g}", first, second


def _compare_corruptions(one: Any, two: Any, labels: np.ndarray):
    first, second = ((found.predictions["corrupted"] != labels[: found.n]) for found in (one, two))
    yield "corruption_error", first.mean(axis=(0, 1)), second.mean(axis=(0, 1))
    for index, name in enumerate(one.corruptions):
        yield f"error_{name}", first[index].mean(axis=0), second[index].mean(axis=0)
