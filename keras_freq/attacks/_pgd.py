"""Projected gradient descent: our own loop over one compiled step."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_freq._core.checks import check_choice, check_flag, check_linf_epsilon, check_number, check_whole
from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import compile_logits, compile_loss_gradient, to_tensor
from keras_freq._core.devices import round_up
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.sweep import run_steps
from keras_freq._core.value_range import UNIT
from keras_freq.attacks._norm_balls import (
    default_step_size,
    draw_in_ball,
    pixel_limits,
    snap,
    step_l2,
    step_linf,
)


def pgd(
    model: keras.Model | Classifier,
    images: Any,
    labels: Any = None,
    *,
    epsilon: float,
    norm: Literal["linf", "l2"] = "linf",
    steps: int = 20,
    step_size: float | None = None,
    random_start: bool = False,
    restarts: int = 1,
    seed: int = 0,
    bounds: Sequence[float] | None = None,
    batch_size: int = 128,
) -> np.ndarray:
    """Untargeted projected gradient descent on the cross-entropy with the true labels.

    `x <- P(x + a * sign(g))` for `norm="linf"`, `x <- P(x + a * g / |g|_2)` for `norm="l2"`, where `g` is the
    gradient of the cross-entropy, `a` the step size, and `P` projects onto the epsilon ball around the image
    and the bounds.

    Args:
        model: Keras classifier that returns logits `(batch, classes)`. It runs in inference
            mode.
        images: `(batch, height, width, channels)`, or any layout that the model takes; floats in the
            range that it takes, or bytes.
        labels: True classes: indices `(batch,)` or one-hot rows `(batch, classes)`. `None`: `images` is data,
            `(images, labels)` or another form that `keras_freq.evaluate.accuracy` takes.
        epsilon: Radius of the ball, in pixel units, at least 0. For `"l2"` the length of a whole image's
            perturbation.
        norm: `"linf"` or `"l2"`.
        steps: Number of steps.
        step_size: Size of one step, absolute, in the units of `epsilon`. Default `2.5 * epsilon / steps`.
        random_start: Start at a uniform draw from the ball instead of at the image.
        restarts: Number of random starts. Kept is the first result that fools the model, else the last one.
        seed: Seed of the random starts. The draws do not depend on `batch_size`.
        bounds: Lowest and highest pixel value that the model takes; default what its `Classifier` says.
            Epsilons are for pixels on [0, 1] all the same.
        batch_size: Images per compiled step.

    Returns:
        float32 array of the images' shape, in the range that the model takes: the last iterate. On [0, 1]
        every image lies within the bounds and the ball exactly, rounding included.

    Raises:
        ValueError: If an argument is out of range, images leave the bounds or are not finite, labels are not
            among the model's outputs, or the model ends in softmax or sigmoid.

    Source: Madry, Makelov, Schmidt, Tsipras, Vladu, Towards Deep Learning Models Resistant to Adversarial
        Attacks, ICLR 2018, section 2.1.
        Differs from the original: no random start unless asked for.

    Example:
        >>> adversarial = kf.attacks.pgd(model, images, labels, epsilon=8 / 255, steps=10)
        >>> bool(np.abs(adversarial - images).max() <= np.float32(8 / 255))
        True
    """
    check_flag(random_start, "random_start")
    check_choice(norm, "norm", ("linf", "l2"))
    epsilon = check_linf_epsilon(epsilon) if norm == "linf" else check_number(epsilon, "epsilon", least=0)
    steps, batch_size = check_whole(steps, "steps"), check_whole(batch_size, "batch_size")
    restarts, seed = check_whole(restarts, "restarts"), check_whole(seed, "seed", least=0)
    if step_size is None:
        step_size = default_step_size(epsilon, steps)
    step_size = check_number(step_size, "step_size", **{"above" if epsilon > 0 else "least": 0})
    if restarts > 1 and not random_start:
        raise ValueError(f"`restarts` above 1 needs random_start=True. Received: restarts={restarts}")
    data = images if labels is None else (images, labels)
    feed = ModelFeed(model, data, batch_size=batch_size, value_range=bounds, needs_gradients=True)
    images, labels = feed.arrays()

    attack = _linf_loop if norm == "linf" else _l2_loop
    step = compile_loss_gradient(feed.model, step_linf if norm == "linf" else step_l2)
    logits = compile_logits(feed.model)
    generators = [np.random.default_rng([seed, restart]) for restart in range(restarts)]
    result = np.empty_like(images)
    batch_size = round_up(batch_size)

    def search(x: np.ndarray, y: np.ndarray, valid: int, starts: list[np.ndarray]) -> np.ndarray:
        found, done = x, np.zeros(len(x), bool)
        for start in starts:
            if done[:valid].all():
                break
            new = attack(step, x, start, y, epsilon, step_size, steps)
            found = np.where(done.reshape(-1, 1, 1, 1), found, new)
            if restarts > 1:
                done |= ops.convert_to_numpy(logits(found)).argmax(-1) != y
        return found[:valid]

    def queue() -> Iterator[tuple[int, Callable]]:
        for begin in range(0, len(images), batch_size):
            real = images[begin : begin + batch_size]
            valid = len(real)
            # One shape for all: the last batch is filled up with copies of its last image.
            filling = (batch_size if len(images) > batch_size else round_up(valid)) - valid
            x = np.concatenate([real, np.repeat(real[-1:], filling, axis=0)])
            y = np.concatenate([labels[begin : begin + valid], np.repeat(labels[begin + valid - 1], filling)])
            starts = [x for _ in generators]
            if random_start:  # drawn for every batch, so that each gets the same draws whatever is done
                for index, generator in enumerate(generators):
                    starts[index] = start = x.copy()
                    start[:valid] += _draw(generator, real.shape, epsilon, norm)
                starts = [snap(x, start, epsilon, UNIT, norm) for start in starts]
            yield begin, functools.partial(search, x, y, valid, starts)

    for begin, found in run_steps(queue(), ahead=1):
        result[begin : begin + len(found)] = found
    return feed.model.from_pixels(result)


def _linf_loop(step, images, start, labels, epsilon, step_size, steps):
    ball = [to_tensor(limit) for limit in pixel_limits(images, epsilon, UNIT)]
    return _loop(step, start, labels, step_size, steps, ball)


def _l2_loop(step, images, start, labels, epsilon, step_size, steps):
    ball = [to_tensor(images), *(to_tensor(np.float32(number)) for number in (epsilon, *UNIT))]
    return snap(images, _loop(step, start, labels, step_size, steps, ball), epsilon, UNIT, "l2")


def _loop(step, start, labels, step_size, steps, ball) -> np.ndarray:
    x, labels, step_size = to_tensor(start), to_tensor(labels), to_tensor(np.float32(step_size))
    # The loop stays in Python: XLA runs convolutions inside a loop of its own on one thread of the CPU.
    for _ in range(steps):
        x = step(x, labels, step_size, *ball)
    return ops.convert_to_numpy(x)


def _draw(generator: np.random.Generator, shape: tuple, epsilon: float, norm: str) -> np.ndarray:
    """Uniform draws from the ball, image by image, so that the batch size does not change them."""
    uniform = functools.partial(generator.random, dtype="float32")
    return draw_in_ball(np, uniform, generator.standard_normal, shape, epsilon, norm).astype("float32")
