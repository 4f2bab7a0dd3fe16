"""Settings of the benchmarks."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Benchmarks:
    """Each figure is the median over `repeats` pairs of runs, ours and the other way in turn.

    `batch_size` images a batch, of the bundled sample. `eval_images` for band accuracy, `attack_images` for
    PGD, `search_images` (as many of each class) for the ranking of frequencies in blocks of side
    `search_patch`, of which the published way removes `search_blocks`, scaled to all. `output` is the run
    folder; null makes runs/benchmarks/<time>-<backend>.
    """

    seed: int = 0
    output: str | None = None
    repeats: int = 7
    batch_size: int = 128
    eval_images: int = 512
    attack_images: int = 64
    attack_steps: int = 20
    search_images: int = 500
    search_patch: int = 2
    search_blocks: int = 1

    def __post_init__(self):
        limits = {
            "repeats": 1000,
            "batch_size": 1000,
            "eval_images": 1000,
            "attack_images": 1000,
            "attack_steps": 1000,
            "search_images": 1000,
            "search_patch": 16,
            "search_blocks": 100,
        }
        for name, high in limits.items():
            if not 1 <= getattr(self, name) <= high:
                raise ValueError(
                    f"`{name}` must be a whole number from 1 to {high}. "
                    f"Received: {name}={getattr(self, name)}"
                )
