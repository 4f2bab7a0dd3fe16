"""Accuracy under attacks of a fixed size."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import keras
import numpy as np

from keras_freq._core import processes
from keras_freq._core.checks import (
    check_choice,
    check_epsilons,
    check_flag,
    check_number,
    check_whole,
)
from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import compile_logits
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq._core.sweep import run_steps
from keras_freq.attacks._foolbox_model import FIXED_SIZE, foolbox_attack, foolbox_model, foolbox_seed
from keras_freq.attacks._pgd import pgd
from keras_freq.evaluate._adversarial_images import AdversarialImages, confine, join_batches
from keras_freq.evaluate._predictions import count_undefined, predict_classes


@dataclass(frozen=True, kw_only=True)
class AdversarialResult(Result):
    """Accuracy under an attack, by the size of the perturbation.

    Attributes:
        attack: Name of the attack.
        norm: Norm of the ball, `"linf"` or `"l2"`.
        epsilons: Radii of the ball in ascending order, in pixel units.
        accuracy: Share of the images that no attack of this or a smaller size fools, for each epsilon.
        clean: Accuracy without attack.
        correct_per_class: Robust images of each class, `(epsilons, classes)`.
        clean_correct_per_class: Correctly classified images of each class, without attack.
        count_per_class: Images of each class.
        undefined: Undefined outputs, of images as they are and changed; they count as wrong.
        images: Images of the largest epsilon, if they were asked for. In `to_json` alone.

    Example:
        >>> result = keras_freq.evaluate.adversarial_accuracy(model, data, attack="fgsm", engine="own")
        >>> [row["epsilon"] for row in result.rows()] == [0.0, *result.epsilons]
        True
    """

    attack: str
    norm: str
    epsilons: tuple[float, ...]
    accuracy: tuple[float, ...]
    clean: float
    correct_per_class: tuple[tuple[int, ...], ...]
    clean_correct_per_class: tuple[int, ...]
    count_per_class: tuple[int, ...]
    undefined: int = 0
    images: AdversarialImages | None = field(
        default=None, repr=False, compare=False, metadata={"export": False}
    )

    def rows(self) -> list[dict[str, Any]]:
        """One row for each epsilon, after one of epsilon 0 for the clean images."""
        start = {"model": self.model, "attack": self.attack, "norm": self.norm}
        pairs = [(0.0, self.clean), *zip(self.epsilons, self.accuracy, strict=True)]
        return [{**start, "epsilon": epsilon, "accuracy": value, "n": self.n} for epsilon, value in pairs]

    def _headline(self) -> dict[str, Any]:
        by_size = dict(zip(self.epsilons, self.accuracy, strict=True))
        return {**super()._headline(), "accuracy by epsilon": by_size}


def adversarial_accuracy(
    model: keras.Model | Classifier,
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
    bounds: Sequence[float] | None = None,
    batch_size: int | None = None,
    data_format: str | None = None,
    keep_images: bool = False,
    progress: bool | None = None,
) -> AdversarialResult:
    """Accuracy under an attack of fixed size, for several sizes.

    An image counts as robust at epsilon if the model classifies it as labeled and no attack of this or a
    smaller epsilon fools the model: an adversarial of a small ball lies in every larger one, so accuracy
    never increases with epsilon. What is scored lies within the bounds and the ball exactly, rounding
    included.

    Args:
        model: Keras classifier that returns logits `(batch, classes)`. It runs in inference
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
        bounds: Lowest and highest pixel value that the model takes; default what its `Classifier` says.
            Epsilons are for pixels on [0, 1] all the same.
        batch_size: Images per batch where `data` are arrays, default 128.
        data_format: `"channels_last"` or `"channels_first"`; default that of the model.
        keep_images: Keep the originals and the adversarials of the largest epsilon in the result.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        An `AdversarialResult`.

    Raises:
        ValueError: If an argument is out of range, images leave the bounds or are not finite, labels are not
            among the model's outputs, `n` exceeds the data, or the model ends in softmax or sigmoid.
        RuntimeError: If an attack leaves the ball or the bounds by more than rounding.

    Source: Madry et al., ICLR 2018, section 2.1 (PGD); Goodfellow et al., ICLR 2015, section 4 (FGSM).
        Differs from the original: no random start unless asked for; monotone in epsilon as said above.

    Example:
        >>> sizes = (2 / 255, 8 / 255)
        >>> result = keras_freq.evaluate.adversarial_accuracy(model, data, epsilons=sizes, steps=2, n=4)
        >>> result.n, result.clean >= result.accuracy[0] >= result.accuracy[1]
        (4, True)
    """
    check_flag(random_start, "random_start")
    check_flag(keep_images, "keep_images")
    options = check_attack(attack, epsilons, steps, step_size, seed, engine)
    sizes, steps, seed = (options[name] for name in ("epsilons", "steps", "seed"))
    norm = FIXED_SIZE[attack][1]
    feed = ModelFeed(
        model,
        data,
        batch_size=batch_size,
        n=n,
        value_range=bounds,
        data_format=data_format,
        needs_gradients=True,
    )
    run: Callable
    if engine == "foolbox":
        run = _prepare_foolbox(feed, attack, steps, step_size, random_start)
    else:
        run = _prepare_own(feed.model.for_pixels, attack, norm, seed, steps, step_size, random_start)
    logits = compile_logits(feed.model)

    def measure(images: np.ndarray, labels: np.ndarray, valid: int, index: int) -> tuple:
        """Which images of a batch are right, before and after each size; undefined outputs; what is kept."""
        before = after = predict_classes(logits, images)
        right, undefined = before == labels, count_undefined(before[:valid])
        adversarials, stages = images, [right[:valid]]
        for epsilon in sizes:
            if right[:valid].any() and epsilon > 0:
                attacked = run(images, labels, epsilon, index)
                attacked = confine(images, attacked, epsilon, norm, attack)
                seen = predict_classes(logits, attacked)
                undefined += count_undefined(seen[:valid])
                # An image fooled before keeps its smaller adversarial unless the larger one fools too.
                take = right | (seen != labels)
                adversarials = np.where(take.reshape(-1, 1, 1, 1), attacked, adversarials)
                after = np.where(take, seen, after)
                right = right & (seen == labels)
            stages.append(right[:valid])
            advance(valid)
        shown = (images, adversarials, labels, before, after) if keep_images else ()
        return np.stack(stages), undefined, tuple(part[:valid] for part in shown)

    parts, kept, undefined = [], [], 0
    with (
        progress_bar(progress, f"{attack}, {len(sizes)} sizes", "attack") as advance,
        contextlib.ExitStack() as drawing,
    ):
        # Without a random draw the framework's generator is left alone; with one, a batch depends on those
        # before it.
        if engine == "foolbox" and random_start:
            drawing.enter_context(processes.copying("an attack of Foolbox with random starts"))
            drawing.enter_context(foolbox_seed(seed))
        batches = ((None, partial(measure, *batch, index)) for index, batch in enumerate(feed))
        for _, (stages, broken, shown) in run_steps(batches, ahead=1):
            parts.append(stages)
            kept.append(shown)
            undefined += broken
    right, robust = np.split(np.concatenate(parts, axis=1), [1])

    def count_per_class(labels: np.ndarray) -> tuple[int, ...]:
        return tuple(np.bincount(labels, minlength=feed.classes).tolist())

    return AdversarialResult(
        model=feed.model.name,
        n=feed.n,
        settings={
            "steps": steps,
            "step_size": step_size,
            "random_start": random_start,
            "engine": engine,
            "seed": seed,
            "batch_size": batch_size,
            "first_n": n,
            **feed.settings,
        },
        versions=versions(),
        attack=attack,
        norm=norm,
        epsilons=sizes,
        accuracy=tuple(robust.mean(axis=1).tolist()),
        clean=float(right.mean()),
        correct_per_class=tuple(count_per_class(feed.labels[stage]) for stage in robust),
        clean_correct_per_class=count_per_class(feed.labels[right[0]]),
        count_per_class=count_per_class(feed.labels),
        undefined=undefined,
        images=join_batches(kept, sizes[-1]) if keep_images else None,
    )


def check_attack(attack, epsilons, steps, step_size, seed, engine) -> dict[str, Any]:
    """The arguments that need no model, checked, by name."""
    return {
        "attack": check_choice(attack, "attack", tuple(FIXED_SIZE)),
        "epsilons": check_epsilons(epsilons, FIXED_SIZE[attack][1]),
        "steps": 1 if attack == "fgsm" else check_whole(steps, "steps"),
        "step_size": None if step_size is None else check_number(step_size, "step_size", above=0),
        "seed": check_whole(seed, "seed", least=0),
        "engine": check_choice(engine, "engine", ("foolbox", "own")),
    }


def _prepare_foolbox(
    feed: ModelFeed,
    attack: str,
    steps: int,
    step_size: float | None,
    random_start: bool,
) -> Callable:
    adapter = foolbox_model(feed.model.for_pixels, data_format=feed.data_format)

    def run(images, labels, epsilon, index):
        x, y = adapter.inputs(images, labels)
        prepared = foolbox_attack(
            attack, steps=steps, step_size=step_size, random_start=random_start, epsilon=epsilon
        )
        return keras.ops.convert_to_numpy(prepared(adapter, x, y, epsilons=epsilon)[1])

    return run


def _prepare_own(
    model: Classifier,
    attack: str,
    norm: str,
    seed: int,
    steps: int,
    step_size: float | None,
    random_start: bool,
) -> Callable:
    def run(images, labels, epsilon, index):
        return pgd(
            model,
            images,
            labels,
            epsilon=epsilon,
            norm=norm,
            steps=steps,
            step_size=epsilon if attack == "fgsm" else step_size,
            random_start=random_start,
            seed=int(np.random.SeedSequence([seed, index]).generate_state(1)[0]),
            batch_size=len(images),
        )

    return run
