"""Whether a model follows the phase or the amplitude of images that have those of two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_freq._core.checks import check_choice, check_interval, check_whole
from keras_freq._core.compiled import compile_logits
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Record, Result, versions
from keras_freq.data import iterate_batches
from keras_freq.evaluate._adversarial_images import predict
from keras_freq.evaluate._counting import first_images, labelled_batches
from keras_freq.spectral import recombine
from keras_freq.spectral._images import DATA_FORMATS


@dataclass(frozen=True, kw_only=True)
class SwappedPairs(Record):
    """The pairs of an amplitude swap, one after the other.

    Attributes:
        labels: Labels of the phase images, `(n,)`.
        donor_labels: Labels of the amplitude images, or `None` where they have none.
        phase_predictions: Classes that the model sees in the phase images; -1 where an output is not finite.
        amplitude_predictions: Classes that it sees in the amplitude images.
        predictions: Classes that it sees in the recombinations.
        phase_images: float32 `(n, height, width, channels)`, if images were asked for.
        amplitude_images: The donors, same shape.
        images: The recombinations, same shape.
    """

    labels: np.ndarray
    donor_labels: np.ndarray | None
    phase_predictions: np.ndarray
    amplitude_predictions: np.ndarray
    predictions: np.ndarray
    phase_images: np.ndarray | None = None
    amplitude_images: np.ndarray | None = None
    images: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class AmplitudeSwapResult(Result):
    """What a model sees in images with the phase of one image and the amplitude of another.

    The three shares are over the pairs whose two images the model puts into different classes; they add up to
    1, and are NaN where there is no such pair.

    Attributes:
        n_differ: Pairs whose two images are predicted differently.
        follows_phase: Share of the recombinations predicted as the phase image is.
        follows_amplitude: Share predicted as the amplitude image is.
        follows_neither: Share predicted as none of the two.
        accuracy: Share of all recombinations predicted as the phase image is labelled.
        donor_accuracy: Share predicted as the amplitude image is labelled, or `None` where donors have no
            labels.
        clean: Accuracy on the phase images themselves.
        pairs: Predictions and, if asked for, images of every pair. In `to_json` alone.
    """

    n_differ: int
    follows_phase: float
    follows_amplitude: float
    follows_neither: float
    accuracy: float
    donor_accuracy: float | None
    clean: float
    pairs: SwappedPairs | None = field(default=None, repr=False, compare=False, metadata={"export": False})


def amplitude_swap(
    model: keras.Model,
    data: Any,
    *,
    donors: Any = None,
    axes: Literal["chw", "hw"] = "chw",
    n: int | None = None,
    seed: int = 0,
    clip: tuple[float, float] | None = None,
    batch_size: int | None = None,
    data_format: str = "channels_last",
    keep_images: bool = False,
    progress: bool | None = False,
) -> AmplitudeSwapResult:
    """Gives every image the amplitude of another one and asks which of the two the model follows.

    `y_k = Re IDFT(|F(donor_k)| * exp(i * angle F(x_k)))`. People see the image whose phase it is.

    Args:
        model: Keras classifier `(batch, ...) -> (batch, classes)`, logits or probabilities. It runs in
            inference mode.
        data: Arrays `(images, labels)`, a `tf.data.Dataset`, a `keras.utils.PyDataset`, or an iterable of
            batches: the phase images. They are held in memory.
        donors: `None`: each image's donor is another image of the data with another label; each image gives
            its amplitude once, unless more than half of the data are of one class. `(images, labels)`: images
            of another set that has the same classes, with another label than the phase image. Images alone:
            of a set with classes of its own, any of them.
        axes: `"chw"` transforms over channels and space, as published; `"hw"` over space only.
        n: Take the first `n` images of the data; `None` takes all.
        seed: Seed of the choice of donors.
        clip: `None` leaves the recombinations as they are, or two bounds, such as `(0, 1)`.
        batch_size: Images a batch where `data` are arrays, default 128.
        data_format: `"channels_last"` or `"channels_first"`.
        keep_images: Keep the images in the result, for `keras_freq.plots.amplitude_swap`.
        progress: Show a progress bar; `None`: on a terminal where tqdm is installed.

    Returns:
        An `AmplitudeSwapResult`.

    Raises:
        ValueError: If the data are empty or of one class, images are not finite, labels are not among the
            model's outputs, or donors have another shape.

    Source: Chen et al., "Amplitude-Phase Recombination", ICCV 2021, section 3.1. Differs from the original,
    which shows examples: counts over all pairs, with donors of another class.

    Example:

    >>> result = keras_freq.evaluate.amplitude_swap(model, data.test, n=1000)
    >>> result.follows_phase, result.follows_amplitude
    (0.41, 0.32)
    """
    check_choice(axes, "axes", ("chw", "hw"))
    check_choice(data_format, "data_format", DATA_FORMATS)
    seed = check_whole(seed, "seed", least=0)
    clip = None if clip is None else check_interval(clip, "bounds")
    logits = compile_logits(model)
    mixed_logits = compile_logits(model, _recombination(axes, clip, data_format))
    images, labels, size = _read(model, data, n, batch_size)
    generator = np.random.default_rng(seed)
    pool, pool_labels, chosen = _choose_donors(donors, images, labels, generator)

    def predicted(function: Callable, *arrays: np.ndarray) -> np.ndarray:
        found = []
        for start in range(0, len(arrays[0]), size):
            # The last batch is filled up, so that one compiled step serves all.
            rows = np.minimum(np.arange(start, start + size), len(arrays[0]) - 1)
            first, *rest = (array[rows] for array in arrays)
            found.append(predict(lambda x, rest=rest: ops.convert_to_numpy(function(x, *rest)), first))
            advance(min(size, len(arrays[0]) - start))
        return np.concatenate(found)[: len(arrays[0])]

    with progress_bar(progress, "amplitude swap", "image pass") as advance:
        phase = predicted(logits, images)
        if donors is None:
            amplitude = phase[chosen]
        else:
            used, place = np.unique(chosen, return_inverse=True)
            amplitude = predicted(logits, pool[used])[place]
        seen = predicted(mixed_logits, images, pool[chosen])

    donor_labels = None if pool_labels is None else pool_labels[chosen]
    differ = (phase != amplitude) & (phase >= 0) & (amplitude >= 0)
    follows = (
        [float(np.mean(seen[differ] == part[differ])) for part in (phase, amplitude)] if differ.any() else []
    )
    follows_phase, follows_amplitude = follows or (float("nan"), float("nan"))
    kept = {}
    if keep_images:
        mixed = _recombination(axes, clip, data_format)(images, pool[chosen])
        kept = {"phase_images": images, "amplitude_images": pool[chosen], "images": mixed}
        if data_format == "channels_first":
            kept = {name: np.moveaxis(array, 1, -1) for name, array in kept.items()}
    return AmplitudeSwapResult(
        model=model.name,
        n=len(images),
        settings={
            "donors": "other images of the data" if donors is None else "another set",
            "axes": axes,
            "first_n": n,
            "seed": seed,
            "clip": clip,
            "batch_size": batch_size,
            "data_format": data_format,
        },
        versions=versions(),
        n_differ=int(differ.sum()),
        follows_phase=follows_phase,
        follows_amplitude=follows_amplitude,
        follows_neither=1 - follows_phase - follows_amplitude,
        accuracy=float(np.mean(seen == labels)),
        donor_accuracy=None if donor_labels is None else float(np.mean(seen == donor_labels)),
        clean=float(np.mean(phase == labels)),
        pairs=SwappedPairs(
            labels=labels,
            donor_labels=donor_labels,
            phase_predictions=phase,
            amplitude_predictions=amplitude,
            predictions=seen,
            **kept,
        ),
    )


@lru_cache(maxsize=32)
def _recombination(axes: str, clip: tuple[float, float] | None, data_format: str) -> Callable:
    """One function object for equal settings: what is compiled is kept by it."""

    def mixed(images, donors):
        result = recombine(donors, images, axes=axes, data_format=data_format)
        if clip is None:
            return result
        return np.clip(result, *clip) if isinstance(result, np.ndarray) else ops.clip(result, *clip)

    return mixed


def _read(
    model: keras.Model, data: Any, n: int | None, batch_size: int | None
) -> tuple[np.ndarray, np.ndarray, int]:
    """Images, labels and the size of the batches they came in."""
    if n is not None:
        (images, labels), size = first_images(model, data, n, batch_size)
        return images, labels, size
    parts = [
        (images[:valid], labels[:valid], len(images))
        for images, labels, valid in labelled_batches(model, data, batch_size)
    ]
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]), parts[0][2]


def _choose_donors(
    donors: Any, images: np.ndarray, labels: np.ndarray, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Images to draw from, their labels, and which of them each image gets."""
    if donors is None:
        if (labels == labels[0]).all():
            raise ValueError(
                "Donors have another label than the image: the data must be of two classes at least, or pass "
                f"`donors`. Received: {len(labels)} images of class {labels[0]}"
            )
        if np.bincount(labels).max() <= len(labels) / 2:
            return images, labels, _permutation_across_classes(labels, generator)
        return images, labels, _one_of_another_class(labels, labels, generator)
    if not hasattr(donors, "shape") and not (isinstance(donors, tuple) and len(donors) == 2):
        raise ValueError(
            "`donors` must be None, images, or a tuple (images, labels) of arrays. "
            f"Received: type={type(donors).__name__}"
        )
    labelled = isinstance(donors, tuple)
    if not labelled:
        donors = (donors, np.zeros(len(donors), "int32"))
    parts = [(x[:valid], y[:valid]) for x, y, valid in iterate_batches(donors)]
    pool, pool_labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    if pool.shape[1:] != images.shape[1:]:
        raise ValueError(
            f"`donors` must have the images' shape {images.shape[1:]}. Received: shape={pool.shape[1:]}"
        )
    if labelled:
        return pool, pool_labels, _one_of_another_class(labels, pool_labels, generator)
    return pool, None, _evenly(len(pool), len(images), generator)


def _evenly(count: int, size: int, generator: np.random.Generator) -> np.ndarray:
    """`size` draws from `count` things, each as often as any other, or once more."""
    rounds = [generator.permutation(count) for _ in range(-(-size // count))]
    return np.concatenate(rounds)[:size]


def _one_of_another_class(
    labels: np.ndarray, pool_labels: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    chosen = np.empty(len(labels), "int64")
    for label in np.unique(labels):
        rows, others = np.flatnonzero(labels == label), np.flatnonzero(pool_labels != label)
        if not len(others):
            raise ValueError(
                "Donors have another label than the image: `donors` must be of two classes at least. "
                f"Received: donors all of class {label}"
            )
        chosen[rows] = others[_evenly(len(others), len(rows), generator)]
    return chosen


def _permutation_across_classes(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A random permutation that takes no image to one of its own class; no class has more than half of them.

    Where a random permutation does, the place changes its image with another one. That one can always be
    found: of a class `c` there are at most `n / 2` places and `n / 2` images, and the place in question is
    among both, so some place has neither label nor image of `c`.
    """
    chosen = generator.permutation(len(labels))
    for place in generator.permutation(np.flatnonzero(labels[chosen] == labels)):
        label = labels[place]
        if labels[chosen[place]] != label:
            continue  # has changed already
        other = generator.choice(np.flatnonzero((labels != label) & (labels[chosen] != label)))
        chosen[[place, other]] = chosen[[other, place]]
    return chosen
