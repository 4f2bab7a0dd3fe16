"""The parts by which masks are learned: conjugate pairs, the optimizer, the gradient by a mask."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import numpy as np
from keras import ops

from keras_freq._core.compiled import compile_function, to_tensor
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.input_gradient import input_gradient
from keras_freq.shortcuts._class_losses import compute_image_losses
from keras_freq.shortcuts._masked_images import apply_masks, compute_spectra, halve_masks
from keras_freq.spectral._dft import full_spectrum, rfft2
from keras_freq.spectral._grid import mirror, one_of_each_pair, own_mirror
from keras_freq.spectral._images import to_planes

# Of Adam. Slopes of a probability are about 1e-4; what is below 1e-6 is rounding, which must move nothing.
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-6


class Pairs:
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

    def soften(self, scores: np.ndarray, temperature: float) -> np.ndarray:
        """Gains `sigmoid((score - t) / temperature)`, with `t` such that the bins add up to the share."""
        if self._bins.sum() <= self._room:
            return np.ones(len(scores))
        low, high = scores.min() - 40 * temperature, scores.max() + 40 * temperature
        for _ in range(60):
            threshold = (low + high) / 2
            gains = 1 / (1 + np.exp(-np.clip((scores - threshold) / temperature, -60, 60)))
            low, high = (threshold, high) if gains @ self._bins > self._room else (low, threshold)
        return gains

    def descend(self, slope: np.ndarray, gains: np.ndarray) -> np.ndarray:
        """Slope of a loss by the scores, times the temperature, of its `slope` by the gains of the pairs.

        The threshold moves with the scores, so that only differences between pairs count.
        """
        width = gains * (1 - gains)
        total = width @ self._bins
        mean = width @ slope / total if total > 0 else 0.0
        return width * (slope - mean * self._bins)

    def draw(self, gains: np.ndarray) -> np.ndarray:
        """The centered mask of gains of the pairs."""
        mask = np.zeros(self.size, "float32")
        mask[tuple(self._places.T)] = gains
        mask = np.maximum(mask, mirror(mask))
        mask[self._center] = self._dc
        return mask

    def keep(self, chosen: np.ndarray) -> np.ndarray:
        """The centered mask of some pairs."""
        return self.draw(np.isin(np.arange(len(self)), chosen))

    def gather(self, values: np.ndarray) -> np.ndarray:
        """Sums of a centered, symmetric map over each pair, `(pairs,)`."""
        return values[tuple(self._places.T)] * self._bins

    def standardize(self, levels: np.ndarray) -> np.ndarray:
        """The levels of the pairs, shifted and scaled to mean 0 and deviation .5."""
        values = self.gather(levels) / self._bins
        return 0.5 * (values - values.mean()) / max(values.std(), 1e-12)


class ScoreAdam:
    """Adam for the scores of one class, with one second moment for all of them.

    One a score would have every score rise alike whose slopes agree in sign, however small they are; what
    counts here is which slopes are large.
    """

    def __init__(self, size: int):
        self._count = 0
        self._first, self._second = np.zeros(size), 0.0

    def step(self, gradient: np.ndarray, rate: float) -> np.ndarray:
        """What is subtracted from the scores."""
        self._count += 1
        self._first = _BETA1 * self._first + (1 - _BETA1) * gradient
        self._second = _BETA2 * self._second + (1 - _BETA2) * float(np.mean(gradient**2))
        first = self._first / (1 - _BETA1**self._count)
        return rate * first / (np.sqrt(self._second / (1 - _BETA2**self._count)) + _EPSILON)


def draw_forever(count: int, size: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """`size` places of `count` at a time, each as often as any other over the rounds."""
    waiting = np.zeros(0, int)
    while True:
        while len(waiting) < size:
            waiting = np.concatenate([waiting, generator.permutation(count)])
        chosen, waiting = waiting[:size], waiting[size:]
        yield chosen


def smooth(values: np.ndarray, deviation: float) -> np.ndarray:
    """Means of a centered map over neighboring bins by a periodic Gaussian.

    DC, which is not learned, is left out.
    """
    if deviation == 0:
        return values
    known = np.ones(values.shape)
    known[values.shape[0] // 2, values.shape[1] // 2] = 0
    rows, columns = (np.exp(-2 * (np.pi * deviation * np.fft.fftfreq(side)) ** 2) for side in values.shape)

    def blur(one: np.ndarray) -> np.ndarray:
        return np.fft.ifft2(np.fft.fft2(one) * np.outer(rows, columns)).real

    return blur(values * known) / np.maximum(blur(known), 1e-12)


def log_power(images: np.ndarray, mean: np.ndarray, data_format: str) -> np.ndarray:
    """Logarithm of the mean power of each bin over images and channels, centered `(height, width)`."""
    total = np.zeros(())
    for start in range(0, len(images), 32):
        planes = to_planes(images[start : start + 32], data_format)[0] - mean[:, None, None]
        total = total + (np.abs(np.fft.fft2(planes)) ** 2).sum(axis=(0, 1))
    return np.log(np.maximum(np.fft.fftshift(total) / len(images), 1e-12))


def compile_mask_gradient(feed: ModelFeed, mean: np.ndarray, objective: str) -> Callable:
    """Gradient of the weighted loss with respect to the mask, centered `(height, width)`, on the host."""
    shape = (feed.channels, *feed.size)
    what = ("mask gradient", shape, feed.data_format, objective)
    run = compile_function(feed.model, what, _build(shape, feed.data_format, objective))
    center = to_tensor(mean.astype("float32"))

    def measure(images: np.ndarray, labels: np.ndarray, weights: np.ndarray, mask: np.ndarray) -> np.ndarray:
        half = to_tensor(halve_masks(mask[None]))
        found = ops.convert_to_numpy(run(images, labels.astype("int32"), weights, half, center)).astype(
            "float64"
        )
        return full_spectrum(found, np.zeros_like(found), feed.size[1])[0] / np.prod(feed.size)

    return measure


@functools.lru_cache(maxsize=8)
def _build(shape: tuple[int, int, int], data_format: str, objective: str) -> Callable:
    def step(forward, images, labels, weights, half, mean):
        def loss(x):
            losses = compute_image_losses(forward(x), labels, "cross_entropy")
            # The share of the probability that the class does not get: 1 - exp(-cross-entropy).
            return ops.sum(weights * (losses if objective == "cross_entropy" else 1 - ops.exp(-losses)))

        re, im = compute_spectra(images, mean, data_format)
        masked = apply_masks((re, im), half, mean, shape=shape, data_format=data_format)
        g_re, g_im = rfft2(to_planes(input_gradient(loss, masked), data_format)[0])
        return ops.sum(re * g_re + im * g_im, axis=(0, 1))

    return step
