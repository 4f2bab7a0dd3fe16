"""Error under one Fourier basis image at a time: which frequencies a model cannot bear."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from numbers import Real
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_freq._core.checks import (
    check_choice,
    check_images,
    check_interval,
    check_labels,
    check_number,
    check_whole,
)
from keras_freq._core.compiled import compile_logits, to_tensor
from keras_freq._core.journal import SweepJournal, weights_digest
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import versions
from keras_freq.evaluate._counting import first_images, labelled_batches
from keras_freq.evaluate._heat_map_frequencies import COVERAGES, check_window, measured_frequencies
from keras_freq.evaluate._heat_map_result import FourierHeatMapResult
from keras_freq.evaluate._heat_map_step import (
    SignedAmplitudes,
    add_bases,
    basis_tensors,
    count_each,
    with_layer,
)
from keras_freq.spectral._images import DATA_FORMATS

# Images a compiled step by default: a larger step is slower on CPUs.
_IMAGES_PER_STEP = 128
# The host runs ahead of an accelerator by at most this many steps.
_AHEAD = 16


def fourier_heat_map(
    model: keras.Model,
    data: Any,
    *,
    epsilon: float = 4.0,
    phase: float | str = 0.0,
    n: int | None = None,
    window: int | Sequence[int] | None = None,
    coverage: str = "half",
    layer: str | None = None,
    seed: int = 0,
    bounds: Sequence[float] | None = (0.0, 1.0),
    bases_per_step: int | None = None,
    bases_per_pass: int = 64,
    batch_size: int | None = None,
    data_format: str = "channels_last",
    checkpoint: str | os.PathLike | None = None,
    progress: bool | None = None,
) -> FourierHeatMapResult:
    """Error of a model on images with a single frequency added, for all frequencies.

    `x' = clip(x + r * epsilon * U_ij)`, where `U_ij` is the real image of Frobenius norm 1 whose spectrum is
    the centred index `(i, j)` and its mirror (`keras_freq.spectral.fourier_basis`), and `r` is -1 or 1 with
    equal chance for each image and channel. The error is the exact share of the images, not a mean of
    batches; the clean error is measured beside it.

    The signs at `(i, j)` are those of `numpy.random.default_rng([seed, i, j]).random((images, channels))`, -1
    below a half, one row an image in the order of the data. So the numbers do not depend on `batch_size`,
    `bases_per_step`, `bases_per_pass`, the window, or on where a run was resumed.

    Args:
        model: Keras classifier `(batch, ...) -> (batch, classes)`, logits or probabilities. It runs in
            inference mode, with the weights that it has at the time.
        data: Arrays `(images, labels)`, a `tf.data.Dataset`, a `keras.utils.PyDataset`, or with `n` also an
            iterable that can be read only once. Read once for each `bases_per_pass` frequencies, so it must
            give the same images in the same order each time.
        epsilon: L2 norm of what is added to each channel, in pixel units, at least 0. Published: 4 for
            CIFAR-10 (0.125 RMS a pixel), 15.7 for ImageNet at 224 pixels.
        phase: Radians: 0 as in the published PyTorch re-implementation, pi / 4 as in the authors' code; or
            `"random"`, uniform for each image and frequency from `default_rng([seed, i, j, 1])`.
        n: Measure the first `n` images, which are then held in memory (not a fair choice where data are
            sorted by class). Default all.
        window: Measure only frequencies of at most so many index units from DC, one number or (vertical,
            horizontal); `window=31` is what is shown of 224-pixel images. Default all.
        coverage: `"half"` measures one of each conjugate pair, the one with the larger `j` (then `i`), and
            fills in the other. For phase 0 their basis images are the same; for another they differ in phase.
            `"reference"` measures both in the column `j = width // 2`, as the re-implementation does.
            `"full"` measures every bin, with signs of its own.
        layer: Measure also how much the output of the layer of this name changes: the mean over the images of
            the L2 norm of the change. Takes functional and sequential models; of an `APRModel` pass
            `model.classifier`. Of a layer that is used several times the first use counts.
        seed: Seed of signs and random phases.
        bounds: Lowest and highest pixel value, to which the images are clipped; `None` does not clip.
        bases_per_step: Frequencies a compiled step; a step takes so many times the batch. By default as many
            as bring a step to 128 images. More can pay on an accelerator.
        bases_per_pass: Frequencies a pass over the data, and between two writes of `checkpoint`.
        batch_size: Images a batch where `data` are arrays, default 128.
        data_format: `"channels_last"` or `"channels_first"`.
        checkpoint: Path of a file that keeps what is measured, a line appended after every pass. A later call
            with the same settings, weights and data goes on from it; others are refused. It stays when all
            is done.
        progress: Show a progress bar; `None`: on a terminal where tqdm is installed.

    Returns:
        A `FourierHeatMapResult`; `.error`, `.difference` (to the clean error) and `.layer_change` are maps
        `(height, width)` with DC at `(height // 2, width // 2)`, NaN outside the window. Images whose
        outputs are NaN or infinite count as wrong. Errors are exact counts; changes of a layer are equal
        under another batch size up to float32 rounding.

    Raises:
        ValueError: If `epsilon` is negative or not finite, the layer is unknown, the window goes beyond the
            spectrum, `n` is above the number of images, images lie outside the bounds, the data differ from
            pass to pass, or `checkpoint` is of another run.
        TypeError: If `model` is not a Keras model.

    Source: Yin et al., "A Fourier Perspective on Model Robustness in Computer Vision", NeurIPS 2019,
    section 3. Differs from the original: signs are seeded, the mean is over images and not over batches,
    nothing is flipped, and any size is taken, not even squares only.

    Example:

    >>> heat = keras_freq.evaluate.fourier_heat_map(model, data.test, n=1000)
    >>> heat.error.shape, round(float(heat.difference[16, 16]), 2)
    ((32, 32), 0.04)
    """
    epsilon, phase, seed, bounds = check_perturbation(epsilon, phase, seed, bounds)
    check_choice(coverage, "coverage", COVERAGES)
    check_choice(data_format, "data_format", DATA_FORMATS)
    check_whole(bases_per_pass, "bases_per_pass")
    if bases_per_step is not None:
        check_whole(bases_per_step, "bases_per_step")
    compile_logits(model)  # refuses what is no model
    if n is not None:
        data, batch_size = first_images(model, data, n, batch_size)
    elif isinstance(data, Iterator):
        raise ValueError(
            "`data` must be readable several times, or `n` given: arrays, a tf.data.Dataset or a PyDataset. "
            f"Received: data of type {type(data).__name__}, which can be read only once"
        )
    images, labels, _ = next(iter(labelled_batches(model, data, batch_size)))
    size = images.shape[1:3] if data_format == "channels_last" else images.shape[2:4]
    channels = images.shape[-1] if data_format == "channels_last" else images.shape[1]
    window = check_window(window, *size)
    frequencies = measured_frequencies(*size, coverage=coverage, window=window)
    if not model.built:
        model(to_tensor(images[:1]), training=False)
    target, reduce = (model, count_each) if layer is None else with_layer(model, layer)

    settings = {
        "epsilon": epsilon,
        "phase": phase,
        "coverage": coverage,
        "window": window,
        "layer": layer,
        "seed": seed,
        "bounds": bounds,
        "data_format": data_format,
    }
    run = None
    if checkpoint is not None:
        run = {**settings, "n": n, "image shape": images.shape[1:], "backend": keras.backend.backend()}
        run |= {"weights": weights_digest(model), "first image": _digest(images[0], labels[:1])}
    measured = SweepJournal(checkpoint, run or {}, what="fourier_heat_map")
    todo = [place for place in [None, *frequencies] if _key(place) not in measured.rows]
    per_step = min(bases_per_step or max(1, _IMAGES_PER_STEP // len(images)), max(1, len(todo)))

    step = compile_logits(target, add_bases, reduce)
    clean = None if layer is None else compile_logits(target)
    with progress_bar(progress, "Fourier heat map", "image pass") as advance:
        for start in range(0, len(todo), bases_per_pass):
            part = todo[start : start + bases_per_pass]
            groups = [part[first : first + per_step] for first in range(0, len(part), per_step)]
            rows, seen, digest = _one_pass(
                step,
                clean,
                labelled_batches(model, data, batch_size),
                waves=[basis_tensors(group, per_step, size, phase, data_format) for group in groups],
                draws=[
                    SignedAmplitudes(group, per_step, size, channels, epsilon, phase, seed, data_format)
                    for group in groups
                ],
                bounds=bounds,
                checked=start == 0 and bounds is not None,
                hashed=checkpoint is not None,
                advance=advance,
            )
            classes = rows.shape[-1] - (layer is not None)
            check_labels(seen, len(seen), classes)
            counts = np.bincount(seen, minlength=classes).tolist()
            read = {"count_per_class": counts, "digest": digest}
            _check_same(read, measured.rows.get("data", read))
            # Groups before the last one are full, so the filling is at the end.
            found = zip(map(_key, part), rows[: len(part)].tolist(), strict=True)
            measured.add({"data": read, **dict(found)})
    return _result(model, layer, size, frequencies, measured, settings, batch_size)


def _one_pass(
    step, clean, batches, *, waves, draws, bounds, checked, hashed, advance
) -> tuple[np.ndarray, np.ndarray, str | None]:
    """Sums for the frequencies of a pass, one row each, the labels seen, and a digest of the data."""
    sums, seen, steps, digest = [None] * len(waves), [], 0, hashlib.sha256()
    lower, upper = (to_tensor(np.float32(limit)) for limit in bounds or (-np.inf, np.inf))
    for images, labels, valid in batches:
        if checked:
            check_images(images[:valid], bounds)
        if hashed:
            digest.update(np.ascontiguousarray(images[:valid]))
        seen.append(labels[:valid])
        # Once to the device for all frequencies of the pass. Basis images and signs are arguments, so that
        # one compiled step serves them all, and the sums stay on the device.
        x, y, count = to_tensor(images), to_tensor(labels), to_tensor(np.int32(valid))
        behind = (y, count) if clean is None else (y, count, clean(x))
        for index, (wave, signs) in enumerate(zip(waves, draws, strict=True)):
            counts = step(x, wave, signs.next(len(images), valid), lower, upper, reduce_args=behind)
            sums[index] = counts if sums[index] is None else sums[index] + counts
            steps += 1
            if steps % _AHEAD == 0:
                ops.convert_to_numpy(sums[index])
            advance(valid * len(signs))
    seen = np.concatenate(seen)
    digest.update(seen.astype("int64"))
    rows = np.concatenate([ops.convert_to_numpy(part).astype("float64") for part in sums])
    return rows, seen, digest.hexdigest() if hashed else None


def _key(place: tuple[int, int] | None) -> str:
    return "clean" if place is None else "{},{}".format(*place)


def _check_same(read: dict[str, Any], before: dict[str, Any]) -> None:
    """Refuses other data than those of the passes before."""
    if read != before:
        raise ValueError(
            "The data must be the same, in the same order, at every pass over them. Received: "
            f"{sum(read['count_per_class'])} images, unlike the {sum(before['count_per_class'])} of "
            "an earlier pass"
        )


def _result(model, layer, size, frequencies, measured, settings, batch_size) -> FourierHeatMapResult:
    rows = np.array([measured.rows[_key(place)] for place in frequencies])
    clean, per_class = np.array(measured.rows["clean"]), tuple(measured.rows["data"]["count_per_class"])
    total, outputs = sum(per_class), len(per_class)
    return FourierHeatMapResult(
        model=model.name,
        n=total,
        settings={**settings, "batch_size": batch_size},
        versions=versions(),
        epsilon=settings["epsilon"],
        phase=settings["phase"],
        size=tuple(size),
        frequencies=tuple(frequencies),
        correct_per_class=tuple(map(tuple, rows[:, :outputs].astype("int64").tolist())),
        clean_correct_per_class=tuple(clean[:outputs].astype("int64").tolist()),
        count_per_class=per_class,
        layer=layer,
        layer_changes=None if layer is None else tuple((rows[:, outputs] / total).tolist()),
    )


def check_perturbation(
    epsilon: Any, phase: Any, seed: Any, bounds: Any
) -> tuple[float, float | str, int, tuple[float, float] | None]:
    """What is added to the images, as `fourier_heat_map` takes it."""
    epsilon, seed = (
        check_number(epsilon, "epsilon", least=0),
        check_whole(seed, "seed", least=0),
    )
    if not (isinstance(phase, str) and phase == "random"):
        if not isinstance(phase, Real) or isinstance(phase, bool) or not np.isfinite(phase):
            raise ValueError(
                f"`phase` must be a finite number (radians) or 'random'. Received: phase={phase!r}"
            )
        phase = float(phase)
    return epsilon, phase, seed, None if bounds is None else check_interval(bounds, "bounds")


def _digest(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()
