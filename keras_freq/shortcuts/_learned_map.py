"""The frequencies that are enough for a class, learned by gradient descent."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_freq._core.checks import check_choice, check_number, check_whole
from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import compile_function, to_tensor
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.input_gradient import input_gradient
from keras_freq._core.journal import SweepJournal, weights_digest
from keras_freq._core.progress import progress_bar
from keras_freq.shortcuts._class_losses import compute_image_losses
from keras_freq.shortcuts._frequency_maps import FrequencyMaps, digest_images
from keras_freq.shortcuts._masked_images import apply_masks, compute_spectra, halve_masks
from keras_freq.spectral._dft import full_spectrum, rfft2
from keras_freq.spectral._grid import mirror, one_of_each_pair, own_mirror
from keras_freq.spectral._images import to_planes

STARTS = ("power", "noise")
# Of Adam.
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-7


def learned_map(
    model: keras.Model | Classifier,
    images: Any,
    labels: Any = None,
    *,
    fraction: float = 0.05,
    specificity: float = 1.0,
    steps: int = 200,
    images_per_step: int = 200,
    learning_rate: float = 0.1,
    start: Literal["power", "noise"] = "power",
    dc: Literal["keep", "drop"] = "keep",
    seed: int = 0,
    mean: float | Sequence[float] | None = None,
    data_format: str | None = None,
    checkpoint: str | os.PathLike | None = None,
    progress: bool | None = None,
) -> FrequencyMaps:
    """For each class the share of the frequencies under which the model still sees it, found by learning.

    `min over masks m_c of E[CE(f(m_c x), c) | x of c] - specificity * E[CE(f(m_c x), c) | x not of c]`, with
    `m_c` 1 at the conjugate pairs of the highest scores and 0 elsewhere, exactly the share at every step.
    Scores are learned through the mask as if it were `sigmoid(score)` (straight through), by Adam with one
    step size for all scores of a class; the model stays as it is.

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
        specificity: Weight of the other classes' images, at least 0. With 0 only the own class counts.
        steps: Steps for each class.
        images_per_step: Images of the class in a step, and as many of the others where they count.
        learning_rate: Root mean square of a step in the scores, whose deviation is about 1.
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
        `FrequencyMaps` with `method="learned"`. The mask of a class without images is 0 everywhere.

    Raises:
        ValueError: If an option is out of range, the images are empty or not finite, labels do not fit the
            model, all are of one class where others count, or the model returns probabilities.
        TypeError: If `model` is not a Keras model.

    Source: none published; after the masks of Karantzas et al., 2022, which are soft and of no exact share,
        and the straight-through estimator of Bengio, Leonard and Courville, arXiv 1308.3432.

    Example:
        >>> maps = kf.shortcuts.learned_map(model, images[:4], labels[:4], steps=3, images_per_step=4)
        >>> maps.masks.shape, float(maps.share.max()) <= 0.05
        ((4, 32, 32), True)
    """
    fraction = check_number(fraction, "fraction", above=0, most=1)
    specificity = check_number(specificity, "specificity", least=0)
    steps, size = check_whole(steps, "steps"), check_whole(images_per_step, "images_per_step")
    learning_rate = check_number(learning_rate, "learning_rate", above=0)
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
    pairs = _Pairs(feed.size, fraction, dc)
    run: dict[str, Any] = {}
    if checkpoint is not None:
        run = {"fraction": fraction, "specificity": specificity, "steps": steps, "size": size}
        run |= {"learning_rate": learning_rate, "start": start, "dc": dc, "seed": seed}
        run |= {"mean": tuple(fill.tolist()), "backend": keras.backend.backend(), **feed.settings}
        run |= {"weights": weights_digest(feed.model.model), "images": feed.digest()}
    journal = SweepJournal(checkpoint, run, what="learned_map")
    measure = _compile(feed, fill)
    known = [label for label in range(feed.classes) if counts[label]]
    per_class = steps * size * (2 if specificity else 1)
    masks = np.zeros((feed.classes, *feed.size), "float32")
    total = len(known) * per_class
    done = sum(str(label) in journal.rows for label in known) * per_class
    with progress_bar(progress, "learned maps", total=total, done=done) as advance:
        for label in known:
            if str(label) not in journal.rows:
                generator = np.random.default_rng([seed, label])
                own, others = pixels[classes == label], pixels[classes != label]
                if start == "power":
                    scores = pairs.standardize(_mean_power(own, fill, feed.data_format))
                else:
                    scores = 0.01 * generator.standard_normal(len(pairs))
                parts = [(own, 1.0 / size)] + ([(others, -specificity / size)] if specificity else [])
                draws = [_draw_forever(len(part), size, generator) for part, _ in parts]
                weights = np.repeat(np.array([weight for _, weight in parts], "float32"), size)
                adam = _Adam(learning_rate, len(pairs))
                for _ in range(steps):
                    batch = np.concatenate(
                        [part[next(draw)] for (part, _), draw in zip(parts, draws, strict=True)]
                    )
                    slope = pairs.gather(measure(batch, label, weights, pairs.mask(scores)))
                    gate = 1 / (1 + np.exp(-scores))
                    scores = scores - adam.step(slope * gate * (1 - gate))
                    advance(len(batch))
                journal.add({str(label): pairs.choose(scores).tolist()})
            masks[label] = pairs.draw(np.array(journal.rows[str(label)], int))
    return FrequencyMaps(masks, "learned", found_on)


class _Pairs:
    """The conjugate pairs of a spectrum but DC, and the masks of a share of the bins that they make."""

    def __init__(self, size: tuple[int, int], fraction: float, dc: str):
        self.size, self._dc = size, dc == "keep"
        self._center = size[0] // 2, size[1] // 2
        first = one_of_each_pair(*size).copy()
        first[self._center] = False
        self._places = np.argwhere(first)
        self._bins = np.where(own_mirror(*size)[first], 1, 2)
        self._room = max(1, int(fraction * size[0] * size[1])) - self._dc

    def __len__(self) -> int:
        return len(self._places)

    def choose(self, scores: np.ndarray) -> np.ndarray:
        """Pairs by falling score, until the next would not fit."""
        order = np.argsort(-scores, kind="stable")
        return np.sort(order[np.cumsum(self._bins[order]) <= self._room])

    def draw(self, chosen: np.ndarray) -> np.ndarray:
        """The centered mask of some pairs."""
        mask = np.zeros(self.size, "float32")
        mask[tuple(self._places[chosen].T)] = 1
        mask = np.maximum(mask, mirror(mask))
        mask[self._center] = self._dc
        return mask

    def mask(self, scores: np.ndarray) -> np.ndarray:
        return self.draw(self.choose(scores))

    def gather(self, values: np.ndarray) -> np.ndarray:
        """Sums of a centered, symmetric map over each pair, `(pairs,)`."""
        return values[tuple(self._places.T)] * self._bins

    def standardize(self, power: np.ndarray) -> np.ndarray:
        """Half the logarithm of the power of the pairs, of mean 0 and deviation .5."""
        values = np.log(np.maximum(self.gather(power) / self._bins, 1e-12))
        return 0.5 * (values - values.mean()) / max(values.std(), 1e-12)


class _Adam:
    """Adam for the scores of one class, with one second moment for all of them.

    One a score would have every score rise alike whose slopes agree in sign, however small they are; what
    counts here is which slopes are large.
    """

    def __init__(self, learning_rate: float, size: int):
        self._rate, self._count = learning_rate, 0
        self._first, self._second = np.zeros(size), 0.0

    def step(self, gradient: np.ndarray) -> np.ndarray:
        """What is subtracted from the scores."""
        self._count += 1
        self._first = _BETA1 * self._first + (1 - _BETA1) * gradient
        self._second = _BETA2 * self._second + (1 - _BETA2) * float(np.mean(gradient**2))
        first = self._first / (1 - _BETA1**self._count)
        return self._rate * first / (np.sqrt(self._second / (1 - _BETA2**self._count)) + _EPSILON)


def _draw_forever(count: int, size: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """`size` places of `count` at a time, each as often as any other over the rounds."""
    waiting = np.zeros(0, int)
    while True:
        while len(waiting) < size:
            waiting = np.concatenate([waiting, generator.permutation(count)])
        chosen, waiting = waiting[:size], waiting[size:]
        yield chosen


def _mean_power(images: np.ndarray, mean: np.ndarray, data_format: str) -> np.ndarray:
    """Mean power of each bin over images and channels, centered `(height, width)`."""
    total = np.zeros(())
    for start in range(0, len(images), 256):
        planes = to_planes(images[start : start + 256], data_format)[0] - mean[:, None, None]
        total = total + (np.abs(np.fft.fft2(planes)) ** 2).sum(axis=(0, 1))
    return np.fft.fftshift(total) / len(images)


def _compile(feed: ModelFeed, mean: np.ndarray) -> Callable:
    """Gradient of the weighted loss with respect to the mask, centered `(height, width)`, on the host."""
    shape = (feed.channels, *feed.size)
    what = ("mask gradient", shape, feed.data_format)
    run = compile_function(feed.model, what, _build(shape, feed.data_format))
    center = to_tensor(mean.astype("float32"))

    def measure(images: np.ndarray, label: int, weights: np.ndarray, mask: np.ndarray) -> np.ndarray:
        labels = np.full(len(images), label, "int32")
        half = to_tensor(halve_masks(mask[None]))
        found = ops.convert_to_numpy(run(images, labels, weights, half, center)).astype("float64")
        return full_spectrum(found, np.zeros_like(found), feed.size[1])[0] / np.prod(feed.size)

    return measure


@functools.lru_cache(maxsize=8)
def _build(shape: tuple[int, int, int], data_format: str) -> Callable:
    def step(forward, images, labels, weights, half, mean):
        def loss(x):
            return ops.sum(weights * compute_image_losses(forward(x), labels, "cross_entropy"))

        re, im = compute_spectra(images, mean, data_format)
        masked = apply_masks((re, im), half, mean, shape=shape, data_format=data_format)
        g_re, g_im = rfft2(to_planes(input_gradient(loss, masked), data_format)[0])
        return ops.sum(re * g_re + im * g_im, axis=(0, 1))

    return step
