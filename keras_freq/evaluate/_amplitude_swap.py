"""Whether a model follows the phase or the amplitude of images that have those of two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_freq._core.checks import check_choice, check_flag, check_interval, check_whole
from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import compile_logits
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Record, Result, versions
from keras_freq.evaluate._image_pairs import Chosen, choose_donors, predict_all
from keras_freq.evaluate._predictions import count_undefined
from keras_freq.spectral import recombine


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

    Example:
        >>> pairs = keras_freq.evaluate.amplitude_swap(model, data, keep_images=True).pairs
        >>> pairs.images.shape, bool((pairs.labels != pairs.donor_labels).all())
        ((8, 32, 32, 3), True)
    """

    labels: np.ndarray
    donor_labels: np.ndarray | None
    phase_predictions: np.ndarray
    amplitude_predictions: np.ndarray
    predictions: np.ndarray
    phase_images: np.ndarray | None = None
    amplitude_images: np.ndarray | None = None
    images: np.ndarray | None = None

    def _headline(self) -> dict[str, Any]:
        return {"pairs": len(self.labels), "images kept": self.images is not None}


@dataclass(frozen=True, kw_only=True)
class AmplitudeSwapResult(Result):
    """What a model sees in images with the phase of one image and the amplitude of another.

    The three shares are over the pairs whose two images the model puts into different classes; they add up to
    1, and are NaN where there is no such pair.

    Attributes:
        n_differ: Pairs whose two images are predicted differently.
        follows_phase: Share of the recombinations predicted as the phase image is.
        follows_amplitude: Share predicted as the amplitude image is.
        follows_neither: Share predicted as neither of them.
        accuracy: Share of all recombinations predicted as the phase image is labeled.
        donor_accuracy: Share predicted as the amplitude image is labeled, or `None` where donors have no
            labels.
        clean: Accuracy on the phase images themselves.
        undefined: Undefined outputs, of both images and of the recombinations; they follow neither.
        pairs: Predictions and, if asked for, images of every pair. In `to_json` alone.

    Example:
        >>> result = keras_freq.evaluate.amplitude_swap(model, data)
        >>> 0 <= result.n_differ <= result.n
        True
    """

    n_differ: int
    follows_phase: float
    follows_amplitude: float
    follows_neither: float
    accuracy: float
    donor_accuracy: float | None
    clean: float
    undefined: int = 0
    pairs: SwappedPairs | None = field(default=None, repr=False, compare=False, metadata={"export": False})


def amplitude_swap(
    model: keras.Model | Classifier,
    data: Any,
    *,
    donors: Any = None,
    axes: Literal["chw", "hw"] = "chw",
    n: int | None = None,
    seed: int = 0,
    clip: tuple[float, float] | None = None,
    batch_size: int | None = None,
    data_format: str | None = None,
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
        batch_size: Images per batch where `data` are arrays, default 128.
        data_format: `"channels_last"` or `"channels_first"`; default that of the model.
        keep_images: Keep the images in the result, for `keras_freq.plots.amplitude_swap`.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        An `AmplitudeSwapResult`.

    Raises:
        ValueError: If the data are empty or of one class, images are not finite, labels are not among the
            model's outputs, or donors have another shape.

    Source: Chen et al., "Amplitude-Phase Recombination", ICCV 2021, section 3.1.
        Differs from the original: the paper shows examples; here all pairs count, with donors of another
        class.

    Example:
        >>> result = keras_freq.evaluate.amplitude_swap(model, data)
        >>> result.n, len(result.pairs.predictions)
        (8, 8)
    """
    check_flag(keep_images, "keep_images")
    check_choice(axes, "axes", ("chw", "hw"))
    seed = check_whole(seed, "seed", least=0)
    clip = None if clip is None else check_interval(clip, "clip")
    feed = ModelFeed(model, data, batch_size=batch_size, n=n, data_format=data_format)
    data_format = feed.data_format
    logits = compile_logits(feed.model)
    mixed_logits = compile_logits(feed.model, _recombine(axes, clip, data_format))
    images, labels = feed.arrays()
    pool, pool_labels, chosen = choose_donors(
        donors, images, labels, np.random.default_rng(seed), feed.model.to_pixels
    )

    with progress_bar(progress, "amplitude swap", "image pass") as advance:
        predict = partial(predict_all, batch_size=feed.batch_size, advance=advance)
        phase = predict(logits, images)
        if donors is None:
            amplitude, undefined = phase[chosen], 0
        else:
            used, place = np.unique(chosen, return_inverse=True)
            of_donors = predict(logits, Chosen(pool, used))
            amplitude, undefined = of_donors[place], count_undefined(of_donors)
        seen = predict(mixed_logits, images, Chosen(pool, chosen))

    donor_labels = None if pool_labels is None else pool_labels[chosen]
    differ = (phase != amplitude) & (phase >= 0) & (amplitude >= 0)
    follows_phase = follows_amplitude = float("nan")
    if differ.any():
        follows_phase, follows_amplitude = (
            float(np.mean(seen[differ] == part[differ])) for part in (phase, amplitude)
        )
    pairs = SwappedPairs(
        labels=labels,
        donor_labels=donor_labels,
        phase_predictions=phase,
        amplitude_predictions=amplitude,
        predictions=seen,
    )
    if keep_images:
        shown = [images, pool[chosen], _recombine(axes, clip, data_format)(images, pool[chosen])]
        if data_format == "channels_first":
            shown = [np.moveaxis(array, 1, -1) for array in shown]
        pairs = replace(pairs, phase_images=shown[0], amplitude_images=shown[1], images=shown[2])
    return AmplitudeSwapResult(
        model=feed.model.name,
        n=len(images),
        settings={
            "donors": "other images of the data" if donors is None else "another set",
            "axes": axes,
            "first_n": n,
            "seed": seed,
            "clip": clip,
            "batch_size": batch_size,
            **feed.settings,
        },
        versions=versions(),
        n_differ=int(differ.sum()),
        follows_phase=follows_phase,
        follows_amplitude=follows_amplitude,
        follows_neither=1 - follows_phase - follows_amplitude,
        accuracy=float(np.mean(seen == labels)),
        donor_accuracy=None if donor_labels is None else float(np.mean(seen == donor_labels)),
        clean=float(np.mean(phase == labels)),
        undefined=undefined + count_undefined(phase) + count_undefined(seen),
        pairs=pairs,
    )


@lru_cache(maxsize=32)
def _recombine(axes: Literal["chw", "hw"], clip: tuple[float, float] | None, data_format: str) -> Callable:
    """One function object for equal settings: what is compiled is kept by it."""

    def mixed(images, donors):
        result = recombine(donors, images, axes=axes, data_format=data_format)
        if clip is None:
            return result
        return np.clip(result, *clip) if isinstance(result, np.ndarray) else ops.clip(result, *clip)

    return mixed
