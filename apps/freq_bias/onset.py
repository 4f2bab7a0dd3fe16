"""The first steps of training: input gradients, and accuracy on filtered images, after 0, 1, 2, 4, ..."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

import keras_freq as kf
from apps.freq_bias.config import Onset
from apps.lab import Claim, Run, RunError
from apps.lab.augmentations import wrap
from apps.lab.images import Images, check_counts, load_images
from apps.lab.report import cells, compare, values, write_report
from apps.lab.train import batches, build, compile_for

RINGS = ("low", "mid", "high")
# How the profile of an image is scaled: as published, or not, and then divided by the mean of the bands.
SCALES = {"scaled": "scaled to [0, 1]", "share": "times the mean band"}


def onset(run: Run, config: Onset) -> None:
    images = load_images(run, config.data, radii=(config.radius,))
    check_counts(images, measured_images=config.measured_images)
    steps = config.training.epochs * -(-len(images.train[1]) // config.training.batch_size)
    moments = moments_within(config.iterations)
    if steps < config.iterations:
        raise RunError(
            f"`iterations` must be at most the {steps} steps of `training.epochs`. "
            f"Received: iterations={config.iterations}"
        )
    for seed in config.all_seeds:
        run.measure(f"onset/seed{seed}/steps", _train, run, config, images, moments, seed)
    _draw(run, config, moments)
    _report(run, config, moments)


def moments_within(iterations: int) -> tuple[int, ...]:
    """0, 1, 2, 4, 8, ... steps, and the last one."""
    powers = [2**k for k in range(iterations.bit_length()) if 2**k < iterations]
    return (0, *powers, iterations)


class AtSteps(keras.callbacks.Callback):
    """Calls a function after some numbers of steps, and ends the training with the last of them."""

    def __init__(self, moments: tuple[int, ...], look: Callable[[int], None]):
        super().__init__()
        self.moments, self.look, self.step = moments, look, 0

    def on_train_begin(self, logs=None):
        self._arrive()

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        self._arrive()

    def _arrive(self) -> None:
        if self.step not in self.moments:
            return
        # Asked for before the look: on JAX that brings the weights back from the training loop.
        model = self.model
        self.look(self.step)
        if self.step == self.moments[-1]:
            model.stop_training = True


def _train(
    run: Run, config: Onset, images: Images, moments: tuple[int, ...], seed: int
) -> list[dict[str, object]]:
    """Trains a network, and looks at it on the way."""
    training = config.training
    model = build(training, images.train, len(images.classes), seed=seed, name=f"{training.network}_{seed}")
    wrapper = wrap(model, training, images.shape, seed=seed)
    if not wrapper.built:
        wrapper.build((None, *images.shape))
    feed = batches(training, *images.train, seed=seed)
    compile_for(wrapper, training, steps=len(feed), classes=len(images.classes))
    rows: list[dict[str, object]] = []
    with run.bar(len(moments), f"seed {seed}") as bar:

        def look(step: int) -> None:
            rows.extend({"step": step, "seed": seed, **row} for row in _look(config, model, images))
            bar.update()

        callbacks = [AtSteps(moments, look)]
        wrapper.fit(feed, epochs=training.epochs, verbose=0, shuffle=False, callbacks=callbacks)
    return rows


def _look(config: Onset, model: keras.Model, images: Images) -> list[dict[str, object]]:
    """Rings of the input gradients, accuracy on test images as they are and filtered."""
    scaled, plain = (
        kf.evaluate.input_gradient_spectrum(
            model,
            images.test,
            center=config.center,
            bins=config.bins,
            n=config.measured_images,
            normalize=normalize,
        )
        for normalize in (True, False)
    )
    level = float(np.mean(plain.mean))
    bands = kf.evaluate.band_accuracy(model, images.test, radii=(config.radius,))
    rows: list[dict[str, object]] = [
        {"measure": f"accuracy {name}", "value": value, "n": bands.n}
        for name, value in (("whole", bands.clean), ("low", bands.low[0]), ("high", bands.high[0]))
    ]
    for scale, rings in (("scaled", scaled.ring_means()), ("share", plain.ring_means())):
        for ring in RINGS:
            value = rings[ring] if scale == "scaled" else rings[ring] / level
            rows.append({"measure": f"gradient {ring}, {scale}", "value": value, "n": scaled.n})
    return rows


def _lines(run: Run, measure: str, moments: tuple[int, ...]) -> np.ndarray:
    """The values of a measure, `(seeds, moments)`."""
    return np.stack([values(run, measure=measure, step=step) for step in moments], axis=1)


def _draw(run: Run, config: Onset, moments: tuple[int, ...]) -> None:
    x = [0, *(1 + np.log2(step) for step in moments[1:])]  # 0 has a place of its own, before 1
    accuracy = {
        "test images": "accuracy whole",
        f"low-passed, r = {config.radius:g}": "accuracy low",
        f"high-passed, r = {config.radius:g}": "accuracy high",
    }
    run.figure(
        "onset_accuracy",
        kf.plots.curves(
            {"": {label: _lines(run, measure, moments) for label, measure in accuracy.items()}},
            x=x,
            xlabel="1 + log2 of the steps; 0: untrained",
            title="Accuracy after the first steps of training",
        ),
    )
    panels = {
        text: {f"{ring} bands": _lines(run, f"gradient {ring}, {scale}", moments) for ring in RINGS}
        for scale, text in SCALES.items()
    }
    run.figure(
        "onset_gradients",
        kf.plots.curves(
            panels,
            x=x,
            xlabel="1 + log2 of the steps; 0: untrained",
            ylabel="mean of the bands",
            limits=None,
            title="Input gradients of test images after the first steps of training",
        ),
    )


def first_step(accuracies: np.ndarray, moments: tuple[int, ...], level: float) -> float:
    """The first of the moments at which a level is reached for good; infinite where it is not."""
    below = np.flatnonzero(np.asarray(accuracies) < level)
    place = below[-1] + 1 if len(below) else 0
    return float(moments[place]) if place < len(moments) else float("inf")


def _report(run: Run, config: Onset, moments: tuple[int, ...]) -> None:
    measures = [f"accuracy {name}" for name in ("whole", "low", "high")]
    measures += [f"gradient {ring}, {scale}" for scale in SCALES for ring in RINGS]
    rows = [[str(step), *cells(run, measures, step=step)] for step in moments]
    seen = next(r["n"] for r in run.records if r.get("measure") == "accuracy whole")
    n = config.measured_images or seen

    def claim(text: str, step: int, one: str, other: str, names: tuple[str, str], count: int = n) -> Claim:
        both = [
            (name, values(run, step=step, measure=m)) for name, m in zip(names, (one, other), strict=True)
        ]
        return compare(
            text,
            *both,
            published="heat maps only, no numbers",
            n=count,
            stages=("onset/",),
            higher=f"{names[0]} is higher",
            lower=f"{names[1]} is higher",
        )

    claims = []
    early = next(step for step in moments if step >= min(8, moments[-1]))
    for scale, text in SCALES.items():
        for step in dict.fromkeys((0, early, moments[-1])):
            when = "before any training" if step == 0 else f"after {step} steps"
            claims.append(
                claim(
                    f"Input gradients are larger in the low bands than in the high ones, {when} ({text})",
                    step,
                    *(f"gradient low, {scale}", f"gradient high, {scale}"),
                    ("low", "high"),
                )
            )
    for step in dict.fromkeys((early, moments[-1])):
        claims.append(
            claim(
                f"Accuracy is higher on low-passed images than on high-passed ones, after {step} steps",
                step,
                *("accuracy low", "accuracy high", ("low-passed", "high-passed"), seen),
            )
        )
    reached = {
        name: [first_step(line, moments, config.level) for line in _lines(run, f"accuracy {name}", moments)]
        for name in ("low", "high")
    }
    if np.isfinite([*reached["low"], *reached["high"]]).all():
        claims.append(
            compare(
                f"Low-passed images reach an accuracy of {config.level:g} before high-passed ones, in steps",
                ("low-passed", reached["low"]),
                ("high-passed", reached["high"]),
                n=seen,
                stages=("onset/",),
                higher="low-passed later",
                lower="low-passed sooner",
                digits=0,
            )
        )
    never = {name: int(np.isinf(steps).sum()) for name, steps in reached.items()}
    notes = (
        f"Low- and high-passed at radius {config.radius:g}. Gradients: mean of the bands of each ring (low: "
        "below 1/8 cycles per pixel, high: from 1/4 on), with each image's profile scaled to [0, 1] as "
        f"published, and as it is, divided by the mean over all bands. An accuracy of {config.level:g} is "
        f"reached when it is kept from then on; in {config.seeds} seeds it never was on low-passed images in "
        f"{never['low']}, on high-passed ones in {never['high']}."
    )
    write_report(
        run,
        "Frequency bias: the first steps",
        claims,
        ("Accuracy and input gradients after so many steps", ["steps", *measures], rows),
        notes=notes,
    )
