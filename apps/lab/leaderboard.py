"""All networks beside all measures on one page, from their outcomes alone. Nothing here imports Keras."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from apps.lab.contributed import Contribution
from apps.lab.errors import RunError
from apps.lab.evidence import MEASURES, Networks
from apps.lab.files import write_json, write_whole
from apps.lab.measures import corruptions, samples
from apps.lab.outcomes import Outcomes
from apps.lab.references import REFERENCES
from apps.lab.statistics import Samples, resample

HERE = Path(__file__).parent
INDEXES = (
    HERE.parents[1] / "keras_freq" / "models" / "weights" / "references.json",
    HERE.parent / "references" / "networks" / "references.json",
)
DRAWS = 2000
ERRORS = ("corruption error", "error ")
TRAITS = ("follows phase", "follows amplitude")


@dataclasses.dataclass(frozen=True)
class Rate:
    """A measure of one way to train, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Line:
    """One way to train.

    Args:
        name: What it is called.
        seeds: Number of networks.
        minutes: Of training one of them, mean; None where nobody said.
        ours: Whether it is a reference network.
        about: Network and recipe in a few words.
        rates: Measure to rate.
    """

    name: str
    seeds: int
    minutes: float | None
    ours: bool
    about: str
    rates: dict[str, Rate]


def lines(networks: Networks, contributed: Iterable[Contribution] = ()) -> list[Line]:
    """One line for each row of reference networks, and for each network of others."""
    known = _read_indexes()
    found = []
    for row, by_seed in networks.items():
        records = [known.get((row, seed), {}) for seed in by_seed]
        minutes = [record["minutes"] for record in records if record.get("minutes") is not None]
        label = REFERENCES[row].label if row in REFERENCES else row
        rates = _rates(list(by_seed.values()))
        cost = float(np.mean(minutes)) if minutes else None
        found.append(Line(label, len(by_seed), cost, True, records[0].get("network", ""), rates))
    for one in contributed:
        about = f"{one.recipe['network']}; {one.recipe['trained']}"
        rates = _rates([one.outcomes])
        found.append(Line(one.recipe["name"], 1, one.recipe["minutes"], False, about, rates))
    return found


def measures(networks: Networks) -> dict[str, str]:
    """Names of the measures and the heads of their columns: those of the evidence, and every corruption."""
    first = next(iter(next(iter(networks.values())).values()))
    return MEASURES | {f"error {name}": name.replace("_", " ") for name in corruptions(first)}


def write_leaderboard(folder: Path, networks: Networks, contributed: Sequence[Contribution] = ()) -> Path:
    """Writes ``leaderboard.html``, ``.csv`` and ``.json`` into the folder; the path of the page."""
    table, columns = lines(networks, contributed), measures(networks)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "leaderboard.json", [dataclasses.asdict(line) for line in table])
    write_whole(folder / "leaderboard.csv", _as_csv(table, columns))
    count = len(next(iter(next(iter(networks.values())).values())).right["clean"])
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined
    )
    best = {name: _best(table, name) for name in columns if name not in TRAITS}
    page = environment.get_template("leaderboard.html.jinja").render(
        table=table,
        n=count,
        groups=(
            ("What the networks do", {name: head for name, head in columns.items() if name in MEASURES}),
            ("Errors by corruption, mean of five severities", _errors(columns)),
        ),
        best=best,
    )
    return write_whole(folder / "leaderboard.html", page)


def _errors(columns: dict[str, str]) -> dict[str, str]:
    return {name: head for name, head in columns.items() if name not in MEASURES}


def _best(table: Sequence[Line], name: str) -> float:
    values = [line.rates[name].value for line in table]
    return min(values) if name.startswith(ERRORS) else max(values)


def _rates(networks: list[Outcomes]) -> dict[str, Rate]:
    """Every measure with its interval: seeds drawn with replacement, then images, as for all others."""
    names = [*MEASURES, *(f"error {name}" for name in corruptions(networks[0]))]
    found = {name: samples(networks, name) for name in names}
    rng = np.random.default_rng(0)
    by_size: dict[int, dict[str, Samples]] = {}
    for name, one in found.items():
        by_size.setdefault(one.above.shape[1], {})[name] = one
    seeds = len(networks)
    drawn_seeds = rng.integers(0, seeds, (DRAWS, seeds))
    rates = {}
    for group in by_size.values():
        columns = np.concatenate([part for one in group.values() for part in (one.above, one.below)]).T
        sums = resample(columns, draws=DRAWS, rng=rng).reshape(DRAWS, len(group), 2, seeds)
        for index, (name, one) in enumerate(group.items()):
            with np.errstate(invalid="ignore", divide="ignore"):
                by_seed = sums[:, index, 0] / sums[:, index, 1]
            means = np.take_along_axis(by_seed, drawn_seeds, axis=1).mean(axis=1)
            low, high = np.nanpercentile(means, (2.5, 97.5))
            rates[name] = Rate(one.rate, float(low), float(high))
    return {name: rates[name] for name in names}


def _read_indexes() -> dict[tuple[str, int], dict[str, Any]]:
    """What is known of the reference networks, by row and seed."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for path in INDEXES:
        try:
            records = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{path} must be the index of networks. Received: {error}", code=1) from error
        found |= {(one["name"].split("/")[1], one["seed"]): one for one in records}
    return found


def _as_csv(table: Sequence[Line], columns: dict[str, str]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    head = [f"{name}{part}" for name in columns for part in ("", " low", " high")]
    writer.writerow(["name", "seeds", "minutes", "reference", *head])
    for line in table:
        rates = [value for name in columns for value in dataclasses.astuple(line.rates[name])]
        writer.writerow([line.name, line.seeds, line.minutes, line.ours, *(f"{rate:.6f}" for rate in rates)])
    return file.getvalue()
