"""Every sweep, with the image passes that it cannot do without: what the bare network takes is its limit."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Literal

import keras
import numpy as np

import keras_freq as kf
from apps.benchmarks.compiled import compile_forward, wait
from apps.benchmarks.config import Speed
from apps.benchmarks.limits import round_trip, shape_of
from apps.benchmarks.timing import Pair, describe, time_pair


@dataclasses.dataclass(frozen=True)
class Work:
    """A sweep ready to run.

    Args:
        run: The sweep.
        passes: Images through the network (or, for `transform`, through the FFT), each time counted.
        kind: Forward alone, forward and backward, or no network at all.
        frequencies: How many groups of frequencies, masks or bands it measures; 0 where it has none.
    """

    run: Callable[[], object]
    passes: int
    kind: Literal["forward", "gradient", "transform"] = "forward"
    frequencies: int = 0


# (model, images, labels, number of frequencies) -> Work
Sweep = Callable[[keras.Model, np.ndarray, np.ndarray, int], Work]


def accuracy(model, images, labels, frequencies):
    return Work(lambda: kf.evaluate.accuracy(model, (images, labels)), len(images))


def class_scores(model, images, labels, frequencies):
    return Work(lambda: kf.evaluate.class_scores(model, (images, labels)), len(images))


def band_accuracy(model, images, labels, frequencies):
    radii = np.linspace(1, images.shape[1] / 2, frequencies).tolist()
    passes = len(images) * (1 + 2 * frequencies)
    return Work(
        lambda: kf.evaluate.band_accuracy(model, (images, labels), radii=radii),
        passes,
        "forward",
        frequencies,
    )


def fourier_heat_map(model, images, labels, frequencies):
    window = (1, max(0, round((frequencies - 2) / 3)))  # 2 + 3 k frequencies

    def run():
        return kf.evaluate.fourier_heat_map(model, (images, labels), window=window, progress=False)

    count = len(run().frequencies)
    return Work(run, len(images) * (1 + count), "forward", count)


def frequency_importance(model, images, labels, frequencies):
    patch = max(1, round(images.shape[1] / (2 * frequencies) ** 0.5))

    def run():
        return kf.shortcuts.frequency_importance(model, images, labels, patch=patch, progress=False)

    count = run().measured
    return Work(run, len(images) * (1 + count), "forward", count)


def hfss(model, images, labels, frequencies):
    def run():
        return kf.shortcuts.hfss(model, images, labels, budgets=(frequencies,) * 2, top=2, progress=False)

    return Work(run, len(images) * (1 + 2 * frequencies), "forward", 2 * frequencies)


def band_stop(model, images, labels, frequencies):
    edges = tuple(images.shape[1] / 16 * k for k in range(8))
    bands = range(1, len(edges) + 1)
    every = itertools.chain.from_iterable(itertools.combinations(bands, size) for size in (1, 2, 3))
    stopped = list(itertools.islice(every, frequencies))
    return Work(
        lambda: kf.shortcuts.band_stop(model, (images, labels), stopped, edges=edges),
        len(images) * (1 + frequencies),
        "forward",
        frequencies,
    )


def shortcut_report(model, images, labels, frequencies):
    classes, (height, width) = model.output_shape[-1], images.shape[1:3]
    maps = np.stack([kf.spectral.disk_mask(height, width, 2 + k % 8) for k in range(classes)])
    return Work(
        lambda: kf.shortcuts.shortcut_report(model, (images, labels), maps), len(images) * (1 + classes)
    )


def critical_band(model, images, labels, frequencies):
    deviations = np.linspace(0.02, 0.16, max(1, frequencies // 2)).tolist()
    return Work(
        lambda: kf.evaluate.critical_band(model, (images, labels), centers=(2, 5, 10), deviations=deviations),
        len(images) * (2 + 3 * len(deviations)),
        "forward",
        3 * len(deviations),
    )


def amplitude_swap(model, images, labels, frequencies):
    return Work(lambda: kf.evaluate.amplitude_swap(model, (images, labels)), 2 * len(images))


def corruption_error(model, images, labels, frequencies):
    options = {"corruptions": ("brightness", "contrast"), "severities": (3,), "progress": False}
    return Work(lambda: kf.evaluate.corruption_error(model, (images, labels), **options), 3 * len(images))


def flip_rate(model, images, labels, frequencies):
    few = max(1, len(images) // 8)
    frames = kf.data.perturb(images[:1], "brightness").shape[1]
    data = (images[:few], labels[:few])
    return Work(
        lambda: kf.evaluate.flip_rate(model, data, perturbations=("brightness",), progress=False),
        few * frames,
    )


def input_gradient_spectrum(model, images, labels, frequencies):
    run = kf.evaluate.input_gradient_spectrum
    return Work(lambda: run(model, (images, labels)), len(images), "gradient")


def learned_map(model, images, labels, frequencies):
    # As many passes as images times a constant, in batches of 128 as the bare ones; smaller ones cost more.
    options = {"steps": max(1, len(images) // 64), "images_per_step": 64, "progress": False}
    passes = len(np.unique(labels)) * options["steps"] * options["images_per_step"] * 2
    return Work(lambda: kf.shortcuts.learned_map(model, images, labels, **options), passes, "gradient")


def adcs(model, images, labels, frequencies):
    return Work(lambda: kf.shortcuts.adcs(images, labels), len(images), "transform")


def image_spectral_density(model, images, labels, frequencies):
    return Work(lambda: kf.data.image_spectral_density((images, labels)), len(images), "transform")


SWEEPS: dict[str, Sweep] = {
    function.__name__: function
    for function in (
        accuracy,
        class_scores,
        band_accuracy,
        fourier_heat_map,
        frequency_importance,
        hfss,
        band_stop,
        shortcut_report,
        critical_band,
        amplitude_swap,
        corruption_error,
        flip_rate,
        input_gradient_spectrum,
        learned_map,
        adcs,
        image_spectral_density,
    )
}
# What goes backward through the network, and what takes a number of frequencies.
BACKWARD = ("input_gradient_spectrum", "learned_map")
BY_FREQUENCY = (
    "band_accuracy",
    "fourier_heat_map",
    "frequency_importance",
    "hfss",
    "band_stop",
    "critical_band",
)
BY_CLASS = tuple(name for name in SWEEPS if name != "image_spectral_density")
FREQUENCIES = 4  # that a row measures
OTHERS = {
    "forward": "the bare compiled forward, as many images",
    "gradient": "the bare forward + backward, as many images",
    "transform": "bare FFT and back, as many images",
}


def time_sweep(config: Speed, name: str, images: np.ndarray, labels: np.ndarray) -> list[dict]:
    """One sweep against the bare passes of the same network."""
    model = kf.models.small_resnet(images.shape[1:])
    work = SWEEPS[name](model, images, labels, FREQUENCIES)
    size = min(config.batch_size, len(images))
    bare, counted = bare_passes(model, images[:size], labels[:size], work)
    pair = time_pair(work.run, bare, seconds=config.seconds, pairs=config.pairs)
    pair = Pair(pair.ours, tuple(work.passes / counted * seconds for seconds in pair.other), pair.first)
    row = describe(pair, OTHERS[work.kind], case=name, shape=shape_of(images), dtype="float32")
    return [row | {"passes": work.passes, "passes_per_s": round(1e3 * work.passes / row["ours"], 1)}]


def bare_passes(
    model: keras.Model, images: np.ndarray, labels: np.ndarray, work: Work
) -> tuple[Callable[[], None], int]:
    """What does so many passes and nothing else, in batches that lie on the device; how many it does."""
    batch, classes = (keras.ops.convert_to_tensor(array) for array in (images, labels))
    if work.kind == "transform":
        batch = keras.ops.convert_to_tensor(np.ascontiguousarray(np.moveaxis(images, -1, 1)))
        step = compile_forward(round_trip(*images.shape[1:3]))
    elif work.kind == "gradient":
        gradient = kf.attacks.compile_loss_gradient(model)

        def step(x):
            return gradient(x, classes)
    else:
        step = kf.attacks.compile_logits(model)
    count = -(-work.passes // len(images))

    def run():
        for _ in range(count):
            result = step(batch)
        wait(result)

    return run, count * len(images)
