"""The networks of the experiments on CIFAR."""

from __future__ import annotations

import dataclasses

import keras

from apps.lab import Run
from apps.lab.images import Images
from apps.lab.settings import Training
from apps.lab.train import trained


def train_row(run: Run, training: Training, row: str, images: Images, *, seed: int) -> keras.Model:
    """The network of one row of `apps.lab.augmentations.ROWS`; ``NETWORK/ROW/seedN`` in the run."""
    model, _ = trained(
        run,
        dataclasses.replace(training, augmentation=row),
        images.train,
        classes=len(images.classes),
        seed=seed,
        label=f"{training.network}/{row}/seed{seed}",
        record={"network": training.network, "row": row},
    )
    return model
