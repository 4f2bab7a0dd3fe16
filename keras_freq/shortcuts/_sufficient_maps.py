"""For each image the smallest share of its frequencies under which a model keeps its answer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_freq._core.checks import check_choice, check_number, check_whole
from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import compile_function, to_tensor
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.input_gradient import input_gradient
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq._core.sweep import run_steps
from keras_freq.shortcuts._class_losses import compute_image_losses
from keras_freq.shortcuts._learned_map import check_fractions, check_temperatures
from keras_freq.shortcuts._mask_learning import Pairs, ScoreAdam, log_power
from keras_freq.shortcuts._masked_images import apply_masks, compute_spectra, halve_masks
from keras_freq.spectral._dft import full_spectrum, rfft2
from keras_freq.spectral._images import to_planes


@dataclass(frozen=True, kw_only=True)
class SufficientMapsResult(Result):
    """The frequencies that are enough for a model to keep its answer to each image.

    Attributes:
        fractions: Falling shares of the bins that were tried.
        answers: The model's class of each whole image, or the class that was asked for.
        kept: Whether the image under its learned mask gets that class, `(n, fractions)`.
        kept_by_power: The same under the strongest frequencies of the image itself, for comparison.
        masks: The learned mask of the smallest share that keeps the answer, uint8 `(n, height, width)`, DC at
            `(height // 2, width // 2)`; ones where no share does.

    Example:
        >>> found = kf.shortcuts.sufficient_maps(model, images[:2], fractions=(0.5, 0.2), steps=2)
        >>> found.share.shape, found.masks.shape
        ((2,), (2, 32, 32))
    """

    fractions: tuple[float, ...]
    answers: tuple[int, ...]
    kept: tuple[tuple[bool, ...], ...]
    kept_by_power: tuple[tuple[bool, ...], ...]
    masks: np.ndarray = field(repr=False)

    @property
    def share(self) -> np.ndarray:
        """The smallest share that keeps the answer, 1 where none does, `(n,)`."""
        return self._smallest(self.kept)

    @property
    def share_by_power(self) -> np.ndarray:
        """The same of the strongest frequencies, `(n,)`."""
        return self._smallest(self.kept_by_power)

    def rows(self) -> list[dict[str, Any]]:
        """One row per image."""
        pairs = zip(self.answers, self.share.tolist(), self.share_by_power.tolist(), strict=True)
        return [
            {"image": index, "class": answer, "share": share, "share_by_power": by_power, "model": self.model}
            for index, (answer, share, by_power) in enumerate(pairs)
        ]

    def _smallest(self, kept: tuple[tuple[bool, ...], ...]) -> np.ndarray:
        return np.where(np.array(kept), np.array(self.fractions), 1.0).min(axis=1)

    def _headline(self) -> dict[str, Any]:
        return {
            "median share": float(np.median(self.share)),
            "by power": float(np.median(self.share_by_power)),
            "kept by share": dict(zip(self.fractions, np.mean(self.kept, axis=0), strict=True)),
        }


def sufficient_maps(
    model: keras.Model | Classifier,
    images: Any,
    *,
    answers: Sequence[int] | None = None,
    fractions: Sequence[float] = (0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01),
    steps: int = 20,
    learning_rate: float = 0.1,
    temperatures: tuple[float, float] = (0.15, 0.02),
    dc: str = "keep",
    batch_size: int = 32,
    mean: float | Sequence[float] | None = None,
    data_format: str | None = None,
    progress: bool | None = None,
) -> SufficientMapsResult:
    """For each image the smallest share of its frequencies under which the model keeps its answer.

    `max over masks m of p_c(m x)` with `c` the model's class of the whole image `x`, for falling shares of
    the bins, each from the scores of the one before: `keras_freq.shortcuts.learned_path` for one image at a
    time, which needs no draws. It begins with the image's own power.

    Few frequencies that are enough are not what the model uses on the whole image: they are found by the
    model's gradient, as adversarial images are, and another set may be enough, too. Look at what is left of
    the image, and compare with the strongest frequencies, `share_by_power`.

    Args:
        model: Keras classifier that returns logits. It runs in inference mode.
        images: `(n, height, width, channels)`, or anything that gives images, whose labels are not looked at.
        answers: Class of each image to ask for in the place of the model's.
        fractions: Falling shares of the bins in (0, 1].
        steps: Steps for each share.
        learning_rate: As in `keras_freq.shortcuts.learned_map`.
        temperatures: As there.
        dc: Whether DC is in every mask (`"keep"`), where it counts, or in none (`"drop"`).
        batch_size: Images that are learned at once; they do not touch each other.
        mean: What a removed DC leaves behind, as there.
        data_format: `"channels_last"` or `"channels_first"`; default that of the model.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        A `SufficientMapsResult`: `.share`, `.share_by_power`, `.kept`, `.masks`.

    Raises:
        ValueError: If an option is out of range, images are empty or not finite, answers are not among the
            model's classes or not as many as the images, or the model returns probabilities.
        TypeError: If `model` is not a Keras model.

    Source: none published; see `keras_freq.shortcuts.learned_map`.

    Example:
        >>> found = kf.shortcuts.sufficient_maps(model, images[:2], fractions=(0.5, 0.2), steps=2)
        >>> parts = [kf.spectral.apply_mask(x[None], m) for x, m in zip(images, found.masks)]
        >>> len(parts), parts[0].shape
        (2, (1, 32, 32, 3))
    """
    shares = check_fractions(fractions)
    steps, batch_size = check_whole(steps, "steps"), check_whole(batch_size, "batch_size")
    learning_rate = check_number(learning_rate, "learning_rate", above=0)
    warm, cold = check_temperatures(temperatures)
    check_choice(dc, "dc", ("keep", "drop"))
    feed = ModelFeed(
        model,
        images,
        batch_size=batch_size,
        data_format=data_format,
        needs_gradients=True,
        needs_logits=True,
        needs_labels=False,
    )
    fill = feed.model.fill_of_dc(mean, feed.channels)
    pixels = feed.arrays()[0]
    wanted = None if answers is None else _check_answers(answers, len(pixels), feed.classes)
    pairs = [Pairs(feed.size, share, dc) for share in shares]
    learn, see = _compile(feed, fill)

    def find(start: int) -> tuple:
        """Answers, whether they are kept, and by the strongest frequencies, and the masks of a batch."""
        own = pixels[start : start + batch_size]
        batch = np.concatenate([own, np.repeat(own[-1:], batch_size - len(own), axis=0)])
        whole = np.ones((batch_size, *feed.size), "float32")
        labels = see(batch, whole).argmax(axis=1)
        if wanted is not None:
            labels[: len(own)] = wanted[start : start + len(own)]
        labels = labels.astype("int32")
        scores = np.stack([pairs[0].standardize(log_power(x[None], fill, feed.data_format)) for x in batch])
        by_power, adams = scores.copy(), [ScoreAdam(len(pairs[0])) for _ in batch]
        smallest, kept, strongest = whole.astype("uint8"), [], []
        for of_share in pairs:
            for step in range(steps):
                temperature = warm * (cold / warm) ** (step / max(1, steps - 1))
                rate = learning_rate * min(1, 2 * (1 - step / steps))
                gains = np.stack([of_share.soften(one, temperature) for one in scores])
                slopes = learn(batch, labels, np.stack([of_share.draw(one) for one in gains]))
                for one, slope, gain, adam in zip(scores, slopes, gains, adams, strict=True):
                    one -= adam.step(of_share.descend(of_share.gather(slope), gain), rate)
                advance(len(own))
            hard = np.stack([of_share.keep(of_share.choose(one)) for one in scores])
            power = np.stack([of_share.keep(of_share.choose(one)) for one in by_power])
            kept.append(_is_largest(see(batch, hard), labels))
            strongest.append(_is_largest(see(batch, power), labels))
            smallest[kept[-1]] = hard[kept[-1]]
        found = labels, np.stack(kept, axis=1), np.stack(strongest, axis=1), smallest
        return tuple(part[: len(own)] for part in found)

    places = range(0, len(pixels), batch_size)
    with progress_bar(progress, "sufficient maps", total=len(pixels) * len(shares) * steps) as advance:
        parts = [part for _, part in run_steps(((None, partial(find, at)) for at in places), ahead=1)]
    labels, kept, strongest, masks = map(np.concatenate, zip(*parts, strict=True))
    return SufficientMapsResult(
        model=feed.model.name,
        n=len(pixels),
        settings={
            "steps": steps,
            "learning_rate": learning_rate,
            "temperatures": (warm, cold),
            "dc": dc,
            "mean": tuple(fill.tolist()),
            **feed.settings,
        },
        versions=versions(),
        fractions=shares,
        answers=tuple(labels.tolist()),
        kept=tuple(map(tuple, kept.tolist())),
        kept_by_power=tuple(map(tuple, strongest.tolist())),
        masks=masks,
    )


def _check_answers(values: Any, count: int, classes: int) -> np.ndarray:
    found = np.asarray(values)
    whole = found.shape == (count,) and np.issubdtype(found.dtype, np.integer)
    if not whole or (count and not 0 <= found.min() <= found.max() < classes):
        raise ValueError(
            f"`answers` must hold a class in [0, {classes - 1}] for each of the {count} images. "
            f"Received: answers of shape {found.shape} and type {found.dtype}"
            + (f", from {found.min()} to {found.max()}" if found.size else "")
        )
    return found


def _is_largest(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether the class has the largest logit alone: a tie is no answer."""
    own = np.take_along_axis(logits, labels[:, None], axis=1)
    return (logits < own).sum(axis=1) == logits.shape[1] - 1


def _compile(feed: ModelFeed, mean: np.ndarray) -> tuple[Callable, Callable]:
    """The gradient of each image's lost probability by its mask, and the logits of masked images."""
    shape = (feed.channels, *feed.size)
    learn, see = _build(shape, feed.data_format)
    what = (shape, feed.data_format)
    slope = compile_function(feed.model, ("own mask gradient", *what), learn)
    logits = compile_function(feed.model, ("own masks", *what), see)
    center = to_tensor(mean.astype("float32"))

    def halve(masks: np.ndarray) -> Any:
        return to_tensor(halve_masks(masks)[:, 0])

    def measure(images: np.ndarray, labels: np.ndarray, masks: np.ndarray) -> np.ndarray:
        found = ops.convert_to_numpy(slope(images, labels, halve(masks), center)).astype("float64")
        return full_spectrum(found, np.zeros_like(found), feed.size[1])[0] / np.prod(feed.size)

    return measure, lambda images, masks: ops.convert_to_numpy(logits(images, halve(masks), center))


@functools.lru_cache(maxsize=8)
def _build(shape: tuple[int, int, int], data_format: str) -> tuple[Callable, Callable]:
    options: dict[str, Any] = {"shape": shape, "data_format": data_format}

    def learn(forward, images, labels, halves, mean):
        def loss(x):
            return ops.sum(1 - ops.exp(-compute_image_losses(forward(x), labels, "cross_entropy")))

        re, im = compute_spectra(images, mean, data_format)
        masked = apply_masks((re, im), halves, mean, **options)
        g_re, g_im = rfft2(to_planes(input_gradient(loss, masked), data_format)[0])
        return ops.sum(re * g_re + im * g_im, axis=1)

    def see(forward, images, halves, mean):
        return forward(apply_masks(compute_spectra(images, mean, data_format), halves, mean, **options))

    return learn, see
