"""``python -m apps.benchmarks [speed | growth | scaling | plan] [key=value ...] [--full]``."""

from __future__ import annotations

import sys
from pathlib import Path

from apps.benchmarks.config import Growth, Plan, Scaling, Speed
from apps.lab import Experiment, main

EXPERIMENTS = {
    "speed": Experiment(Speed, "apps.benchmarks.speed:speed"),
    "scaling": Experiment(Scaling, "apps.benchmarks.scaling:scaling"),
    "plan": Experiment(Plan, "apps.benchmarks.plan:plan"),
    "growth": Experiment(Growth, "apps.benchmarks.growth:growth"),
}
CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "benchmarks"


def complete(words: list[str]) -> list[str]:
    """The words of the command line with what may be left out: the experiment, and its configuration."""
    words = list(words)
    if "--full" in words:
        words[words.index("--full")] = "full=true"
    if "--against" in words[:-1]:
        place = words.index("--against")
        words[place : place + 2] = [f"against={words[place + 1]}"]
    words = [word.removeprefix("--") if word.startswith("--against=") else word for word in words]
    name, *rest = words if words[:1] and words[0] in EXPERIMENTS else ["speed", *words]
    stated = any(word == "--resume" or word.startswith("--resume=") or "=" not in word for word in rest)
    return [name, *([] if stated else [str(CONFIGS / f"{name}.yaml")]), *rest]


if __name__ == "__main__":
    sys.argv[1:] = complete(sys.argv[1:])
    main("benchmarks", EXPERIMENTS)
