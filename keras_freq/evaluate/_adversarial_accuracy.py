"""Accuracy under attacks of a fixed size."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import keras
import numpy as np

from keras_freq._core.checks import (
    check_choice,
    check_epsilons,
    check_images,
    check_interval,
    check_labels,
    check_number,
    check_whole,
)
from keras_freq._core.compiled import compile_logits
from keras_freq._core.probabilities import reject_probabilities
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq.attacks._foolbox_model import FIXED_SIZE, foolbox_attack, foolbox_model, foolbox_seed
from keras_freq.attacks._pgd import pgd
from keras_freq.evaluate._adversarial_images import AdversarialImages, checked, keep, predict
from keras_freq.evaluate._counting import first_images, labelled_batches


@dataclass(frozen=True, kw_only=True)
class AdversarialResult(Result):
    """Accuracy under an attack, by the size of the perturbation.

    Attributes:
        attack: Name of the attack.
        norm: Norm of the ball, `"linf"` or `"l2"`.
        epsilons: Radii of the ball in ascending order, in pixel units.
        accuracy: Share of the images that no attack of this or a smaller size fools, one value an epsilon.
        clean: Accuracy without attack.
        correct_per_class: Robust images of each class, `(epsilons, classes)`.
        clean_correct_per_class: Correctly classified images of each class, without attack.
        count_per_class: Images of each class.
        images: Images of the largest epsilon, if they were asked for. In `to_json` alone.
    """

    attack: str
    norm: str
    epsilons: tuple[float, ...]
    accuracy: tuple[float, ...]
    clean: float
    correct_per_class: tuple[tuple[int, ...], ...]
    clean_correct_per_class: tuple[int, ...]
    count_per_class: tuple[int, ...]
    images: AdversarialImages | None = field(
        default=None, repr=False, compare=False, metadata={"export": False}
    )

    def rows(self) -> list[dict[str, Any]]:
        """One row an epsilon, after one of epsilon 0 for the clean images."""
        start = {"model": self.model, "attack": self.attack, "norm": self.norm}
        pairs = [(0.0, self.clean), *zip(self.epsilons, self.accuracy, strict=True)]
        return [{**start, "epsilon": epsilon, "accuracy": value, "n": self.n} for epsilon, value in pairs]


def adversarial_accuracy(
    model: keras.Model,
    data: Any,
    *,
    attack: str = "linf_pgd",
    epsilons: Sequence[float] = (2 / 255, 8 / 255),
    steps: int = 20,
    step_size: float | None = None,
    random_start: bool = False,
    n: int | None = None,
    seed: int = 0,
    engine: Literal["foolbox", "own"] = "foolbox",
    bounds: tuple[float, float] = (0.0, 1.0),
    batch_size: int | None = None,
    data_format: str = "channels_last",
    keep_images: bool = False,
    progress: bool | None = None,
) -> AdversarialResult:
    """Accuracy under an attack of fixed size, for several sizes.

    An image counts as robust at epsilon if the model classifies it as labelled and no attack of this or a
    smaller epsilon fools the model: an adversarial of a small ball lies in every larger one, so accuracy
    never increases with epsilon. What is scored lies within the bounds and the ball exactly, rounding
    included.

    Args:
        model: Keras classifier, pixels in `bounds` in, logits `(batch, classes)` out. It runs in inference
            mode.
        data: Arrays `(images, labels)`, a `tf.data.Dataset`, a `keras.utils.PyDataset`, or an iterable of
            batches.
        attack: `"linf_pgd"`, `"l2_pgd"` or `"fgsm"` (L-infinity).
        epsilons: Radii of the ball, absolute, in pixel units, at least 0; sorted, without repetitions.
        steps: Steps of PGD; FGSM has one.
        step_size: Absolute size of a PGD step for every epsilon; default `2.5 * epsilon / steps`.
        random_start: Start at a random point of the ball instead of at the image.
        n: Use the first `n` images of the data; default all.
        seed: Seed of random starts.
        engine: `"foolbox"`, or `"own"` for the compiled loop of `keras_freq.attacks.pgd`.
        bounds: Lowest and highest pixel value.
        batch_size: Images a batch where `data` are arrays, default 128.
        data_format: `"channels_last"` or `"channels_first"`.
        keep_images: Keep the originals and the adversarials of the largest epsilon in the result.
        progress: Show a progress bar; `None`: on a terminal where tqdm is installed.

    Returns:
        An `AdversarialResult`.

    Raises:
        ImportError: If Foolbox, or the git executable that its import needs, is missing.
        ValueError: If an argument is out of range, images leave the bounds or are not finite, labels are not
            among the model's outputs, `n` exceeds the data, or the model ends in softmax or sigmoid.
        RuntimeError: If an attack leaves the ball or the bounds by more than rounding.

    Source: Madry et al., ICLR 2018, section 2.1 (PGD); Goodfellow et al., ICLR 2015, section 4 (FGSM).
    Differs from the original: no random start unless asked for; monotone in epsilon as said above.

    Example:

    >>> sizes = (2 / 255, 8 / 255)
    >>> result = keras_freq.evaluate.adversarial_accuracy(model, data.test, epsilons=sizes, n=200)
    >>> result.clean, result.accuracy
    (0.71, (0.32, 0.01))
    """
    arguments = check_attack(attack, epsilons, steps, step_size, seed, engine, bounds)
    epsilons, steps, seed, bounds = (arguments[name] for name in ("epsilons", "steps", "seed", "bounds"))
    norm = FIXED_SIZE[attack][1]
    reject_probabilities(model)
    logits = compile_logits(model)
    options = {"steps": steps, "step_size": step_size, "random_start": random_start}
    if engine == "foolbox":
        run = _foolbox_engine(model, attack, bounds, data_format, options)
    else:
        run = _own_engine(model, attack, norm, bounds, seed, options)
    # Without a random draw the framework's generator is left alone.
    seeded = foolbox_seed(seed) if engine == "foolbox" and random_start else contextlib.nullcontext()
    settings = {**options, "engine": engine, "seed": seed, "bounds": bounds, "batch_size": batch_size}
    settings["first_n"] = n
    if n is not None:
        data, batch_size = first_images(model, data, n, batch_size)

    robust, correct, labels_seen, kept = [], [], [], []
    classes = 0
    with progress_bar(progress, f"{attack}, {len(epsilons)} sizes", "attack") as advance, seeded:
        for index, (images, labels, valid) in enumerate(labelled_batches(model, data, batch_size)):
            images = check_images(images, bounds)
            if index == 0:
                first = keras.ops.convert_to_numpy(logits(images))
                reject_probabilities(model, first)
                classes = first.shape[-1]
            check_labels(labels, len(labels), classes)
            before = after = predict(logits, images)
            right = before == labels
            correct.append(right[:valid])
            found, stages = images, []
            for epsilon in epsilons:
                if right[:valid].any() and epsilon > 0:
                    new = checked(images, run(images, labels, epsilon, index), epsilon, bounds, norm, attack)
                    seen = predict(logits, new)
                    # An image fooled before keeps its smaller adversarial unless the larger one fools too.
                    take = right | (seen != labels)
                    found = np.where(take.reshape(-1, 1, 1, 1), new, found)
                    after = np.where(take, seen, after)
                    right = right & (seen == labels)
                stages.append(right[:valid])
                advance(valid)
            robust.append(np.stack(stages))
            labels_seen.append(labels[:valid])
            if keep_images:
                kept.append(tuple(part[:valid] for part in (images, found, labels, before, after)))
    labels, right, robust = (
        np.concatenate(labels_seen),
        np.concatenate(correct),
        np.concatenate(robust, axis=1),
    )
    return AdversarialResult(
        model=model.name,
        n=len(labels),
        settings=settings,
        versions=versions(),
        attack=attack,
        norm=norm,
        epsilons=epsilons,
        accuracy=tuple(robust.mean(axis=1).tolist()),
        clean=float(right.mean()),
        correct_per_class=tuple(_per_class(labels[stage], classes) for stage in robust),
        clean_correct_per_class=_per_class(labels[right], classes),
        count_per_class=_per_class(labels, classes),
        images=keep(kept, epsilons[-1]) if keep_images else None,
    )


def check_attack(attack, epsilons, steps, step_size, seed, engine, bounds) -> dict[str, Any]:
    """The arguments that need no model, checked, by name."""
    check_choice(attack, "attack", tuple(FIXED_SIZE))
    epsilons, bounds, seed = (
        check_epsilons(epsilons),
        check_interval(bounds, "bounds"),
        check_whole(seed, "seed", least=0),
    )
    steps = check_whole(steps, "steps") if attack != "fgsm" else 1
    if step_size is not None:
        check_number(step_size, "step_size", above=0)
    check_choice(engine, "engine", ("foolbox", "own"))
    return {
        "attack": attack,
        "epsilons": epsilons,
        "steps": steps,
        "step_size": step_size,
        "seed": seed,
        "engine": engine,
        "bounds": bounds,
    }


def _foolbox_engine(model, attack, bounds, data_format, options) -> Callable:
    adapter = foolbox_model(model, bounds, data_format=data_format)

    def run(images, labels, epsilon, index):
        x, y = adapter.inputs(images, labels)
        found = foolbox_attack(attack, epsilon=epsilon, **options)(adapter, x, y, epsilons=epsilon)[1]
        return keras.ops.convert_to_numpy(found)

    return run


def _own_engine(model, attack, norm, bounds, seed, options) -> Callable:
    def run(images, labels, epsilon, index):
        step_size = epsilon if attack == "fgsm" else options["step_size"]
        return pgd(
            model,
            images,
            labels,
            epsilon=epsilon,
            norm=norm,
            steps=options["steps"],
            step_size=step_size,
            random_start=options["random_start"],
            seed=int(np.random.SeedSequence([seed, index]).generate_state(1)[0]),
            bounds=bounds,
            batch_size=len(images),
        )

    return run


def _per_class(labels: np.ndarray, classes: int) -> tuple[int, ...]:
    return tuple(np.bincount(labels, minlength=classes).tolist())
