"""How often a model changes its mind along perturbation sequences."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_freq._core.checks import check_choices, check_number, check_whole, show
from keras_freq._core.classifier import Classifier, as_classifier
from keras_freq._core.compiled import compile_logits
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.pixels import to_bytes, unit_float32
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq._core.sweep import run_steps
from keras_freq.data._corruptions.write import load_array
from keras_freq.data._perturbations.apply import perturb
from keras_freq.data._perturbations.catalog import CATALOG, DIFFICULTIES, PERTURBATIONS, choose_size

# The classes that are looked at: the five first ones. Behind them all ranks are one.
_TOP = 5
# Bytes of the frames that are held at a time.
_BLOCK = 2**27


@dataclass(frozen=True, kw_only=True)
class FlipRateResult(Result):
    """Stability along perturbation sequences; `float(result)` is the mean flip probability.

    Attributes:
        perturbations: Names of the sequences.
        difficulty: 1 to 3.
        flip_probabilities: Share of the pairs of frames whose predicted classes differ, for each sequence.
        top5_distances: Mean distance of the five first classes of the pairs, 0 to 15, for each sequence.
        mean: Mean of `flip_probabilities`: the figure of CIFAR-10-P.
        mean_top5_distance: Mean of `top5_distances`.
        flip_rates: Flip probabilities relative to the reference; empty without one.
        mean_flip_rate: Their mean, mFR; NaN without a reference.
        undefined: Frames whose outputs are NaN or have no finite largest one; pairs with one count as
            flipped, at the greatest distance.

    Example:
        >>> result = keras_freq.evaluate.flip_rate(model, data, perturbations=("translate", "tilt"))
        >>> sorted(result.by_perturbation), 0 <= float(result) <= 1
        (['tilt', 'translate'], True)
    """

    perturbations: tuple[str, ...]
    difficulty: int
    flip_probabilities: tuple[float, ...]
    top5_distances: tuple[float, ...]
    mean: float
    mean_top5_distance: float
    flip_rates: tuple[float, ...] = ()
    mean_flip_rate: float = float("nan")
    undefined: int = 0

    def __float__(self) -> float:
        return self.mean

    @property
    def by_perturbation(self) -> dict[str, float]:
        """Flip probability, by name."""
        return dict(zip(self.perturbations, self.flip_probabilities, strict=True))

    def rows(self) -> list[dict[str, Any]]:
        """One row for each sequence."""
        rates = self.flip_rates or (float("nan"),) * len(self.perturbations)
        columns = zip(self.perturbations, self.flip_probabilities, self.top5_distances, rates, strict=True)
        return [
            {
                "model": self.model,
                "perturbation": name,
                "difficulty": self.difficulty,
                "flip_probability": probability,
                "top5_distance": distance,
                "flip_rate": rate,
                "n": self.n,
            }
            for name, probability, distance, rate in columns
        ]

    def _headline(self) -> dict[str, Any]:
        head = super()._headline()
        if not self.flip_rates:
            del head["mean_flip_rate"]
        return {**head, "flip probability by perturbation": self.by_perturbation}


def flip_rate(
    model: keras.Model | Classifier,
    data: Any,
    *,
    perturbations: Sequence[str] = PERTURBATIONS,
    difficulty: int = 1,
    size: int | str = "auto",
    seed: int = 0,
    reference: FlipRateResult | Mapping[str, float] | None = None,
    batch_size: int | None = None,
    progress: bool | None = None,
) -> FlipRateResult:
    """How often the predicted class changes along perturbation sequences, and the five first classes.

    `FP[p] = mean over sequences, pairs of [argmax f(x_s) != argmax f(x_t)]`. Pairs `(s, t)` are neighbors,
    `t = s + 1`; noises compare every frame with the clean one, `s = 0`.
    `T5D[p] = mean over sequences, pairs of sum over i = 1 ... 5 of |i - min(r(i), 6)|`, where `r(i)` is the
    rank in frame `t` of the class that has rank `i` in frame `s`. `mFR = mean over p of FP[p] / R[p]`.

    Args:
        model: Keras classifier `(batch, ...) -> (batch, classes)`, logits or probabilities.
            It runs in inference mode.
        data: Clean images, which are perturbed here, batch by batch, after rounding to bytes: images, arrays
            `(images, labels)`, a `tf.data.Dataset`, a `keras.utils.PyDataset` or an iterable of batches;
            labels are not used. Or a folder in the layout of CIFAR-10-P, `NAME.npy` of uint8 `(n, frames,
            height, width, channels)`, noises of difficulty 2 and 3 in `NAME_2.npy` and `NAME_3.npy`.
        perturbations: Names, by default the ten of the benchmark, see `keras_freq.data.perturb`. The script
            that was published with CIFAR-10-P has `"spatter"` in the place of `"snow"`.
        difficulty: 1 to 3. Frames are compared with those so many steps later; noises are stronger instead.
        size: 32, 64, 224 or "auto", see `keras_freq.data.perturb`. Without effect on a folder.
        seed: Seed of the sequences. Without effect on a folder.
        reference: Flip probabilities above 0 of a reference network, by name, such as those of AlexNet, or
            the result of another network at the same difficulty.
        batch_size: Frames per step, and images per batch where `data` are arrays, default 128.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        A `FlipRateResult`; `n` is the number of sequences of each kind.

    Raises:
        FileNotFoundError: If a file of the folder is missing; nothing has been measured then.
        ValueError: If a name, difficulty or size is unknown, the data are empty or leave [0, 1], there is no
            reference for a sequence, or files differ in the number of sequences.

    Source: Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
        Perturbations", ICLR 2019, section 4. The mean of FP is what is published for CIFAR-10-P, mFR relative
        to AlexNet what is published for ImageNet-P.

    Example:
        >>> result = keras_freq.evaluate.flip_rate(model, data, perturbations=("translate", "brightness"))
        >>> again = keras_freq.evaluate.flip_rate(
        ...     model, data, perturbations=("translate",), reference={"translate": 0.5}
        ... )
        >>> again.flip_rates[0] == result.flip_probabilities[0] / 0.5
        True
    """
    names = check_choices(perturbations, "perturbations", tuple(CATALOG))
    difficulty = check_whole(difficulty, "difficulty", most=DIFFICULTIES)
    seed = check_whole(seed, "seed", least=0)
    relative_to = _check_reference(reference, names, difficulty)
    stored = isinstance(data, (str, os.PathLike))
    if stored:
        # All files are looked at before the first frame is classified.
        files = _open_sequences(Path(data).expanduser(), names, difficulty)
        feed = ModelFeed(model, _first_frames(model, files), batch_size=batch_size, needs_labels=False)
        batch, options = 128 if batch_size is None else batch_size, None
        sources = iter([(0, name, file) for name, file in files.items()])
    else:
        feed = ModelFeed(model, data, batch_size=batch_size, needs_labels=False)
        size = choose_size(size, min(feed.size), names)
        batch, options = feed.batch_size, {"difficulty": difficulty, "size": size, "seed": seed}
        sources = _clean_pixels(feed, names)
    sums, undefined = {name: np.zeros(3) for name in names}, 0
    with progress_bar(progress, "perturbations") as advance:
        # Each of several processes makes and classifies the frames of its own blocks.
        steps = (
            ((name, len(block)), partial(_rank_frames, feed, block, name, first, options, batch))
            for start, name, images in sources
            for first, block in _cut_blocks(images, name, start, options)
        )
        for (name, length), top in run_steps(steps, ahead=1):
            flips, distances = compare_frames(top, difficulty, noisy=CATALOG[name].noisy)
            sums[name] += flips.sum(), distances.sum(), flips.size
            undefined += int((top[..., 0] < 0).sum())
            advance(length)
    flipped, moved, pairs = np.transpose([sums[name] for name in names])
    probabilities, moves = flipped / pairs, moved / pairs
    rates = [] if relative_to is None else probabilities / [relative_to[name] for name in names]
    return FlipRateResult(
        model=feed.model.name,
        n=len(files[names[0]]) if stored else feed.n,
        settings={
            "data": os.fspath(data) if stored else None,
            "size": None if stored else size,
            "seed": None if stored else seed,
            "reference": relative_to,
            "batch_size": batch_size,
            **feed.settings,
        },
        versions=versions(),
        perturbations=names,
        difficulty=difficulty,
        flip_probabilities=tuple(probabilities.tolist()),
        top5_distances=tuple(moves.tolist()),
        mean=float(np.mean(probabilities)),
        mean_top5_distance=float(np.mean(moves)),
        flip_rates=tuple(float(rate) for rate in rates),
        mean_flip_rate=float(np.mean(rates)) if len(rates) else float("nan"),
        undefined=undefined,
    )


def first_classes(logits: np.ndarray) -> np.ndarray:
    """The classes of the five largest logits, `(..., 5 or less)`, of equal ones the first first.

    All are -1 where the outputs are undefined.
    """
    defined = np.isfinite(logits.max(axis=-1, keepdims=True))  # NaN is the largest where there is one
    order = np.argsort(-logits, axis=-1, kind="stable")[..., :_TOP]
    return np.where(defined, order, -1)


def compare_frames(top: np.ndarray, difficulty: int, *, noisy: bool) -> tuple[np.ndarray, np.ndarray]:
    """Whether the first class differs, and the distance of the first classes, `(n, pairs)` each.

    Args:
        top: The first classes of every frame, `(n, frames, 5 or less)`; -1 where they are undefined.
        difficulty: Distance of the frames that are compared.
        noisy: Whether every frame is compared with the first one instead.
    """
    later = top[:, 1:] if noisy else top[:, difficulty:]
    earlier = np.broadcast_to(top[:, :1], later.shape) if noisy else top[:, :-difficulty]
    ranks = np.arange(1, top.shape[-1] + 1)
    same = (earlier[..., :, None] == later[..., None, :]) & (earlier[..., :, None] >= 0)
    # A class that is not among the first ones has rank 6: their least one, as all behind.
    found = np.where(same.any(axis=-1), same @ ranks, _TOP + 1)
    return found[..., 0] != 1, np.abs(ranks - found).sum(axis=-1)


def _rank_frames(
    feed: ModelFeed, block: np.ndarray, name: str, place: int, options: dict[str, Any] | None, batch: int
) -> np.ndarray:
    """The first classes `(n, frames, ...)` of sequences: of clean images, or without options as they are."""
    part = np.asarray(block)
    frames = part if options is None else perturb(part, name, start=place, **options)
    logits = compile_logits(feed.model)
    flat, parts = frames.reshape(-1, *frames.shape[2:]), []
    for start in range(0, len(flat), batch):
        pixels = flat[start : start + batch]
        filling = np.zeros((batch - len(pixels), *pixels.shape[1:]), "uint8")
        images = unit_float32(np.concatenate([pixels, filling]))
        if feed.data_format == "channels_first":
            images = np.moveaxis(images, -1, 1)
        parts.append(first_classes(ops.convert_to_numpy(logits(images))[: len(pixels)]))
    return np.concatenate(parts).reshape(*frames.shape[:2], -1)


def _cut_blocks(
    images: np.ndarray, name: str, start: int, options: dict[str, Any] | None
) -> Iterator[tuple[int, np.ndarray]]:
    """As many images or sequences at a time as memory may hold, with the place of the first one."""
    frames = images.shape[1] if options is None else CATALOG[name].frames(options["size"])
    block = max(1, _BLOCK // (frames * math.prod(images.shape[-3:])))
    for first in range(0, len(images), block):
        yield start + first, images[first : first + block]


def _clean_pixels(feed: ModelFeed, names: tuple[str, ...]) -> Iterator[tuple[int, str, np.ndarray]]:
    """Every batch as bytes, channels last, with the place of its first image, for every name."""
    start = 0
    for images, _, valid in feed:
        pixels = to_bytes(images[:valid])
        if feed.data_format == "channels_first":
            pixels = np.moveaxis(pixels, 1, -1)
        yield from ((start, name, pixels) for name in names)
        start += valid


def _open_sequences(folder: Path, names: tuple[str, ...], difficulty: int) -> dict[str, np.ndarray]:
    """The sequences of every name, mapped from their files."""
    files = {}
    for name in names:
        noisy = CATALOG[name].noisy
        path = folder / (f"{name}_{difficulty}.npy" if noisy and difficulty > 1 else f"{name}.npy")
        if not path.is_file():
            raise FileNotFoundError(f"There is no {path.name} in {folder}. Received: data={str(folder)!r}")
        files[name] = frames = load_array(path)
        least = 1 if noisy else difficulty
        if frames.dtype != np.uint8 or frames.ndim != 5 or not len(frames) or frames.shape[1] <= least:
            raise ValueError(
                f"{path} must hold uint8 sequences (n, frames, height, width, channels) of more than "
                f"{least} frames. Received: {frames.dtype} of shape {frames.shape}"
            )
    shapes = {(len(frames), *frames.shape[2:]) for frames in files.values()}
    if len(shapes) > 1:
        raise ValueError(
            "all files must hold as many sequences of images of one shape. "
            f"Received: (n, height, width, channels) of {', '.join(map(str, sorted(shapes)))}"
        )
    return files


def _first_frames(model: Any, files: dict[str, np.ndarray]) -> np.ndarray:
    """The frames of one sequence, laid out as the model takes images."""
    frames = np.array(next(iter(files.values()))[0])
    first = as_classifier(model).choose_data_format(None) == "channels_first"
    return np.moveaxis(frames, -1, 1) if first else frames


def _check_reference(reference: Any, names: tuple[str, ...], difficulty: int) -> dict[str, float] | None:
    """Flip probabilities of the reference for every name, or None."""
    if reference is None:
        return None
    if isinstance(reference, FlipRateResult):
        if reference.difficulty != difficulty:
            raise ValueError(
                f"`reference` must have difficulty {difficulty}. Received: {reference.difficulty}"
            )
        reference = reference.by_perturbation
    if not isinstance(reference, Mapping):
        raise ValueError(f"`reference` must be a result or a mapping. Received: reference={show(reference)}")
    return {name: check_number(reference.get(name), f"reference[{name!r}]", above=0) for name in names}
