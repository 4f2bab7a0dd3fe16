"""Settings of the benchmarks."""

from __future__ import annotations

import dataclasses

from apps.lab.settings import check_between


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
        for name in (
            "repeats",
            "batch_size",
            "eval_images",
            "attack_images",
            "attack_steps",
            "search_images",
        ):
            check_between(name, getattr(self, name), 1, 1000)
        check_between("search_patch", self.search_patch, 1, 16)
        check_between("search_blocks", self.search_blocks, 1, 100)
