"""Every table of the reference networks, from their outcomes alone. Nothing here imports Keras."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from apps.lab.errors import RunError
from apps.lab.measures import samples, was_shown
from apps.lab.outcomes import Outcomes, read_outcomes
from apps.lab.references import REFERENCES
from apps.lab.statistics import Difference, compare, holm, verdict

HERE = Path(__file__).parents[1] / "references"
CLAIMS = HERE / "claims.yaml"
OUTCOMES = HERE / "networks" / "outcomes"
README = HERE / "README.md"
BEGIN, END = "<!-- evidence -->", "<!-- end of evidence -->"

MEASURES = {
    "accuracy": "clean",
    "corruption error": "corruption error",
    "follows phase": "follows phase",
    "follows amplitude": "amplitude",
    **{f"accuracy low {radius}": f"L{radius}" for radius in (4, 8, 12, 16)},
    **{f"accuracy high {radius}": f"H{radius}" for radius in (4, 8, 12, 16)},
    "accuracy attacked linf 1/255": "L-inf 1/255",
    "accuracy attacked linf 8/255": "8/255",
    "accuracy attacked l2 0.25": "L2 .25",
}

Networks = dict[str, dict[int, Outcomes]]


def read_networks(folder: Path = OUTCOMES) -> Networks:
    """Row to seed to outcomes, of all that lie in the folder."""
    found: Networks = {}
    for path in sorted(folder.glob("*.npz")):
        _, row, seed = path.stem.split("-")
        found.setdefault(row, {})[int(seed)] = read_outcomes(path)
    if not found:
        raise RunError(f"there must be outcomes of networks. Received: folder={folder}")
    return {row: found[row] for row in sorted(found, key=[*REFERENCES, *sorted(found)].index)}


def table(networks: Networks) -> list[list[str]]:
    """One row for each way to train: the mean over the seeds, and the range where there are several."""
    lines = [["trained with", "seeds", *MEASURES.values()]]
    for row, by_seed in networks.items():
        cells = []
        for name in MEASURES:
            rates = [samples([one], name).rate for one in by_seed.values()]
            cells.append(number(float(np.mean(rates))) + spread(rates))
        lines.append([name_row(row), str(len(by_seed)), *cells])
    return lines


def claims(
    networks: Networks, path: Path = CLAIMS, *, differ: Callable[..., Difference | None] | None = None
) -> list[list[str]]:
    """One row for each headline claim, adjusted for the number of those of its paper that can be tested.

    `differ`: `(networks, claim) -> difference`, None where the networks are missing; by default
    `compare_rates`.
    """
    lines = [["paper", "claim", "measure", "first", "second", "difference, 95 %", "p", "verdict"]]
    for paper, asked in yaml.safe_load(path.read_text(encoding="utf-8")).items():
        found = [(differ or compare_rates)(networks, claim) for claim in asked]
        adjusted = iter(holm([one.p for one in found if one is not None]))
        for claim, difference in zip(asked, found, strict=True):
            names = [name_row(claim["first"]), name_row(claim["second"])]
            words = [paper, claim["claim"], claim["measure"]]
            if difference is None:
                missing = [name for name in (claim["first"], claim["second"]) if name not in networks]
                what = f"network of {', '.join(missing)}" if missing else "number of both for one seed"
                lines.append([*words, *names, "", "", f"not testable here: no {what}"])
                continue
            p = next(adjusted)
            said = verdict(difference, p, direction=claim["direction"], smallest=claim["smallest"])
            interval = f"{difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"
            rates = (difference.first, difference.second)
            cells = [f"{name} {number(rate)}" for name, rate in zip(names, rates, strict=True)]
            lines.append([*words, *cells, interval, _chance(p), said])
    return lines


def compare_rates(networks: Networks, claim: Mapping[str, Any]) -> Difference | None:
    """The measure of the claim on the networks of the seeds that both of its rows have.

    `first_measure`: what is measured of the first row, where it is another measure. None where a network was
    not shown the condition.
    """
    pairs = paired(networks, claim)
    names = (claim.get("first_measure", claim["measure"]), claim["measure"])
    if pairs is None or not all(
        was_shown(one, name) for row, name in zip(pairs, names, strict=True) for one in row
    ):
        return None
    return compare(*(samples(row, name) for row, name in zip(pairs, names, strict=True)))


def paired(networks: Networks, claim: Mapping[str, Any]) -> tuple[list[Outcomes], list[Outcomes]] | None:
    """The networks of the two rows of a claim, of the seeds that both have; None where there is none."""
    first, second = (networks.get(claim[name], {}) for name in ("first", "second"))
    seeds = sorted(first.keys() & second.keys())
    return ([first[seed] for seed in seeds], [second[seed] for seed in seeds]) if seeds else None


def render(networks: Networks) -> str:
    """The tables as Markdown."""
    counts = sorted({len(one.right["clean"]) for row in networks.values() for one in row.values()})
    n = ", ".join(map(str, counts))
    return (
        f"Shares of the {n} test images; attacks: PGD, 20 steps, on the first images. Where there are "
        f"several seeds: mean (lowest to highest).\n\n{markdown(table(networks))}\n\n"
        f"Claims, written down before the trainings (`apps/references/claims.yaml`):\n\n"
        f"{markdown(claims(networks))}\n"
    )


def write_readme(text: str, path: Path = README, *, marks: tuple[str, str] = (BEGIN, END)) -> None:
    """Puts the tables between the two marks."""
    begin, end = marks
    before, rest = path.read_text(encoding="utf-8").split(begin)
    path.write_text(f"{before}{begin}\n{text}{end}{rest.split(end)[1]}", encoding="utf-8")


def read_readme(path: Path = README, *, marks: tuple[str, str] = (BEGIN, END)) -> str:
    """What stands between the two marks."""
    begin, end = marks
    return path.read_text(encoding="utf-8").split(begin + "\n")[1].split(end)[0]


def markdown(lines: Iterable[list[str]]) -> str:
    head, *rows = (f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([head, "|" + "---|" * (head.count("|") - 1), *rows])


def number(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def spread(rates: list[float]) -> str:
    return f" ({number(min(rates))} to {number(max(rates))})" if len(rates) > 1 else ""


def name_row(row: str) -> str:
    return REFERENCES[row].label if row in REFERENCES else row


def _chance(p: float) -> str:
    return f"{p:.2g}" if p >= 1e-4 else "< .0001"
