"""A natural and an adversarial network, as the kernels and the perturbations need them."""

from __future__ import annotations

import keras

from apps.hfc.config import Kernels, Perturbations
from apps.hfc.networks import adversarial, adversarial_training, classifier, train
from apps.runner import Run, RunError
from apps.runner.images import Images

NAMES = {"natural": "natural training", "adversarial": "adversarial training"}


def check_attack_images(images: Images, **counts: int) -> None:
    """Before any training: the attacks must have their images."""
    for name, count in counts.items():
        if count > len(images.test[1]):
            raise RunError(
                f"`{name}` must be at most the number of test images, {len(images.test[1])}. "
                f"Received: {name}={count}"
            )


def trained(run: Run, config: Kernels | Perturbations, images: Images) -> dict[tuple[str, int], keras.Model]:
    """The classifiers by name and seed, both trained from the same weights."""
    classifiers = {}
    for seed in config.all_seeds:
        for name in NAMES:
            model = classifier(config.network, images, seed=seed, name=name)
            if name == "natural":
                wrapper, training = model, config.training
            else:
                wrapper = adversarial(model, config.adversary, seed=seed)
                training = adversarial_training(config.training, config.adversary)
            train(run, f"{name}/seed{seed}", wrapper, images.train, training=training, seed=seed)
            classifiers[name, seed] = model
    return classifiers
