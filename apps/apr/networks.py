"""The networks of the experiments on CIFAR, and how two of them compare."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras

from apps.lab import Claim, Run
from apps.lab.augmentations import ROWS
from apps.lab.images import Images
from apps.lab.report import by_seed, compare
from apps.lab.settings import Training
from apps.lab.train import trained


def train_row(run: Run, training: Training, row: str, images: Images, *, seed: int) -> keras.Model:
    """The network of one row of `apps.lab.augmentations.ROWS`; ``NETWORK/ROW/seedN`` in the run."""
    model, _ = trained(
        run,
        f"{training.network}/{row}",
        dataclasses.replace(training, augmentation=row),
        images.train,
        classes=len(images.classes),
        seed=seed,
        record={"network": training.network, "row": row},
    )
    return model


def compare_rows(
    run: Run,
    text: str,
    rows: tuple[str, str],
    wanted: Mapping[str, Any],
    *,
    network: str,
    n: int,
    published: str = "-",
    higher: str = "is higher",
    lower: str = "is lower",
    scale: float = 1,
    digits: int = 3,
) -> Claim:
    """The claim that the first of two rows is above or below the other in the records that are `wanted`."""
    # A network that puts all images into one class follows nothing, and has no number for its seed.
    found = [by_seed(run, row=row, **wanted) for row in rows]
    seeds = sorted(found[0].keys() & found[1].keys())
    first, second = (
        (ROWS[row].label, [scale * numbers[seed] for seed in seeds])
        for row, numbers in zip(rows, found, strict=True)
    )
    claim = compare(
        text,
        first,
        second,
        n=n,
        stages=tuple(f"{network}/{row}/" for row in rows),
        published=published,
        higher=f"{first[0]} {higher}",
        lower=f"{first[0]} {lower}",
        digits=digits,
    )
    return dataclasses.replace(claim, seeds=tuple(seeds))
