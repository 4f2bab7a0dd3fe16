"""Attacks against the bare passes that they cannot do without, and PGD against Foolbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

import keras_freq as kf
from apps.benchmarks.config import Speed
from apps.benchmarks.limits import shape_of
from apps.benchmarks.sweeps import OTHERS, Work, bare_passes
from apps.benchmarks.timing import Pair, describe, time_pair

EPSILON = 4 / 255

# (model, images, labels, steps) -> Work
ATTACKS: dict[str, Callable[[Any, Any, Any, int], Work]] = {
    "fgsm": lambda model, x, y, steps: Work(
        lambda: kf.attacks.fgsm(model, x, y, epsilon=EPSILON), len(x), "gradient"
    ),
    "pgd, linf": lambda model, x, y, steps: Work(
        lambda: kf.attacks.pgd(model, x, y, epsilon=EPSILON, steps=steps), steps * len(x), "gradient"
    ),
    "pgd, l2": lambda model, x, y, steps: Work(
        lambda: kf.attacks.pgd(model, x, y, epsilon=0.5, norm="l2", steps=steps), steps * len(x), "gradient"
    ),
    "square": lambda model, x, y, steps: Work(
        lambda: kf.attacks.square(model, x, y, epsilon=EPSILON, queries=2 * steps), 2 * steps * len(x)
    ),
}
SLOW: dict[str, Callable[[Any, Any, Any, int], Work]] = {
    "adversarial_accuracy, own": lambda model, x, y, steps: Work(
        lambda: kf.evaluate.adversarial_accuracy(
            model, (x, y), engine="own", epsilons=(EPSILON,), steps=steps, progress=False
        ),
        steps * len(x),
        "gradient",
    ),
    "adversarial_accuracy, foolbox": lambda model, x, y, steps: Work(
        lambda: kf.evaluate.adversarial_accuracy(
            model, (x, y), epsilons=(EPSILON,), steps=steps, progress=False
        ),
        steps * len(x),
        "gradient",
    ),
    "worst_case_accuracy, PGD": lambda model, x, y, steps: Work(
        lambda: kf.evaluate.worst_case_accuracy(
            model, (x, y), attacks=("pgd_ce", "pgd_margin"), steps=steps, restarts=1, progress=False
        ),
        2 * steps * len(x),
        "gradient",
    ),
}


def time_attack(config: Speed, name: str, images: np.ndarray, labels: np.ndarray) -> list[dict]:
    """One attack against as many bare passes."""
    model = kf.models.small_resnet(images.shape[1:])
    work = (ATTACKS | SLOW)[name](model, images, labels, config.attack_steps)
    bare, counted = bare_passes(model, images, labels, work)
    pair = time_pair(work.run, bare, seconds=config.seconds, pairs=config.pairs)
    pair = Pair(pair.ours, tuple(work.passes / counted * seconds for seconds in pair.other), pair.first)
    row = describe(pair, OTHERS[work.kind], case=name, shape=shape_of(images), dtype="float32")
    return [row | {"passes": work.passes, "passes_per_s": round(1e3 * work.passes / row["ours"], 1)}]


def pgd_and_foolbox(config: Speed, images: np.ndarray, labels: np.ndarray) -> list[dict]:
    """The compiled loop of `attacks.pgd` against Foolbox' LinfPGD through `foolbox_model`."""
    model = kf.models.small_resnet(images.shape[1:])
    adapter = kf.attacks.foolbox_model(model)
    x, y = adapter.inputs(images, labels)
    steps = config.attack_steps
    attack = kf.attacks.foolbox_attack("linf_pgd", epsilon=EPSILON, steps=steps)

    def ours():
        return kf.attacks.pgd(model, images, labels, epsilon=EPSILON, steps=steps, batch_size=len(images))

    def foolbox():
        return keras.ops.convert_to_numpy(attack(adapter, x, y, epsilons=EPSILON)[1])

    pair = time_pair(ours, foolbox, seconds=config.seconds, pairs=config.pairs)
    same = float(np.mean(np.abs(ours() - foolbox()) < 1e-6))
    row = describe(pair, "Foolbox' LinfPGD", case=f"PGD-{steps}", shape=shape_of(images), dtype="float32")
    return [row | {"equal_pixels": round(same, 5)}]
