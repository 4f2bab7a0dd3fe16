"""Accuracy under the worst of several attacks, image by image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_freq._core.checks import (
    check_choices,
    check_linf_epsilon,
    check_number,
    check_whole,
)
from keras_freq._core.classifier import Classifier
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq.attacks._foolbox_model import foolbox_attack, foolbox_model, foolbox_seed
from keras_freq.attacks._square import search_squares
from keras_freq.evaluate._survivors import Survivors

ATTACKS = ("pgd_ce", "pgd_margin", "deepfool", "square")


@dataclass(frozen=True, kw_only=True)
class WorstCaseResult(Result):
    """Accuracy under a sequence of attacks, each image against all of them.

    Attributes:
        attacks: Names of the attacks in the order they ran.
        norm: Norm of the ball, `"linf"`.
        epsilon: Radius of the ball, in pixel units.
        clean: Accuracy without attack.
        accuracy: Share of the images that the model gets right and no attack fools.
        after: That share after the first attack, after the first two, and so on; the last is `accuracy`.
        fooled_by: Images that each attack fooled, of those that stood before it.
        robust_per_class: Robust images of each class.
        count_per_class: Images of each class.
        undefined: Undefined outputs, of images as they are and changed; they count as wrong.

    Example:
        >>> options = {"attacks": ("square",), "queries": 5}
        >>> result = keras_freq.evaluate.worst_case_accuracy(model, data, **options)
        >>> float(result) == result.after[-1] == sum(result.robust_per_class) / result.n
        True
    """

    attacks: tuple[str, ...]
    norm: str
    epsilon: float
    clean: float
    accuracy: float
    after: tuple[float, ...]
    fooled_by: tuple[int, ...]
    robust_per_class: tuple[int, ...]
    count_per_class: tuple[int, ...]
    undefined: int = 0

    def __float__(self) -> float:
        return self.accuracy

    def rows(self) -> list[dict[str, Any]]:
        """One row for each attack, after one for the clean images."""
        start = {"model": self.model, "norm": self.norm, "epsilon": self.epsilon}
        stages = [("none", self.clean, 0), *zip(self.attacks, self.after, self.fooled_by, strict=True)]
        return [
            {**start, "attack": attack, "accuracy": value, "fooled": fooled, "n": self.n}
            for attack, value, fooled in stages
        ]

    def _headline(self) -> dict[str, Any]:
        return {**super()._headline(), "accuracy after": dict(zip(self.attacks, self.after, strict=True))}


def worst_case_accuracy(
    model: keras.Model | Classifier,
    data: Any,
    *,
    epsilon: float = 8 / 255,
    attacks: Sequence[str] = ATTACKS,
    steps: int = 40,
    restarts: int = 2,
    queries: int = 500,
    n: int | None = None,
    seed: int = 0,
    bounds: Sequence[float] | None = None,
    batch_size: int | None = None,
    data_format: str | None = None,
    progress: bool | None = None,
) -> WorstCaseResult:
    """Accuracy in the L-infinity ball under the worst of several attacks for each image.

    An image is robust only if the model classifies it as labeled and no attack and no restart fools the
    model. What is scored lies within the bounds and the ball exactly, rounding included. The result is an
    upper bound of the true robust accuracy, as with any set of attacks.

    - `"pgd_ce"`: Foolbox's PGD on the cross-entropy, absolute steps of `2.5 * epsilon / steps`; the first run
      starts at the image, the others at random points of the ball.
    - `"pgd_margin"`: the same on the margin `max_{j != y} z_j - z_y`.
    - `"deepfool"`: Foolbox's L-infinity DeepFool, its result clipped to the ball.
    - `"square"`: the Square Attack, `keras_freq.attacks.square`, which needs no gradients: it finds what a
      model hides behind flat or noisy ones.

    Later attacks and restarts run on the images that still stand, packed into batches of one shape: nothing
    is compiled again. The images are held in memory: of a large data set take the first `n`.

    Args:
        model: Keras classifier that returns logits `(batch, classes)`. It runs in inference
            mode.
        data: Arrays `(images, labels)`, a `tf.data.Dataset`, a `keras.utils.PyDataset`, or an iterable of
            batches.
        epsilon: Radius of the ball, absolute, in pixel units, above 0.
        attacks: Names from above, in the order they run. The order moves `after` and `fooled_by`, and hardly
            the final accuracy.
        steps: Steps of each PGD run, and at most so many of DeepFool.
        restarts: Runs of each PGD: one from the image, the others random.
        queries: Forward passes of the Square Attack for each image.
        n: Use the first `n` images of the data; default all.
        seed: Seed of random starts and of the Square Attack.
        bounds: Lowest and highest pixel value that the model takes; default what its `Classifier` says.
            Epsilons are for pixels on [0, 1] all the same.
        batch_size: Images per batch where `data` are arrays, default 128.
        data_format: `"channels_last"` or `"channels_first"`; default that of the model.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        A `WorstCaseResult`.

    Raises:
        ValueError: If an argument is out of range, images leave the bounds or are not finite, labels are not
            among the model's outputs, `n` exceeds the data, or the model ends in softmax or sigmoid.
        RuntimeError: If an attack leaves the ball or the bounds by more than rounding.

    Source: Madry et al., ICLR 2018 (PGD); Moosavi-Dezfooli et al., CVPR 2016 (DeepFool); Andriushchenko et
        al., ECCV 2020 (Square Attack). The idea of a worst case over different attacks is that of Croce and
        Hein, ICML 2020; for their own ensemble see `auto_attack_accuracy`.

    Example:
        >>> options = {"steps": 2, "queries": 5, "n": 4}
        >>> result = keras_freq.evaluate.worst_case_accuracy(model, data, epsilon=8 / 255, **options)
        >>> list(dict(zip(result.attacks, result.fooled_by)))
        ['pgd_ce', 'pgd_margin', 'deepfool', 'square']
    """
    epsilon = check_linf_epsilon(check_number(epsilon, "epsilon", above=0))
    attacks = check_choices(attacks, "attacks", ATTACKS)
    steps, restarts = check_whole(steps, "steps"), check_whole(restarts, "restarts")
    queries, seed = check_whole(queries, "queries"), check_whole(seed, "seed", least=0)
    images = Survivors(
        model, data, epsilon=epsilon, bounds=bounds, n=n, batch_size=batch_size, data_format=data_format
    )

    after, fooled_by = [], []
    with progress_bar(progress, f"{len(attacks)} attacks") as advance:
        for attack in attacks:
            before = images.count
            if attack == "square":
                runs = [_prepare_square(images, epsilon, queries, seed)]
            else:
                adapter = foolbox_model(images.model.for_pixels, data_format=images.data_format)
                runs = _prepare_foolbox(adapter, attack, epsilon, steps, restarts, seed)
            for run in runs:
                images.attack(attack, run, advance)
            fooled_by.append(before - images.count)
            after.append(images.accuracy)
    return WorstCaseResult(
        model=images.model.name,
        n=len(images.labels),
        settings={
            "steps": steps,
            "restarts": restarts,
            "queries": queries,
            "seed": seed,
            "batch_size": batch_size,
            "first_n": n,
            **images.settings,
        },
        versions=versions(),
        attacks=attacks,
        norm="linf",
        epsilon=epsilon,
        clean=images.clean,
        accuracy=images.accuracy,
        after=tuple(after),
        fooled_by=tuple(fooled_by),
        robust_per_class=images.count_per_class(alive=True),
        count_per_class=images.count_per_class(alive=False),
        undefined=images.undefined,
    )


def _prepare_foolbox(adapter, name, epsilon, steps, restarts, seed) -> list[Callable]:
    """One function a run of an attack of Foolbox."""
    if name == "deepfool":
        attacks = [foolbox_attack("linf_deepfool", steps=steps)]
    else:
        loss = "margin" if name == "pgd_margin" else "cross_entropy"
        options = {"steps": steps, "epsilon": epsilon, "loss": loss}
        attacks = [foolbox_attack("linf_pgd", random_start=k > 0, **options) for k in range(restarts)]

    def run_of(index, attack):
        def run(images, labels, rows):
            x, y = adapter.inputs(images, labels)
            # The draws depend on the run and the batch, not on what ran before.
            with foolbox_seed(_derive_seed(seed, ATTACKS.index(name), index, rows[0])):
                attacked = keras.ops.convert_to_numpy(attack(adapter, x, y, epsilons=epsilon)[1])
            if name == "deepfool":  # it divides by gradients, which may vanish
                broken = ~np.isfinite(attacked).all(axis=(1, 2, 3), keepdims=True)
                attacked = np.where(broken, images, attacked)
            return attacked

        return run

    return [run_of(index, attack) for index, attack in enumerate(attacks)]


def _prepare_square(survivors, epsilon, queries, seed) -> Callable:
    logits, data_format = survivors.logits, survivors.data_format

    def run(images, labels, rows):
        return search_squares(logits, images, labels, rows, epsilon, queries, seed, data_format)

    return run


def _derive_seed(*numbers: int) -> int:
    return int(np.random.SeedSequence([int(number) for number in numbers]).generate_state(1)[0] >> 1)
