"""Settings that apps share, and checks of numbers among settings. Nothing here imports Keras."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence


def check_least(name: str, value: float, least: float) -> None:
    if not value >= least:
        raise ValueError(f"`{name}` must be at least {least:g}. Received: {name}={value}")


def check_within(name: str, value: float, low: float, high: float) -> None:
    if not low < value < high:
        raise ValueError(f"`{name}` must be above {low:g} and below {high:g}. Received: {name}={value}")


def check_between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"`{name}` must lie in [{low:g}, {high:g}]. Received: {name}={value}")


def check_all(name: str, values: Iterable[float], least: float, most: float = float("inf")) -> None:
    values = list(values)
    if not values or not all(least <= value <= most for value in values):
        allowed = f"at least {least:g}" if most == float("inf") else f"in [{least:g}, {most:g}]"
        raise ValueError(f"`{name}` must hold at least one number, each {allowed}. Received: {name}={values}")
    if len(set(values)) < len(values):
        raise ValueError(f"`{name}` must hold each number once. Received: {name}={values}")


def check_names(name: str, values: Sequence[str], allowed: Sequence[str]) -> None:
    if not values or len(set(values)) < len(values) or not set(values) <= set(allowed):
        raise ValueError(
            f"`{name}` must hold some of {', '.join(allowed)}, each once. Received: {name}={list(values)}"
        )


@dataclasses.dataclass(frozen=True)
class Repeated:
    """What every experiment with networks has. `seeds` repetitions use the seeds `seed`, `seed + 1`, ..."""

    seed: int = 0
    seeds: int = 3
    output: str | None = None

    def __post_init__(self):
        check_least("seed", self.seed, 0)
        check_least("seeds", self.seeds, 1)

    @property
    def all_seeds(self) -> tuple[int, ...]:
        return tuple(range(self.seed, self.seed + self.seeds))


@dataclasses.dataclass(frozen=True)
class Data:
    """What to train on and measure with.

    `name` and `data_dir` are what `keras_freq.data.load` takes, `download` lets TFDS fetch the set.
    `fallback` is the set to take where `name` is not there (null: stop). `train_images` and `test_images`
    keep the first images only (null: all).
    """

    name: str = "cifar10"
    data_dir: str | None = None
    download: bool = False
    fallback: str | None = None
    train_images: int | None = None
    test_images: int | None = None

    def __post_init__(self):
        for name in ("train_images", "test_images"):
            if getattr(self, name) is not None:
                check_least(f"data.{name}", getattr(self, name), 1)
