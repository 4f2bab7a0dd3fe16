"""The smallest change of each image that fools a model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import keras
import numpy as np

from keras_freq._core import processes
from keras_freq._core.checks import (
    check_choice,
    check_epsilons,
    check_flag,
    check_number,
    check_whole,
    show,
)
from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import compile_logits
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq._core.sweep import run_steps
from keras_freq.attacks._foolbox_model import (
    FIXED_SIZE,
    MINIMAL_SIZE,
    foolbox_attack,
    foolbox_model,
    foolbox_seed,
)
from keras_freq.attacks._norm_balls import distances
from keras_freq.evaluate._adversarial_images import AdversarialImages, confine, join_batches, shorten
from keras_freq.evaluate._predictions import count_undefined, predict_classes

# On [0, 1]: 0.5 to 64 gray levels of 255, and a two's ladder of lengths.
_LADDER = {
    "linf": tuple(level / 255 for level in (0.5, 1, 2, 4, 8, 16, 32, 64)),
    "l2": tuple(2.0**k for k in range(-4, 4)),
}
# Random images that are tried as the other end of a Boundary attack, where no image of the batch will do.
_DRAWS = 20


@dataclass(frozen=True, kw_only=True)
class MinimalAdversarialsResult(Result):
    """Sizes of the smallest perturbations found, one for each image.

    Attributes:
        attack: Name of the attack.
        norm: Norm of the distances, `"linf"` or `"l2"`.
        distances: Size of each image's perturbation, in pixel units, in the order of the data: 0 where the
            model is wrong without one, infinite where the attack found none.
        labels: True class of each image.
        clean: Accuracy without attack.
        success: Share of the images with a finite distance.
        median: Median distance, infinite if the attack found less than half.
        undefined: Undefined outputs, of images as they are and changed; they count as wrong.
        images: The images, if they were asked for. In `to_json` alone.

    Example:
        >>> result = keras_freq.evaluate.minimal_adversarials(model, data, attack="fgsm", n=4)
        >>> result.norm, result.n, 0 <= result.success <= 1
        ('linf', 4, True)
    """

    attack: str
    norm: str
    distances: tuple[float, ...]
    labels: tuple[int, ...]
    clean: float
    success: float
    median: float
    undefined: int = 0
    images: AdversarialImages | None = field(
        default=None, repr=False, compare=False, metadata={"export": False}
    )

    def accuracy_at(self, epsilon: float) -> float:
        """Share of the images with a distance above `epsilon`: accuracy under this attack, an upper bound."""
        return float(np.mean(np.asarray(self.distances) > check_number(epsilon, "epsilon", least=0)))

    def rows(self) -> list[dict[str, Any]]:
        """One row for each image."""
        pairs = enumerate(zip(self.labels, self.distances, strict=True))
        start = {"model": self.model, "attack": self.attack, "norm": self.norm}
        return [{**start, "image": index, "label": label, "distance": size} for index, (label, size) in pairs]


def minimal_adversarials(
    model: keras.Model | Classifier,
    data: Any,
    *,
    attack: str = "deepfool",
    epsilons: Sequence[float] | None = None,
    steps: int | None = None,
    n: int | None = None,
    seed: int = 0,
    bounds: Sequence[float] | None = None,
    batch_size: int | None = None,
    data_format: str | None = None,
    keep_images: bool = False,
    progress: bool | None = None,
) -> MinimalAdversarialsResult:
    """Looks for the smallest change of each image that fools the model, through Foolbox.

    `"deepfool"`, `"linf_deepfool"` and `"boundary"` look for it themselves. The attacks of fixed size,
    `"linf_pgd"`, `"l2_pgd"` and `"fgsm"`, run on a ladder of sizes; the first adversarial of each image is
    then moved straight towards the image by ten bisections, as long as it fools the model. All distances are
    upper bounds.

    Args:
        model: Keras classifier that returns logits `(batch, classes)`. It runs in inference
            mode.
        data: Arrays `(images, labels)`, a `tf.data.Dataset`, a `keras.utils.PyDataset`, or an iterable of
            batches.
        attack: One of the names above.
        epsilons: Ladder of an attack of fixed size, in pixel units, above 0. Default: 0.5
            to 64 gray levels of 255 (L-infinity), 1/16 to 8 (L2), in factors of two.
        steps: Steps of the attack; default 20 (PGD, each size), 50 (DeepFool), 1000 (Boundary). FGSM has one.
        n: Use the first `n` images of the data; default all.
        seed: Seed of random draws (Boundary).
        bounds: Lowest and highest pixel value that the model takes; default what its `Classifier` says.
            Epsilons are for pixels on [0, 1] all the same.
        batch_size: Images per batch where `data` are arrays, default 128.
        data_format: `"channels_last"` or `"channels_first"`; default that of the model.
        keep_images: Keep the originals and the adversarials in the result.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        A `MinimalAdversarialsResult`.

    Raises:
        ValueError: If an argument is out of range, images leave the bounds or are not finite, labels are not
            among the model's outputs, `n` exceeds the data, or the model ends in softmax or sigmoid.

    Source: Moosavi-Dezfooli et al., CVPR 2016 (DeepFool); Brendel et al., ICLR 2018 (Boundary).
        Differs from the original: Boundary starts from another image of the batch, moved towards the attacked
        one by bisection; an image that the model gets wrong as it is has distance 0, whatever the attack.

    Example:
        >>> result = keras_freq.evaluate.minimal_adversarials(model, data, attack="linf_deepfool", n=4)
        >>> len(result.distances), result.accuracy_at(0.0) <= result.clean
        (4, True)
    """
    check_flag(keep_images, "keep_images")
    table = MINIMAL_SIZE | FIXED_SIZE
    _, norm, default_steps = table[check_choice(attack, "attack", tuple(table))]
    seed = check_whole(seed, "seed", least=0)
    steps = default_steps if steps is None or attack == "fgsm" else check_whole(steps, "steps")
    ladder: tuple[float, ...] | None = None
    if attack in FIXED_SIZE:
        ladder = check_epsilons(_LADDER[norm] if epsilons is None else epsilons, norm, positive=True)
    elif epsilons is not None:
        raise ValueError(
            f"`epsilons` belongs to attacks of fixed size only. Received: epsilons with attack={show(attack)}"
        )
    feed = ModelFeed(
        model,
        data,
        batch_size=batch_size,
        n=n,
        value_range=bounds,
        data_format=data_format,
        needs_gradients=True,
    )
    adapter = foolbox_model(feed.model.for_pixels, data_format=feed.data_format)
    logits = compile_logits(feed.model)
    generator = np.random.default_rng(seed)

    def measure(images: np.ndarray, labels: np.ndarray, valid: int) -> tuple:
        """The size of each image of a batch, and whether it is right; undefined outputs; what is kept."""
        before = predict_classes(logits, images)
        if ladder is not None:
            attacked = _climb(adapter, logits, images, labels, before, attack, norm, steps, ladder)
        elif attack == "boundary":
            attacked = _search_boundary(adapter, logits, images, labels, before, steps, generator)
        else:
            x, y = adapter.inputs(images, labels)
            attacked = foolbox_attack(attack, steps=steps)(adapter, x, y, epsilons=None)[1]
            attacked = keras.ops.convert_to_numpy(attacked)
        broken = ~np.isfinite(attacked).all(axis=(1, 2, 3), keepdims=True)
        attacked = np.clip(np.where(broken, images, attacked), np.float32(0), np.float32(1))
        # An image that is wrong without any change stays as it is, whatever the attack did to it.
        attacked = np.where((before != labels).reshape(-1, 1, 1, 1), images, attacked)
        after = predict_classes(logits, attacked)
        sizes = np.where(after != labels, distances(images, attacked, norm), np.inf)[:valid]
        undefined = sum(count_undefined(part[:valid]) for part in (before, after))
        shown = (images, attacked, labels, before, after) if keep_images else ()
        return sizes, (before == labels)[:valid], undefined, tuple(part[:valid] for part in shown)

    size_parts, right_parts, kept, undefined = [], [], [], 0
    with progress_bar(progress, attack) as advance, contextlib.ExitStack() as drawing:
        if attack == "boundary":  # its draws for a batch depend on those for the batches before
            drawing.enter_context(processes.copying("the Boundary attack"))
            drawing.enter_context(foolbox_seed(seed))
        batches = ((batch[-1], partial(measure, *batch)) for batch in feed)
        for valid, (found, right, broken, shown) in run_steps(batches, ahead=1):
            size_parts.append(found)
            right_parts.append(right)
            kept.append(shown)
            undefined += broken
            advance(valid)
    sizes = np.concatenate(size_parts)
    return MinimalAdversarialsResult(
        model=feed.model.name,
        n=len(sizes),
        settings={
            "steps": steps,
            "epsilons": ladder,
            "seed": seed,
            "batch_size": batch_size,
            "first_n": n,
            **feed.settings,
        },
        versions=versions(),
        attack=attack,
        norm=norm,
        distances=tuple(sizes.tolist()),
        labels=tuple(feed.labels.tolist()),
        clean=float(np.concatenate(right_parts).mean()),
        success=float(np.isfinite(sizes).mean()),
        median=float(np.median(sizes)),
        undefined=undefined,
        images=join_batches(kept, None) if keep_images else None,
    )


def _climb(adapter, logits, images, labels, before, attack, norm, steps, ladder) -> np.ndarray:
    """The first adversarial on a ladder of sizes, shortened; where there is none, the last attempt."""
    x, y = adapter.inputs(images, labels)
    first, fooled = images, before != labels
    for epsilon in ladder:
        run = foolbox_attack(attack, steps=steps, epsilon=epsilon)
        new = keras.ops.convert_to_numpy(run(adapter, x, y, epsilons=epsilon)[1])
        new = confine(images, new, epsilon, norm, attack)
        first = np.where(fooled.reshape(-1, 1, 1, 1), first, new)
        fooled = fooled | (predict_classes(logits, new) != labels)
        if fooled.all():
            break
    return shorten(logits, images, first, labels)


def _search_boundary(
    adapter: Any,
    logits: Callable,
    images: np.ndarray,
    labels: np.ndarray,
    before: np.ndarray,
    steps: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """The Boundary attack on those images that have somewhere to start from."""
    starts, ready = _find_starts(logits, images, labels, before, generator)
    ready &= before == labels
    if not ready.any():
        return images
    starts = shorten(logits, images, starts, labels)
    # The attack refuses a batch with one bad start: another image stands in for such a one, and for one that
    # is wrong as it is, whose direction would be 0 / 0.
    rows = np.where(ready, np.arange(len(images)), np.flatnonzero(ready)[0])
    x, y = adapter.inputs(images[rows], labels[rows])
    from_start = adapter.inputs(starts[rows], labels[rows])[0]
    run = foolbox_attack("boundary", steps=steps)
    nearest = keras.ops.convert_to_numpy(run(adapter, x, y, epsilons=None, starting_points=from_start)[1])
    return np.where(ready.reshape(-1, 1, 1, 1), nearest, images)


def _find_starts(logits, images, labels, before, generator) -> tuple[np.ndarray, np.ndarray]:
    """For each image one that the model puts into another class: from the batch, else random."""
    ends, ready = images.copy(), np.zeros(len(images), bool)
    for row, label in enumerate(labels):
        others = np.flatnonzero(before != label)
        others = others[others != row]
        if len(others):
            nearest = np.argmin(np.square(images[others] - images[row]).sum(axis=(1, 2, 3)))
            ends[row], ready[row] = images[others[nearest]], True
    for _ in range(_DRAWS):
        if ready.all():
            break
        noise = generator.uniform(size=images.shape).astype("float32")
        new = ~ready & (predict_classes(logits, noise) != labels)
        ends, ready = np.where(new.reshape(-1, 1, 1, 1), noise, ends), ready | new
    return ends, ready
