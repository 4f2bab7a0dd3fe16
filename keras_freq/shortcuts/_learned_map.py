"""The frequencies that are enough for a class, learned by gradient descent."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import keras
import numpy as np

from keras_freq._core.checks import check_choice, check_number, check_numbers, check_whole
from keras_freq._core.classifier import Classifier
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.identity import identify
from keras_freq._core.journal import SweepJournal
from keras_freq._core.progress import progress_bar
from keras_freq._core.sweep import run_steps
from keras_freq.shortcuts._frequency_maps import FrequencyMaps, digest_images
from keras_freq.shortcuts._mask_learning import (
    Pairs,
    ScoreAdam,
    compile_mask_gradient,
    draw_forever,
    log_power,
    smooth,
)

OBJECTIVES = ("probability", "cross_entropy")
STARTS = ("power", "noise")
# All of them are in memory at once.
_MOST_IMAGES = 65_536


def learned_map(
    model: keras.Model | Classifier,
    images: Any,
    labels: Any = None,
    *,
    fraction: float = 0.05,
    scope: Literal["class", "network"] = "class",
    objective: Literal["probability", "cross_entropy"] = "probability",
    specificity: float = 1.0,
    steps: int = 120,
    images_per_step: int = 64,
    learning_rate: float = 0.1,
    smoothing: float = 0.0,
    temperatures: tuple[float, float] = (0.15, 0.02),
    start: Literal["power", "noise"] = "power",
    dc: Literal["keep", "drop"] = "keep",
    seed: int = 0,
    mean: float | Sequence[float] | None = None,
    data_format: str | None = None,
    checkpoint: str | os.PathLike | None = None,
    progress: bool | None = None,
) -> FrequencyMaps:
    """For each class the share of the frequencies under which the model still sees it, found by learning.

    `max over masks m_c of E[p_c(m_c x) | x of c] - specificity * E[p_c(m_c x) | x not of c]`, with `p_c` the
    model's probability of the class: with `specificity=1`, the smooth counterpart of the true positive rate
    less the false positive rate. While it is learned, the mask has the gain `sigmoid((score - t) / T)` at
    each conjugate pair, with `t` such that the gains add up to the share at every step; `T` falls
    geometrically. At the end it is 1 at the pairs of the highest scores and 0 elsewhere. Scores are learned
    by Adam with one step size for all scores of a class, which falls to 0 over the second half of the steps;
    the model stays as it is.

    With `scope="network"` there is one mask for all classes, which maximizes `E[p_y(m x)]`, `y` the label of
    `x`: the frequencies that are enough for the network.

    The ranking of `keras_freq.shortcuts.frequency_importance` finds frequencies that a class cannot do
    without, one at a time; this looks for a set that is enough. Test it on other images, with
    `keras_freq.shortcuts.shortcut_report`, beside a disk and the power of the class at the same share: a set
    that learning finds can also be one that makes the model say the class to anything, which the false
    positive rate shows.

    Args:
        model: Keras classifier that returns logits. It runs in inference mode.
        images: `(n, height, width, channels)`, or without `labels` data that can be read again: arrays
            `(images, labels)`, a `tf.data.Dataset`, a `keras.utils.PyDataset`. They are held in memory.
        labels: Class indices or one-hot rows.
        fraction: Share of the bins that a mask keeps, at most, in (0, 1]. Pairs are kept whole.
        scope: `"class"`, a mask for each class, or `"network"`, one for all of them.
        objective: `"probability"`, as above; `"cross_entropy"`, `-log p_c` is minimized in the place of
            `-p_c`, which gives weight to images that are far from the class under the mask.
        specificity: Weight of the other classes' images, at least 0. With 0 only the own class counts; the
            more, the fewer others are taken for the class. Of no account to the mask of a network.
        steps: Steps for each mask.
        images_per_step: Images of the class in a step, 1 to 65536, and as many of the others where they
            count.
        learning_rate: Root mean square of a step in the scores.
        smoothing: Deviation, in bins, of the Gaussian by which the slopes of neighboring frequencies, and the
            logarithms of their power at the start, are averaged; 0: each pair alone. Where there are more
            pairs than the images can tell apart, masks of each pair alone fit the images at hand and no
            others. At 112 pixels 2, with a `learning_rate` of .03, did better on other images than 0 and .1.
        temperatures: `T` at the first and at the last step, above 0.
        start: Scores at the beginning: `"power"`, half the logarithm of the mean power of the class's images,
            standardized; `"noise"`, Gaussian of deviation .01.
        dc: Whether DC, which is not learned, is in every mask, where it counts, or in none.
        seed: Of the images of each step and of the noise.
        mean: What a removed DC leaves behind, on [0, 1], one number or one for each channel: it is
            subtracted before every mask and added after it. `None`: the mean of the model's first
            `Normalization`, else 0.
        data_format: `"channels_last"` or `"channels_first"`; default that of the model.
        checkpoint: Path of a file that keeps the mask of each class that is done. A later call with the same
            settings, weights and images goes on with the others; a file of another run is refused.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        `FrequencyMaps` with `method="learned"`. The mask of a class without images is 0 everywhere; with
        `scope="network"` all classes have the one mask.

    Raises:
        ValueError: If an option is out of range, the images are empty or not finite, labels do not fit the
            model, all are of one class where others count, or the model returns probabilities.
        TypeError: If `model` is not a Keras model.

    Source: none published; after the masks for networks and classes of Karantzas et al., 2022, which stay
        soft and are of no exact share.

    Example:
        >>> maps = kf.shortcuts.learned_map(model, images[:4], labels[:4], steps=3, images_per_step=4)
        >>> maps.masks.shape, float(maps.share.max()) <= 0.05
        ((4, 32, 32), True)
    """
    fraction = check_number(fraction, "fraction", above=0, most=1)
    return learned_path(
        model,
        images,
        labels,
        fractions=(fraction,),
        scope=scope,
        objective=objective,
        specificity=specificity,
        steps=steps,
        images_per_step=images_per_step,
        learning_rate=learning_rate,
        smoothing=smoothing,
        temperatures=temperatures,
        start=start,
        dc=dc,
        seed=seed,
        mean=mean,
        data_format=data_format,
        checkpoint=checkpoint,
        progress=progress,
    )[fraction]


def learned_path(
    model: keras.Model | Classifier,
    images: Any,
    labels: Any = None,
    *,
    fractions: Sequence[float] = (0.5, 0.3, 0.2, 0.15, 0.1, 0.05, 0.02),
    scope: Literal["class", "network"] = "class",
    objective: Literal["probability", "cross_entropy"] = "probability",
    specificity: float = 1.0,
    steps: int = 40,
    images_per_step: int = 64,
    learning_rate: float = 0.1,
    smoothing: float = 0.0,
    temperatures: tuple[float, float] = (0.15, 0.02),
    start: Literal["power", "noise"] = "power",
    dc: Literal["keep", "drop"] = "keep",
    seed: int = 0,
    mean: float | Sequence[float] | None = None,
    data_format: str | None = None,
    checkpoint: str | os.PathLike | None = None,
    progress: bool | None = None,
) -> dict[float, FrequencyMaps]:
    """Learned maps of several shares in one run, from the largest to the smallest.

    As `keras_freq.shortcuts.learned_map`, with the scores of a share as the start of the next smaller one:
    the path by which the rates of a class fall with the share, at the cost of one map of as many steps.

    Args:
        model: As in `keras_freq.shortcuts.learned_map`.
        images: As there.
        labels: As there.
        fractions: Falling shares of the bins in (0, 1].
        scope: As there.
        objective: As there.
        specificity: As there.
        steps: Steps for each mask and share.
        images_per_step: As there.
        learning_rate: As there; it begins anew with each share, as the temperature does.
        smoothing: As there.
        temperatures: As there.
        start: As there, for the largest share.
        dc: As there.
        seed: As there.
        mean: As there.
        data_format: As there.
        checkpoint: Path of a file that keeps the masks of each class that is done, as there.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        `{fraction: FrequencyMaps}`, in the order of `fractions`.

    Raises:
        ValueError: As there, or if the shares do not fall.
        TypeError: If `model` is not a Keras model.

    Source: none published, see `keras_freq.shortcuts.learned_map`.

    Example:
        >>> shares = (0.2, 0.05)
        >>> path = kf.shortcuts.learned_path(
        ...     model, images[:4], labels[:4], fractions=shares, steps=2, images_per_step=4
        ... )
        >>> {share: maps.masks.shape for share, maps in path.items()}
        {0.2: (4, 32, 32), 0.05: (4, 32, 32)}
    """
    shares = check_fractions(fractions)
    check_choice(scope, "scope", ("class", "network"))
    check_choice(objective, "objective", OBJECTIVES)
    specificity = check_number(specificity, "specificity", least=0)
    of_network = scope == "network"
    specificity = 0.0 if of_network else specificity
    steps = check_whole(steps, "steps")
    size = check_whole(images_per_step, "images_per_step", most=_MOST_IMAGES)
    learning_rate = check_number(learning_rate, "learning_rate", above=0)
    smoothing = check_number(smoothing, "smoothing", least=0)
    warm, cold = check_temperatures(temperatures)
    check_choice(start, "start", STARTS)
    check_choice(dc, "dc", ("keep", "drop"))
    seed = check_whole(seed, "seed", least=0)
    feed = ModelFeed(
        model,
        images if labels is None else (images, labels),
        data_format=data_format,
        needs_gradients=True,
        needs_logits=True,
        hashed=checkpoint is not None,
    )
    found_on, fill = digest_images(feed), feed.model.fill_of_dc(mean, feed.channels)
    pixels, classes = feed.arrays()
    counts = np.bincount(classes, minlength=feed.classes)
    if specificity and counts.max() == len(classes):
        raise ValueError(
            "`specificity` above 0 needs images of two classes at least. "
            f"Received: specificity={specificity:g}, {len(classes)} images of class {classes[0]}"
        )
    run: dict[str, Any] = {}
    if checkpoint is not None:
        run = {
            "fractions": shares,
            "scope": scope,
            "objective": objective,
            "specificity": specificity,
            "steps": steps,
        }
        run |= {
            "size": size,
            "learning_rate": learning_rate,
            "temperatures": (warm, cold),
            "start": start,
            "dc": dc,
            "seed": seed,
        }
        run |= {"smoothing": smoothing} if smoothing else {}  # journals of before have none
        run |= {"mean": tuple(fill.tolist()), "backend": keras.backend.backend(), **feed.settings}
        run |= {**identify(feed.model), "images": feed.digest()}
    journal = SweepJournal(checkpoint, run, what="learned_path")
    measure = compile_mask_gradient(feed, fill, objective)
    pairs = [Pairs(feed.size, share, dc) for share in shares]
    known = [label for label in range(feed.classes) if counts[label]]
    units = [feed.classes] if of_network else known  # that of the network stands behind the classes
    todo = [unit for unit in units if str(unit) not in journal.rows]
    per_unit = len(shares) * steps * size * (2 if specificity else 1)

    def learn(unit: int) -> list[list[int]]:
        """The pairs that are chosen for a class, or for the network, for each share."""
        generator = np.random.default_rng([seed, unit])
        mine = np.ones(len(classes), bool) if of_network else classes == unit
        own, others = np.flatnonzero(mine), np.flatnonzero(~mine)
        if start == "power":
            levels = log_power(pixels[own], fill, feed.data_format)
            scores = pairs[0].standardize(smooth(levels, smoothing))
        else:
            scores = 0.01 * generator.standard_normal(len(pairs[0]))
        parts = [(own, 1.0 / size)] + ([(others, -specificity / size)] if specificity else [])
        draws = [draw_forever(len(part), size, generator) for part, _ in parts]
        weights = np.repeat(np.array([weight for _, weight in parts], "float32"), size)
        adam, chosen = ScoreAdam(len(pairs[0])), []
        for of_share in pairs:
            for step in range(steps):
                # Places, not copies of all other classes' images.
                places = [part[next(draw)] for (part, _), draw in zip(parts, draws, strict=True)]
                batch, asked = pixels[np.concatenate(places)], classes[np.concatenate(places)]
                asked = asked if of_network else np.full_like(asked, unit)
                gains = of_share.soften(scores, warm * (cold / warm) ** (step / max(1, steps - 1)))
                slopes = measure(batch, asked, weights, of_share.draw(gains))
                slope = of_share.gather(smooth(slopes, smoothing))
                rate = learning_rate * min(1, 2 * (1 - step / steps))
                scores = scores - adam.step(of_share.descend(slope, gains), rate)
                advance(len(batch))
            chosen.append(of_share.choose(scores).tolist())
        return chosen

    total, done = len(units) * per_unit, (len(units) - len(todo)) * per_unit
    with progress_bar(progress, "learned maps", total=total, done=done) as advance:
        for unit, chosen in run_steps(((unit, partial(learn, unit)) for unit in todo), ahead=1):
            journal.add({str(unit): chosen})
    masks = np.zeros((len(shares), feed.classes, *feed.size), "float32")
    for label in known:
        found = journal.rows[str(units[0] if of_network else label)]
        for row, of_share, kept in zip(masks, pairs, found, strict=True):
            row[label] = of_share.keep(np.array(kept, int))
    return {share: FrequencyMaps(row, "learned", found_on) for share, row in zip(shares, masks, strict=True)}


def check_fractions(values: Any) -> tuple[float, ...]:
    """Falling shares in (0, 1]."""
    shares = check_numbers(values, "fractions", above=0, most=1)
    if any(one <= other for one, other in itertools.pairwise(shares)):
        raise ValueError(f"`fractions` must fall. Received: fractions={values}")
    return shares


def check_temperatures(values: Any) -> tuple[float, float]:
    """Two numbers above 0."""
    found = check_numbers(values, "temperatures", above=0)
    if len(found) != 2:
        raise ValueError(
            "`temperatures` must be two numbers, of the first and of the last step. "
            f"Received: temperatures={values}"
        )
    return found[0], found[1]
