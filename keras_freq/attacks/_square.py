"""The Square Attack: random search over squares, without gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_freq._core.checks import (
    check_linf_epsilon,
    check_whole,
)
from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import compile_logits
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.sweep import run_steps
from keras_freq._core.value_range import UNIT
from keras_freq.attacks._norm_balls import pixel_limits

# Share of an image's pixels that a square covers at first, and the queries, of 10,000, at which it is halved.
FIRST_SHARE = 0.8
_HALVED_AT = (10, 50, 200, 1000, 2000, 4000, 6000, 8000)


def square(
    model: keras.Model | Classifier,
    images: Any,
    labels: Any = None,
    *,
    epsilon: float,
    queries: int = 500,
    seed: int = 0,
    bounds: Sequence[float] | None = None,
    batch_size: int = 128,
    data_format: str | None = None,
) -> np.ndarray:
    """Untargeted random search in the L-infinity ball, which sees logits only.

    It lowers the margin `z_y - max_{j != y} z_j`. The search starts from vertical stripes of `+-epsilon`, one
    pixel wide. Each query sets a square at a random place to `+epsilon` or `-epsilon`, one sign for each
    channel, and keeps the change if the margin falls. The square's side is `sqrt(p * height * width)`; the
    share `p` starts at 0.8 and is halved after 0.1, 0.5, 2, 10, 20, 40, 60 and 80 % of the queries. An image
    is left alone as soon as it fools the model.

    Args:
        model: Keras classifier that returns logits `(batch, classes)`. It runs in inference
            mode.
        images: `(batch, height, width, channels)`, or channels first; floats in the range that the
            model takes, or bytes.
        labels: True classes: indices `(batch,)` or one-hot rows `(batch, classes)`. `None`: `images` is data,
            `(images, labels)` or another form that `keras_freq.evaluate.accuracy` takes.
        epsilon: Largest change of a pixel, at least 0.
        queries: Forward passes for each image. The paper makes 10,000.
        seed: Seed of the search. Every image has a stream of its own, so nothing depends on `batch_size`.
        bounds: Lowest and highest pixel value that the model takes; default what its `Classifier` says.
            Epsilons are for pixels on [0, 1] all the same.
        batch_size: Images per compiled forward pass.
        data_format: `"channels_last"` or `"channels_first"`; default that of the model.

    Returns:
        float32 array of the images' shape: the image with the lowest margin found. Every image lies within
        the bounds and the ball exactly, rounding included.

    Raises:
        ValueError: If an argument is out of range, images leave the bounds or are not finite, labels are not
            among the model's outputs, or the model ends in softmax or sigmoid.

    Source: Andriushchenko, Croce, Flammarion, Hein, Square Attack: a Query-Efficient Black-Box Adversarial
        Attack via Random Search, ECCV 2020, algorithms 1 and 2 and section 5.
        Differs from the original: the squares of images that are not square stay within the shorter side.

    Example:
        >>> adversarial = kf.attacks.square(model, images, labels, epsilon=8 / 255, queries=200)
        >>> bool(np.abs(adversarial - images).max() <= np.float32(8 / 255))
        True
    """
    epsilon, seed = check_linf_epsilon(epsilon), check_whole(seed, "seed", least=0)
    queries, batch_size = check_whole(queries, "queries"), check_whole(batch_size, "batch_size")
    feed = ModelFeed(
        model,
        images if labels is None else (images, labels),
        batch_size=batch_size,
        value_range=bounds,
        data_format=data_format,
        needs_logits=True,
    )
    (images, labels), logits = feed.arrays(), compile_logits(feed.model)
    result = np.empty_like(images)

    def search(begin: int) -> np.ndarray:
        # One shape for all: the last batch is filled up with copies of its last image.
        rows = np.minimum(np.arange(begin, begin + min(batch_size, len(images))), len(images) - 1)
        return search_squares(
            logits, images[rows], labels[rows], rows, epsilon, queries, seed, feed.data_format
        )

    places = range(0, len(images), batch_size)
    for begin, found in run_steps(((begin, partial(search, begin)) for begin in places), ahead=1):
        result[begin : begin + batch_size] = found[: len(images) - begin]
    return feed.model.from_pixels(result)


def search_squares(
    logits: Callable,
    images: np.ndarray,
    labels: np.ndarray,
    streams: Iterable[int],
    epsilon: float,
    queries: int,
    seed: int,
    data_format: str,
) -> np.ndarray:
    """The search on one batch of checked images; image `k` draws from `default_rng([seed, streams[k]])`."""
    last = data_format == "channels_last"
    height, width = images.shape[1:3] if last else images.shape[2:]
    channels = images.shape[-1 if last else 1]
    low, high = pixel_limits(images, epsilon, UNIT)
    stripes, corners, signs = _draw_searches(seed, streams, queries, width, channels)

    def paint(positive: np.ndarray) -> np.ndarray:
        """The ends of the ball that signs `(batch, height or 1, width or 1, channels)` choose."""
        return np.where(positive if last else np.moveaxis(positive, -1, 1), high, low)

    best = paint(stripes[:, None])
    margin, fooled = _find_margins(logits, best, labels)
    row, column = np.arange(height), np.arange(width)
    for query in range(1, queries):
        if fooled.all():
            break
        side = side_length(query, queries, height, width)
        top = (corners[:, query, 0] * (height - side + 1)).astype(int)[:, None]
        left = (corners[:, query, 1] * (width - side + 1)).astype(int)[:, None]
        inside = ((row >= top) & (row < top + side))[:, :, None] & (
            (column >= left) & (column < left + side)
        )[:, None]
        inside = inside[..., None] if last else inside[:, None]
        trial = np.where(inside, paint(signs[:, query, None, None]), best)
        new, wrong = _find_margins(logits, trial, labels)
        better = ~fooled & ((new < margin) | wrong)
        best = np.where(better[:, None, None, None], trial, best)
        margin = np.where(better, new, margin)
        fooled = fooled | (better & wrong)
    return best


def side_length(query: int, queries: int, height: int, width: int) -> int:
    """Side of the square of a query, in pixels: the paper's schedule, stretched to the number of queries."""
    halvings = np.searchsorted(_HALVED_AT, 10_000 * query / queries)
    side = round(float(np.sqrt(FIRST_SHARE / 2.0**halvings * height * width)))
    return int(np.clip(side, 1, min(height, width)))


def _draw_searches(
    seed: int, streams: Iterable[int], queries: int, width: int, channels: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signs of the stripes `(batch, width, channels)`; corners `(batch, queries, 2)` in [0, 1); signs."""
    parts = []
    for stream in streams:
        generator = np.random.default_rng([seed, int(stream)])
        stripes = generator.random((width, channels)) < 0.5
        parts.append((stripes, generator.random((queries, 2)), generator.random((queries, channels)) < 0.5))
    stripes, corners, signs = (np.stack(part) for part in zip(*parts, strict=True))
    return stripes, corners, signs


def _find_margins(logits: Callable, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`z_y - max_{j != y} z_j`, and whether the model is fooled; an output that is not finite fools it."""
    outputs = ops.convert_to_numpy(logits(images))
    rows = np.arange(len(labels))
    others = outputs.copy()
    others[rows, labels] = -np.inf
    broken = ~np.isfinite(outputs).all(axis=-1)
    margin = np.where(broken, -np.inf, outputs[rows, labels] - others.max(axis=-1))
    return margin, broken | (outputs.argmax(axis=-1) != labels)
