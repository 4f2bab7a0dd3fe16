"""What each augmentation costs in a training step of the lab, beyond the same step without it."""

from __future__ import annotations

import functools
from collections.abc import Callable

import keras
import numpy as np

import keras_freq as kf
from apps.benchmarks.config import Speed
from apps.benchmarks.limits import count_cores, shape_of
from apps.benchmarks.timing import Pair, describe, time_pair
from apps.lab.augmentations import PLAIN_ROWS, ROWS, wrap
from apps.lab.networks import classifier
from apps.lab.settings import Training

# The rows of the lab with a layer of this package; with `full` all of them.
OURS = ("apr_p", "apr_s", "apr_sp", "aug_mix", "fourier_noise", "hybrid_augment_pp", "fda")


def choose_rows(config: Speed) -> tuple[str, ...]:
    """`standard` (crop and flip), `standard_twice` (two halves), and what is measured against them."""
    every = ("standard", "standard_twice", *OURS)
    return (*every, *(name for name in PLAIN_ROWS if name not in every)) if config.full else every


def time_training(config: Speed, name: str, images: np.ndarray, labels: np.ndarray) -> list[dict]:
    """A step of small_resnet, beside the step without the augmentation.

    What doubles the batch (a pair of images is recombined, and the clean half stays) is measured against the
    doubled batch that is not recombined; all else against crop and flip; crop and flip against nothing.
    """
    training = Training(augmentation=name)
    doubled = "pair" in ROWS[name].layers(keras, kf, training, 0)
    other = "standard_twice" if doubled and name != "standard_twice" else "standard"
    if name == "standard":
        theirs, what = _step(kf.models.small_resnet(images.shape[1:]), images, labels), "no augmentation"
    else:
        theirs, what = make_step(other, images, labels), f"the step of {ROWS[other].label}"
    pair = time_pair(make_step(name, images, labels), theirs, seconds=2 * config.seconds, pairs=config.pairs)
    entries = {"case": ROWS[name].label, "shape": shape_of(images), "dtype": "float32"}
    return [describe(pair, what, **entries)]


def time_fit(config: Speed, images: np.ndarray, labels: np.ndarray) -> list[dict]:
    """An epoch of `fit` with APR-S by the layer in the model, and by `data.Augmented`, beside one without.

    In milliseconds a batch; the processes of `data.Augmented` are as many as cores.
    """
    shape, count = images.shape[1:], 16
    many = np.tile(np.round(images * 255).astype("uint8"), (count, 1, 1, 1)), np.tile(labels, count)
    feed = kf.data.ArrayBatches(*many, batch_size=len(images))
    by_workers = kf.data.Augmented(feed, kf.layers.APRSingle(), workers=count_cores())
    plain = _fit(kf.models.small_resnet(shape), feed)
    with_layer = keras.Sequential(
        [keras.Input(shape), kf.layers.APRSingle(seed=0), kf.models.small_resnet(shape)]
    )
    rows = []
    for name, ours in (
        ("the layer", _fit(with_layer, feed)),
        ("Augmented", _fit(kf.models.small_resnet(shape), by_workers)),
    ):
        pair = time_pair(ours, plain, seconds=2 * config.seconds, pairs=config.pairs)
        mine, others = (tuple(seconds / count for seconds in part) for part in (pair.ours, pair.other))
        entries = {"case": f"fit with APR-S by {name}", "shape": shape_of(images), "dtype": "float32"}
        rows.append(describe(Pair(mine, others, pair.first), "fit without augmentation", **entries))
    return rows


def _fit(model: keras.Model, feed: keras.utils.PyDataset) -> Callable[[], object]:
    _compile(model)
    return functools.partial(model.fit, feed, shuffle=False, verbose=0)


_STEPS: dict[tuple, Callable[[], object]] = {}  # compiled once, also as what others are measured against


def make_step(name: str, images: np.ndarray, labels: np.ndarray) -> Callable[[], object]:
    """`train_on_batch` of small_resnet with a row of the lab's table."""
    key = (name, images.shape)
    if key not in _STEPS:
        training = Training(augmentation=name)
        model = classifier(training, images.shape[1:], 10, seed=0, name="small")
        _STEPS[key] = _step(wrap(model, training, images.shape[1:], seed=0), images, labels)
    return _STEPS[key]


def _step(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> Callable[[], object]:
    _compile(model)
    return functools.partial(model.train_on_batch, images, labels)


def _compile(model: keras.Model) -> None:
    # PyTorch's compiler takes minutes for what a benchmark runs a few times.
    jit = False if keras.backend.backend() == "torch" else "auto"
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, jit_compile=jit)
