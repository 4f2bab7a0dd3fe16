"""Conditions on the numbers of a result: a gate for continuous integration."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from keras_freq._cli._command import FINE, FOUND, tell
from keras_freq._cli._numbers import better, read_numbers

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CONDITION = re.compile(r"\s*([A-Za-z_][\w./-]*)\s*(<=|>=|<|>)\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*")


@dataclass(frozen=True)
class Condition:
    """What makes a number a finding: `name < limit`."""

    name: str
    sign: str
    limit: float

    def __str__(self) -> str:
        return f"{self.name} {self.sign} {self.limit:g}"

    def holds(self, value: float) -> bool:
        """Whether it is a finding."""
        return _OPERATORS[self.sign](value, self.limit)


@dataclass(frozen=True)
class Outcome:
    """A condition, and what became of it: `finding` is the line that says so, or `None`."""

    name: str
    finding: str | None


@dataclass(frozen=True)
class Gate:
    """Conditions, read before anything is measured, so that a mistake in them costs nothing.

    Attributes:
        conditions: Of `--fail-if`.
        baseline: Numbers of an earlier result; empty: none.
        tolerance: By how much a number may be worse than there.
        junit: Where the outcomes go as JUnit XML.
    """

    conditions: tuple[Condition, ...] = ()
    baseline: Mapping[str, float] = field(default_factory=dict)
    tolerance: float = 0.02
    junit: Path | None = None

    @classmethod
    def read(
        cls,
        fail_if: Sequence[str] | None = None,
        baseline: Path | None = None,
        tolerance: float = 0.02,
        junit: Path | None = None,
    ) -> Gate:
        """The gate of the options.

        Raises:
            ValueError: If a condition or the baseline cannot be read.
        """
        conditions = tuple(read_condition(text) for text in fail_if or ())
        return cls(conditions, {} if baseline is None else read_numbers(baseline), tolerance, junit)

    def judge(self, numbers: Mapping[str, float], *, suite: str = "keras-freq") -> int:
        """Says each finding in a line on stderr, writes the XML, and gives the exit code.

        Raises:
            ValueError: If a condition names none of the numbers, or the baseline has none of them.
        """
        outcomes = [*self._of_conditions(numbers), *self._of_baseline(numbers)]
        findings = [outcome for outcome in outcomes if outcome.finding]
        for outcome in findings:
            tell(f"finding: {outcome.finding}")
        if self.junit is not None:
            write_junit(self.junit, outcomes, suite)
        return FOUND if findings else FINE

    def _of_conditions(self, numbers: Mapping[str, float]) -> list[Outcome]:
        outcomes = []
        for one in self.conditions:
            if one.name not in numbers:
                near = difflib.get_close_matches(one.name, numbers, n=1)
                raise ValueError(
                    f"`fail_if` must name one of {', '.join(numbers)}"
                    f"{f'; did you mean {near[0]}?' if near else '.'} Received: --fail-if '{one}'"
                )
            value = numbers[one.name]
            found = f"{one}: {one.name} is {value:.4f}" if one.holds(value) else None
            outcomes.append(Outcome(str(one), found))
        return outcomes

    def _of_baseline(self, numbers: Mapping[str, float]) -> list[Outcome]:
        common = [name for name in numbers if name in self.baseline]
        if self.baseline and not common:
            raise ValueError(
                f"`baseline` must hold some of {', '.join(numbers)}. "
                f"Received: a baseline of {', '.join(list(self.baseline)[:10])}"
            )
        missing = [name for name in self.baseline if name not in numbers]
        if missing:
            tell(f"warning: the baseline has numbers that were not measured here: {', '.join(missing)}")
        return [self._compare(name, numbers[name]) for name in common]

    def _compare(self, name: str, value: float) -> Outcome:
        before, way = self.baseline[name], better(name)
        worse = {"higher": before - value, "lower": value - before, None: abs(value - before)}[way]
        what = "changed" if way is None else "worse"
        title = f"{name} not {what} than the baseline by more than {self.tolerance:g}"
        # Not beyond by a rounding: .90 against .92 with a tolerance of .02 is within.
        found = worse > self.tolerance + 1e-12
        return Outcome(
            title, f"{name} is {value:.4f}, {what} than {before:.4f} by {worse:.4f}" if found else None
        )


def read_condition(text: str) -> Condition:
    """The condition of `low_8 < .8`."""
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise ValueError(
            f"`fail_if` must be NAME < NUMBER, with < <= > or >=: 'low_8 < .8'. Received: --fail-if '{text}'"
        )
    return Condition(found[1], found[2], float(found[3]))


def write_junit(path: Path, outcomes: Sequence[Outcome], suite: str) -> None:
    """JUnit XML with one test case for each condition."""
    from keras_freq._core.files import write_whole

    failures = sum(outcome.finding is not None for outcome in outcomes)
    root = ElementTree.Element("testsuites")
    counts = {"tests": len(outcomes), "failures": failures, "errors": 0, "skipped": 0}
    group = ElementTree.SubElement(
        root, "testsuite", {"name": suite} | {k: str(v) for k, v in counts.items()}
    )
    for outcome in outcomes:
        case = ElementTree.SubElement(group, "testcase", classname=suite.replace(" ", "."), name=outcome.name)
        if outcome.finding:
            ElementTree.SubElement(case, "failure", message=outcome.finding).text = outcome.finding
    ElementTree.indent(root)
    write_whole(path, ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")
