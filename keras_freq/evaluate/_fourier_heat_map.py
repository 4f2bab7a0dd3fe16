"""Error under one Fourier basis image at a time: which frequencies a model cannot bear."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from keras_freq._core.checks import (
    check_choice,
    check_number,
    check_readable_again,
    check_whole,
    show,
)
from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import compile_logits
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.identity import identify
from keras_freq._core.journal import SweepJournal
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import versions
from keras_freq._core.sweep import sweep_items
from keras_freq.evaluate._heat_map_result import FourierHeatMapResult
from keras_freq.evaluate._heat_map_step import (
    COVERAGES,
    SignedBases,
    add_bases,
    attach_layer,
    check_window,
    count_each,
    select_frequencies,
)

# Images per compiled step by default: a larger step is slower on CPUs.
_IMAGES_PER_STEP = 128


def fourier_heat_map(
    model: keras.Model | Classifier,
    data: Any,
    *,
    epsilon: float = 4.0,
    phase: float | str = 0.0,
    n: int | None = None,
    window: int | Sequence[int] | None = None,
    coverage: str = "half",
    layer: str | None = None,
    top: int = 1,
    seed: int = 0,
    bounds: Sequence[float] | None = None,
    bases_per_step: int | None = None,
    bases_per_pass: int = 64,
    batch_size: int | None = None,
    data_format: str | None = None,
    checkpoint: str | os.PathLike | None = None,
    progress: bool | None = None,
) -> FourierHeatMapResult:
    """Error of a model on images with a single frequency added, for all frequencies.

    `x' = clip(x + r * epsilon * U_ij)`, where `U_ij` is the real image of Frobenius norm 1 whose spectrum is
    the centered index `(i, j)` and its mirror (`keras_freq.spectral.fourier_basis`), and `r` is -1 or 1 with
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
            horizontal); `window=31` gives what is shown of 224-pixel images. Default all.
        coverage: `"half"` measures one of each conjugate pair, the one with the larger `j` (then `i`), and
            fills in the other. For phase 0 their basis images are the same; for another they differ in phase.
            `"reference"` measures both in the column `j = width // 2`, as the re-implementation does.
            `"full"` measures every bin, with signs of its own.
        layer: Measure also how much the output of the layer of this name changes: the mean over the images of
            the L2 norm of the change. Takes functional and sequential models; of an `APRModel` pass
            `model.classifier`. Of a layer that is used several times the first use counts.
        top: An image counts as right where its class is among so many with the largest logits; 5 measures the
            top-5 error.
        seed: Seed of signs and random phases.
        bounds: Lowest and highest pixel value that the model takes, to which the images are clipped; default
            what its `Classifier` says. `epsilon` is for pixels on [0, 1] all the same.
        bases_per_step: Frequencies per compiled step, which takes so many times the batch. By default as many
            as bring a step to 128 images. More can pay on an accelerator.
        bases_per_pass: Frequencies per pass over the data, and between two writes of `checkpoint`.
        batch_size: Images per batch where `data` are arrays, default 128.
        data_format: `"channels_last"` or `"channels_first"`; default that of the model.
        checkpoint: Path of a file that keeps what is measured, a line appended after every pass. A later call
            with the same settings, weights and data goes on from it; others are refused, for which the data
            are read once more. It stays when all is done.
        progress: Show a progress bar; `None`: on a terminal.

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
        section 3.
        Differs from the original: signs are seeded, the mean is over images and not over batches, nothing is
        flipped, and any size is taken, not even squares only.

    Example:
        >>> heat = kf.evaluate.fourier_heat_map(model, data, epsilon=4.0, window=2)
        >>> heat.error.shape, int(np.isfinite(heat.error).sum())
        ((32, 32), 25)
    """
    epsilon, phase, seed = check_perturbation(epsilon, phase, seed)
    check_choice(coverage, "coverage", COVERAGES)
    check_whole(bases_per_pass, "bases_per_pass")
    top = check_whole(top, "top")
    if bases_per_step is not None:
        check_whole(bases_per_step, "bases_per_step")
    if n is None:
        check_readable_again(data, when="several times, or `n` given")
    feed = ModelFeed(
        model,
        data,
        batch_size=batch_size,
        n=n,
        value_range=bounds,
        data_format=data_format,
        hashed=checkpoint is not None,
    )
    data_format = feed.data_format
    window = check_window(window, *feed.size)
    frequencies = select_frequencies(*feed.size, coverage=coverage, window=window)
    step, prepare = _compile_step(feed.model, layer, top)
    settings = {
        "epsilon": epsilon,
        "phase": phase,
        "coverage": coverage,
        "window": window,
        "layer": layer,
        "seed": seed,
        "top": top,
        **feed.settings,
    }
    run: dict[str, Any] = {}
    if checkpoint is not None:
        run = {
            **settings,
            "n": n,
            "image shape": feed.image_shape,
            "rows": "counts, undefined, change",
            "backend": keras.backend.backend(),
        }
        run |= {**identify(feed.model), "data": feed.digest()}
    journal = SweepJournal(checkpoint, run, what="fourier_heat_map")

    def load(places: list) -> SignedBases:
        return SignedBases(
            places,
            size=feed.size,
            channels=feed.channels,
            epsilon=epsilon,
            phase=phase,
            seed=seed,
            data_format=data_format,
        )

    items = {"clean": None, **{f"{i},{j}": (i, j) for i, j in frequencies}}
    with progress_bar(progress, "Fourier heat map", "image pass") as advance:
        clean, *rows = sweep_items(
            items,
            feed,
            step,
            load=load,
            prepare=prepare,
            draw=lambda bases, batch, valid: (bases.waves, bases.draw_amplitudes(batch, valid)),
            per_step=min(len(items), bases_per_step or max(1, _IMAGES_PER_STEP // feed.batch_size)),
            per_pass=bases_per_pass,
            journal=journal,
            advance=advance,
        )
    return FourierHeatMapResult(
        model=feed.model.name,
        n=feed.n,
        settings={**settings, "batch_size": batch_size},
        versions=versions(),
        epsilon=epsilon,
        phase=phase,
        size=feed.size,
        frequencies=tuple(frequencies),
        correct_per_class=tuple(tuple(row[: feed.classes].astype("int64").tolist()) for row in rows),
        clean_correct_per_class=tuple(clean[: feed.classes].astype("int64").tolist()),
        count_per_class=tuple(feed.count_per_class.tolist()),
        undefined=sum(int(row[feed.classes]) for row in (clean, *rows)),
        layer=layer,
        layer_changes=None if layer is None else tuple(float(row[-1] / feed.n) for row in rows),
    )


def _compile_step(model: Classifier, layer: str | None, top: int) -> tuple[Callable, Callable]:
    """The step of the sweep, and what it needs of a batch: the images, and a layer's outputs for them."""
    target, reduce = (model, count_each) if layer is None else attach_layer(model, layer)
    among = () if top == 1 else (np.int32(top),)
    count, clean = compile_logits(target, add_bases, reduce), compile_logits(target)

    def prepare(images: Any) -> tuple:
        return (images,) if layer is None else (images, clean(images))

    def step(prepared: tuple, labels: Any, valid: Any, signed: tuple) -> Any:
        images, *outputs = prepared
        return count(images, *signed, reduce_args=(labels, valid, *outputs, *among))

    return step, prepare


def check_perturbation(epsilon: Any, phase: Any, seed: Any) -> tuple[float, float | str, int]:
    """What is added to the images, as `fourier_heat_map` takes it."""
    if not (isinstance(phase, str) and phase == "random"):
        try:
            phase = check_number(phase, "phase")
        except ValueError:
            raise ValueError(
                f"`phase` must be a finite number (radians) or 'random'. Received: phase={show(phase)}"
            ) from None
    return (
        check_number(epsilon, "epsilon", least=0),
        phase,
        check_whole(seed, "seed", least=0),
    )
