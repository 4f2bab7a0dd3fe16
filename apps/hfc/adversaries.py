"""A natural and an adversarial network, as the kernels and the perturbations need them."""

from __future__ import annotations

import keras

from apps.hfc.config import Kernels, Perturbations
from apps.lab import Run
from apps.lab.images import Images
from apps.lab.train import trained

NAMES = {"natural": "natural training", "adversarial": "adversarial training"}
ATTACKS = {"fgsm": "FGSM", "linf_pgd": "PGD"}


def train_both(
    run: Run, config: Kernels | Perturbations, images: Images
) -> dict[tuple[str, int], keras.Model]:
    """The classifiers by name and seed, both trained from the same weights."""
    recipes = {
        "natural": config.training,
        "adversarial": config.adversary.applied_to(config.training),
    }
    classes = len(images.classes)
    return {
        (name, seed): trained(run, name, recipes[name], images.train, classes=classes, seed=seed)[0]
        for seed in config.all_seeds
        for name in NAMES
    }
