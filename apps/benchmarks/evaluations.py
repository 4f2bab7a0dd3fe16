"""Evaluations against the forward passes that they cannot do without, and PGD against Foolbox."""

from __future__ import annotations

import keras
import numpy as np

import keras_freq as kf
from apps.benchmarks.config import Benchmarks
from apps.benchmarks.timing import describe, time_pair

RADII = (4, 8, 12, 16)


def band_accuracy(config: Benchmarks, test: tuple) -> list[dict]:
    """Nine passes over the images (clean, four low, four high) against nine bare compiled passes."""
    images, labels = (part[: config.eval_images] for part in test)
    model = kf.models.small_resnet()
    forward = kf.attacks.compile_logits(model)
    size = config.batch_size
    batches = [images[k : k + size] for k in range(0, len(images) - size + 1, size)] or [images]
    count = sum(map(len, batches))

    def bare():
        for batch in batches:
            tensor = keras.ops.convert_to_tensor(batch)
            for _ in range(1 + 2 * len(RADII)):
                logits = forward(tensor)
            keras.ops.convert_to_numpy(logits)

    def ours():
        data = (images[:count], labels[:count])
        return kf.evaluate.band_accuracy(model, data, radii=RADII, batch_size=len(batches[0]))

    pair = time_pair(ours, bare, repeats=config.repeats)
    passes = count * (1 + 2 * len(RADII))
    return [
        describe(
            f"band accuracy, small_resnet, {passes} image passes, against the bare compiled forward",
            f"{passes / pair.ours:.0f} images/s",
            f"{passes / pair.other:.0f} images/s",
            f"{100 * pair.ratio:.0f} %",
            "at least 85 %",
        )
    ]


def pgd(config: Benchmarks, test: tuple) -> list[dict]:
    """The compiled loop of `attacks.pgd` against Foolbox' LinfPGD through `foolbox_model`."""
    images, labels = (part[: config.attack_images] for part in test)
    model = kf.models.small_resnet()
    adapter = kf.attacks.foolbox_model(model)
    x, y = adapter.inputs(images, labels)
    epsilon, steps = 4 / 255, config.attack_steps
    attack = kf.attacks.foolbox_attack("linf_pgd", epsilon=epsilon, steps=steps)

    def ours():
        return kf.attacks.pgd(model, images, labels, epsilon=epsilon, steps=steps, batch_size=len(images))

    def foolbox():
        return keras.ops.convert_to_numpy(attack(adapter, x, y, epsilons=epsilon)[1])

    pair = time_pair(ours, foolbox, repeats=config.repeats)
    same = np.mean(np.abs(ours() - foolbox()) < 1e-6)
    what = f"PGD-{steps}, small_resnet, {len(images)} images, against Foolbox"
    words = f"{what} ({100 * same:.1f} % of the pixels equal)"
    mine, theirs = (f"{1e3 * seconds:.0f} ms" for seconds in (pair.ours, pair.other))
    return [describe(words, mine, theirs, f"{pair.ratio:.2f}x")]
