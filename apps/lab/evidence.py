"""Every table of the reference networks, from their outcomes alone. Nothing here imports Keras."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from apps.lab.errors import RunError
from apps.lab.measures import samples
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
            cells.append(_number(float(np.mean(rates))) + _spread(rates))
        lines.append([_label(row), str(len(by_seed)), *cells])
    return lines


def claims(networks: Networks, path: Path = CLAIMS) -> list[list[str]]:
    """One row for each headline claim, adjusted for the number of those of its paper that can be tested."""
    lines = [["paper", "claim", "measure", "first", "second", "difference, 95 %", "p", "verdict"]]
    for paper, asked in yaml.safe_load(path.read_text(encoding="utf-8")).items():
        found = [_compare(networks, claim) for claim in asked]
        adjusted = iter(holm([one.p for one in found if one is not None]))
        for claim, difference in zip(asked, found, strict=True):
            names = [_label(claim["first"]), _label(claim["second"])]
            words = [paper, claim["claim"], claim["measure"]]
            if difference is None:
                missing = [name for name in (claim["first"], claim["second"]) if name not in networks]
                why = f"not testable here: no network of {', '.join(missing) or 'the same seed'}"
                lines.append([*words, *names, "", "", why])
                continue
            p = next(adjusted)
            said = verdict(difference, p, direction=claim["direction"], smallest=claim["smallest"])
            interval = f"{difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"
            rates = (difference.first, difference.second)
            cells = [f"{name} {_number(rate)}" for name, rate in zip(names, rates, strict=True)]
            lines.append([*words, *cells, interval, f"{p:.2g}", said])
    return lines


def _compare(networks: Networks, claim: dict[str, Any]) -> Difference | None:
    first, second = (networks.get(claim[name], {}) for name in ("first", "second"))
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        return None
    return compare(*(samples([row[seed] for seed in seeds], claim["measure"]) for row in (first, second)))


def render(networks: Networks) -> str:
    """The tables as Markdown."""
    counts = sorted({len(one.right["clean"]) for row in networks.values() for one in row.values()})
    n = ", ".join(map(str, counts))
    return (
        f"Shares of the {n} test images; attacks: PGD, 20 steps, on the first images. Where there are "
        f"several seeds: mean (lowest to highest).\n\n{_markdown(table(networks))}\n\n"
        f"Claims, written down before the trainings (`apps/references/claims.yaml`):\n\n"
        f"{_markdown(claims(networks))}\n"
    )


def write_readme(text: str, path: Path = README) -> None:
    """Puts the tables between the two marks."""
    before, rest = path.read_text(encoding="utf-8").split(BEGIN)
    path.write_text(f"{before}{BEGIN}\n{text}{END}{rest.split(END)[1]}", encoding="utf-8")


def read_readme(path: Path = README) -> str:
    """What stands between the two marks."""
    return path.read_text(encoding="utf-8").split(BEGIN + "\n")[1].split(END)[0]


def _markdown(lines: Iterable[list[str]]) -> str:
    head, *rows = (f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([head, "|" + "---|" * (head.count("|") - 1), *rows])


def _number(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def _spread(rates: list[float]) -> str:
    return f" ({_number(min(rates))} to {_number(max(rates))})" if len(rates) > 1 else ""


def _label(row: str) -> str:
    return REFERENCES[row].label if row in REFERENCES else row
