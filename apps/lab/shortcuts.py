"""Do networks that keep more under few frequencies err more? From the outcomes, without Keras."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from apps.lab.evidence import HERE, OUTCOMES, Networks, markdown, name_row, number, read_networks
from apps.lab.outcomes import Outcomes
from apps.lab.statistics import RankCorrelation, rank_correlation

KEPT = HERE / "networks" / "shortcuts"
MARKS = ("<!-- shortcuts -->", "<!-- end of shortcuts -->")
# A network that does not read images has nothing that it could read them by.
LEAST_ACCURACY = 0.5
METHODS = ("learned", "power", "disk")
LOOKS = (*METHODS, "learned beyond power and disk")
ERRORS = {
    "clean error": "clean error",
    "corruption error": "error under corruptions",
    "added error": "error that corruptions add",
    "attack error": "error under PGD, L-inf 1/255",
}

Chosen = dict[str, dict[int, dict[str, float]]]  # numbers of networks by row and seed
Points = dict[str, tuple[list[float], list[float]]]


def render(networks: Networks, outcomes: Path = OUTCOMES) -> str:
    """The tables as Markdown: of how each row keeps its classes, and the correlations over the rows."""
    one = next(iter(next(iter(networks.values())).values()))
    share, n = one.note["share"], len(one.right["clean"])
    chosen = _choose(networks, read_networks(outcomes))
    count = sum(map(len, chosen.values()))
    text = (
        f"TPR / FPR of the first {n} test images under a map of {share:.0%} of the frequencies for each "
        f"class, means over the seeds.\n\n{markdown(table(networks))}\n"
    )
    if len(chosen) < 3:
        return text
    return (
        f"{text}\nSpearman's correlation over {len(chosen)} ways to train ({count} networks, those of an "
        f"accuracy of at least {LEAST_ACCURACY:g}; means over the seeds; 95 % over draws of the ways):\n\n"
        f"{markdown(correlations(chosen))}\n"
    )


def table(networks: Networks) -> list[list[str]]:
    """One row for each way to train."""
    lines = [["trained with", "seeds", "clean", *METHODS, "learned: TPR - FPR"]]
    for row, by_seed in networks.items():
        rates = np.array([[_rates(one, name) for name in METHODS] for one in by_seed.values()]).mean(axis=0)
        clean = float(np.mean([one.rate("clean") for one in by_seed.values()]))
        cells = [f"{number(right)} / {number(wrong)}" for right, wrong in rates.tolist()]
        lines.append(
            [name_row(row), str(len(by_seed)), number(clean), *cells, number(rates[0, 0] - rates[0, 1])]
        )
    return lines


def correlations(chosen: Chosen) -> list[list[str]]:
    """One row for each look at shortcuts and kind of error, plain and given the clean error."""
    columns = {
        name: np.array([np.mean([one[name] for one in each.values()]) for each in chosen.values()])
        for name in (*LOOKS, *ERRORS)
    }
    lines = [["TPR - FPR under maps", "with", "correlation", "given the clean error"]]
    for look in LOOKS:
        for error, words in ERRORS.items():
            plain = rank_correlation(columns[look], columns[error])
            alike = rank_correlation(columns[look], columns[error], given=columns["clean error"])
            lines.append([look, words, _tell(plain), "-" if error == "clean error" else _tell(alike)])
    return lines


def read_points(networks: Networks, outcomes: Path = OUTCOMES) -> Points:
    """For a figure: TPR - FPR under learned maps and the error that corruptions add, by way to train."""
    return {
        name_row(row): (
            [one["learned"] for one in each.values()],
            [one["added error"] for one in each.values()],
        )
        for row, each in _choose(networks, read_networks(outcomes)).items()
    }


def _choose(networks: Networks, known: Networks) -> Chosen:
    """The numbers of those networks that read images and whose errors are known."""
    found: Chosen = {}
    for row, by_seed in networks.items():
        for seed, one in by_seed.items():
            if seed in known.get(row, {}) and one.rate("clean") >= LEAST_ACCURACY:
                found.setdefault(row, {})[seed] = _look(one) | _err(known[row][seed])
    return found


def _look(outcomes: Outcomes) -> dict[str, float]:
    values = {name: float(np.subtract(*_rates(outcomes, name))) for name in METHODS}
    learned, *controls = values.values()
    return values | {LOOKS[-1]: learned - max(controls)}


def _rates(outcomes: Outcomes, method: str) -> tuple[float, float]:
    """TPR and FPR, over all images."""
    others = outcomes.note["classes"] - 1
    return outcomes.rate(f"kept {method}"), float(outcomes.predicted[f"lent {method}"].mean()) / others


def _err(outcomes: Outcomes) -> dict[str, float]:
    clean, corrupted = 1 - outcomes.rate("clean"), outcomes.mean_error("corrupted ")
    return {
        "clean error": clean,
        "corruption error": corrupted,
        "added error": corrupted - clean,
        "attack error": 1 - outcomes.rate("attacked linf 1/255"),
    }


def _tell(found: RankCorrelation) -> str:
    if math.isnan(found.value):
        return "-"
    return f"{found.value:+.2f} ({found.low:+.2f} to {found.high:+.2f})"
