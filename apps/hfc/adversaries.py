"""A natural and an adversarial network, as the kernels and the perturbations need them."""

from __future__ import annotations

import keras

from apps.hfc.config import Kernels, Perturbations
from apps.lab import Run, RunError
from apps.lab.images import Images
from apps.lab.train import trained

NAMES = {"natural": "natural training", "adversarial": "adversarial training"}


def check_attack_images(images: Images, **counts: int) -> None:
    """Before any training: the attacks must have their images."""
    for name, count in counts.items():
        if count > len(images.test[1]):
            raise RunError(
                f"`{name}` must be at most the number of test images, {len(images.test[1])}. "
                f"Received: {name}={count}"
            )


def train_both(
    run: Run, config: Kernels | Perturbations, images: Images
) -> dict[tuple[str, int], keras.Model]:
    """The classifiers by name and seed, both trained from the same weights."""
    recipes = {
        "natural": config.training,
        "adversarial": config.adversary.applied_to(config.training, images.shape[0]),
    }
    return {
        (name, seed): trained(
            run,
            recipes[name],
            images.train,
            classes=len(images.classes),
            seed=seed,
            label=f"{name}/seed{seed}",
            record={"network": name},
        )[0]
        for seed in config.all_seeds
        for name in NAMES
    }
