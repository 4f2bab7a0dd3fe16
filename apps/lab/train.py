"""The one trainer: a network of a recipe, from the store or trained into it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_freq as kf
from apps.lab.augmentations import wrap
from apps.lab.flips import AlternatingFlips
from apps.lab.images import exact_bytes
from apps.lab.lookahead import Lookahead
from apps.lab.networks import classifier
from apps.lab.recipe import recipe
from apps.lab.resumable import fit_resumably
from apps.lab.run import Run
from apps.lab.schedules import VALIDATION_LOSS, Plateau, learning_rate
from apps.lab.settings import Training
from apps.lab.shared import find_reference
from apps.lab.store import Kept, dependencies, describe, open_network, origin_of

# How many training images a network is shown that starts from their statistics.
WHITENED = 5000


@dataclasses.dataclass(frozen=True)
class Stream:
    """Training images that are not held in memory.

    Args:
        batches: A feed as `apps.lab.resumable.fit_resumably` takes it, of known length.
        shape: Shape of an image.
        content: What the images are, in plain values: set, version, split, size, number. It stands for their
            content in the digest of the network.
    """

    batches: Any
    shape: tuple[int, int, int]
    content: Mapping[str, Any]


def trained(
    run: Run,
    name: str,
    training: Training,
    data: tuple[np.ndarray, np.ndarray] | Stream,
    *,
    classes: int,
    seed: int,
    record: Mapping[str, Any] | None = None,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    watch: Any = None,
    anew: bool = False,
) -> tuple[keras.Model, dict[str, list[float]]]:
    """The network of a recipe: trained once, and found by whoever asks for it again.

    It is kept under the digest of all that it follows from: the settings that matter, the content of the
    training images and labels, classes, seed, backend and versions. One that was cut short goes on after its
    last epoch; one that another process trains is waited for.

    Args:
        run: The run. It gets one record ``<name>/seed<seed>/training``, of measure `training accuracy`.
        name: Name of the network in this run, such as ``"natural"``.
        training: The recipe.
        data: Training images (uint8, or floats in [0, 1]) and labels, or a stream. The share
            `training.validation` of every class is held out, the same images whatever the seed, and never
            augmented.
        classes: Number of classes.
        seed: Seed of the weights, of the augmentation and of the order of the images.
        record: What the record says about the network beyond that; ``{"network": name}`` by default.
        callbacks: What is measured on the way. They must not change the training. One with a method
            `keep_in(folder)` is told the folder of the network first, where it may keep files of its own.
        watch: What the callbacks measure, with which settings and on which images: numbers, text, lists,
            dictionaries, arrays. Needed with callbacks.
        anew: Whether it is trained even where it is a reference network, whose weights (in half precision, of
            any backend) are taken otherwise.

    Returns:
        The classifier, and the history: metric name to one number an epoch.
    """
    callbacks, label = tuple(callbacks), f"{name}/seed{seed}"
    about = {"run": str(run.folder), "label": label, "data": _describe_data(run, data)}
    one = obtain(
        run.config.store,
        label,
        training,
        data,
        classes=classes,
        seed=seed,
        about=about,
        say=run.say,
        callbacks=callbacks,
        watch=watch,
        anew=anew,
    )
    if one.found and not run.measured(f"{label}/training"):
        run.say(f"{label}: {one.found} (trained in {one.facts['minutes']:.1f} minutes)")
    run.measure(f"{label}/training", _record, one, seed, record or {"network": name})
    return one.model, one.history


@dataclasses.dataclass(frozen=True)
class Obtained:
    """A trained network.

    Args:
        model: The classifier.
        history: Metric name to one number an epoch.
        facts: How the training went: minutes, epochs, parameters, number of images.
        digest: Digest of all that the network follows from.
        origin: The same but for backend and versions.
        found: Where it was found; empty where it was trained for whoever asks.
    """

    model: keras.Model
    history: dict[str, list[float]]
    facts: dict[str, Any]
    digest: str
    origin: str
    found: str = ""


def follows_from(
    training: Training, data: tuple[np.ndarray, np.ndarray] | Stream, *, classes: int, seed: int
) -> dict[str, Any]:
    """All that a trained network follows from, as plain values."""
    content: Any
    if isinstance(data, Stream):
        content = data.content
    else:
        # The same network by whichever of the two forms: floats of bytes are digested as bytes.
        content = {"images": exact_bytes(data[0]), "labels": np.asarray(data[1], "int64")}
    follows = {"recipe": recipe(training), "data": content, "classes": classes, "seed": seed}
    return describe(follows | dependencies())


def obtain(
    store: str | Path,
    label: str,
    training: Training,
    data: tuple[np.ndarray, np.ndarray] | Stream,
    *,
    classes: int,
    seed: int,
    about: Mapping[str, Any],
    say: Callable[[str], None] = print,
    callbacks: tuple[keras.callbacks.Callback, ...] = (),
    watch: Any = None,
    anew: bool = False,
) -> Obtained:
    """`trained` without a run: the network of a recipe from the store, or trained into it.

    `about` is written beside the network, and says with its entry ``run`` whose training it is.
    """
    if callbacks and watch is None:
        raise ValueError("`watch` must say what the callbacks measure. Received: watch=None")
    if isinstance(data, Stream) and training.validation:
        raise ValueError(
            "`training.validation` must be 0 for images that are not held in memory. "
            f"Received: training.validation={training.validation}"
        )
    follows = follows_from(training, data, classes=classes, seed=seed)
    origin = origin_of(follows)
    shared = None if anew or watch is not None else find_reference(origin)
    title = label.rpartition("/")[0].replace("/", "-")
    if shared is not None:
        known, weights = shared
        model = build(training, data, classes, seed=seed, name=title)
        model.set_weights(weights)
        history = {name: list(numbers) for name, numbers in known.history.items()}
        found = f"the reference network {known.name}, seed {known.seed}"
        return Obtained(model, history, {"minutes": known.minutes}, origin, origin, found)
    with open_network(store, follows, watch=watch, say=say, label=label) as kept:
        model = build(training, data, classes, seed=seed, name=title)
        for callback in callbacks:
            if hasattr(callback, "keep_in"):
                callback.keep_in(kept.folder)
        if not kept.finished:
            kept.begin(about)
            _fit(kept, training, model, data, classes=classes, seed=seed, label=label, callbacks=callbacks)
        weights, history, facts = kept.read([tuple(weight.shape) for weight in model.weights])
        model.set_weights(weights)
        here = kept.recipe.get("run") == about["run"]
    return Obtained(model, history, facts, kept.digest, origin, "" if here else f"found in {kept.folder}")


def _record(one: Obtained, seed: int, record: Mapping[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {
        name: one.facts[name] for name in ("epochs", "parameters", "n", "batches") if name in one.facts
    }
    return {
        **record,
        "measure": "training accuracy",
        "value": one.history["accuracy"][-1],
        "seed": seed,
        **facts,
        "digest": one.digest,
        "origin": one.origin,
        "trained": "before" if one.found else "here",
        "training_minutes": one.facts["minutes"],
        "seconds": 0.0 if one.found else sum(one.history["seconds"]),
    }


def build(training: Training, data: Any, classes: int, *, seed: int, name: str) -> keras.Model:
    """The network of a recipe as it is before its training."""
    shape = data.shape if isinstance(data, Stream) else data[0].shape[1:]
    side = training.crop.size
    seen = shape if side is None else (side, side, shape[2])
    images = None if isinstance(data, Stream) else data[0][:WHITENED]
    return classifier(training, seen, classes, seed=seed, name=name, images=images)


def _describe_data(run: Run, data: Any) -> str:
    """The data set of the run, and what is trained on: for whoever lists the store."""
    names = [record["value"] for record in run.records if record["stage"] == "data"]
    count = len(data.batches) if isinstance(data, Stream) else len(data[1])
    shape = data.shape if isinstance(data, Stream) else data[0].shape[1:]
    unit = "batches of " if isinstance(data, Stream) else ""
    return ", ".join([*names, f"{count} {unit}{'x'.join(map(str, shape))}"])


def _fit(
    kept: Kept,
    training: Training,
    model: keras.Model,
    data: Any,
    *,
    classes: int,
    seed: int,
    label: str,
    callbacks: tuple[keras.callbacks.Callback, ...],
) -> None:
    """Trains the classifier, or goes on with it, and keeps what comes out."""
    validation: kf.data.ArrayBatches | None = None
    facts: dict[str, Any] = {}
    if isinstance(data, Stream):
        feed, shape = data.batches, data.shape
        facts["batches"] = len(feed)
    else:
        rows, held = hold_out(data[1], training.validation)
        # No copy where nothing is held out.
        images, labels = (part[rows] if len(held) else part for part in data)
        if len(held):
            validation = kf.data.ArrayBatches(*(part[held] for part in data), batch_size=training.batch_size)
        feed = batches(training, images, labels, seed=seed)
        shape = images.shape[1:]
        facts["n"] = len(labels)
    wrapper = wrap(model, training, shape, seed=seed)
    if not wrapper.built:
        wrapper.build((None, *shape))
    steps = len(feed)
    compile_for(wrapper, training, steps=steps, classes=classes)
    own: list[keras.callbacks.Callback] = []
    epochs = training.epochs
    if training.iterations is not None:
        epochs = math.ceil(training.iterations / steps)
        own.append(_Stop(training.iterations, steps))
    if training.schedule == "plateau":
        own.append(Plateau(training, kept.checkpoint))
    history = fit_resumably(
        wrapper,
        feed,
        epochs=epochs,
        checkpoint=kept.checkpoint,
        callbacks=[*own, *callbacks],
        validation_data=validation,
        label=label,
    )
    last = {name: history[key][-1] for name, key in _LAST.items() if key in history}
    minutes = round(sum(history["seconds"]) / 60, 3)
    facts |= {"epochs": epochs, "parameters": model.count_params(), "minutes": minutes, **last}
    kept.finish(model.get_weights(), history, **facts)


_LAST = {"training accuracy": "accuracy", "validation accuracy": "val_accuracy"}


def batches(training: Training, images: np.ndarray, labels: np.ndarray, *, seed: int) -> kf.data.ArrayBatches:
    """The images in the batches and the order of the recipe, mirrored in turn where it says so."""
    kind = AlternatingFlips if training.crop.flip == "alternating" else kf.data.ArrayBatches
    return kind(images, labels, batch_size=training.batch_size, shuffle=True, seed=seed)


def compile_for(model: keras.Model, training: Training, *, steps: int, classes: int) -> None:
    """Compiles with the optimizer, schedule, weight decay and loss of the recipe, `steps` steps an epoch."""
    rate = learning_rate(training, steps)
    decay: dict[str, float] = {}
    if training.weight_decay and training.decoupled:
        decay = {"weight_decay": training.weight_decay}
    elif training.weight_decay:
        # In the loss, as the published optimizers have it: their momentum gathers the decay too.
        for variable in model.trainable_variables:
            variable.regularizer = keras.regularizers.L2(training.weight_decay / 2)
    optimizer: keras.optimizers.Optimizer
    if training.optimizer == "adam":
        optimizer = keras.optimizers.Adam(rate, **decay)
    else:
        momenta = {"momentum": training.momentum, "nesterov": training.nesterov}
        optimizer = (
            Lookahead(rate, total=_count_steps(training, steps), every=training.lookahead, **momenta, **decay)
            if training.lookahead
            else keras.optimizers.SGD(rate, **momenta, **decay)
        )
    smoothing = training.label_smoothing
    loss: Any = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    cross_entropy: Any = keras.metrics.SparseCategoricalCrossentropy
    if isinstance(model, kf.training.MixtureModel):  # its labels are shares of the classes
        cross_entropy = keras.metrics.CategoricalCrossentropy
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    elif smoothing:

        def loss(labels, logits):
            wanted = keras.ops.one_hot(keras.ops.cast(keras.ops.reshape(labels, (-1,)), "int32"), classes)
            return keras.losses.categorical_crossentropy(
                wanted, logits, from_logits=True, label_smoothing=smoothing
            )

    metrics: list[Any] = ["accuracy"]
    if training.validation:
        # The loss with the weight decay falls where the weights shrink; the schedule asks for this one.
        name = VALIDATION_LOSS.removeprefix("val_")
        metrics.append(cross_entropy(from_logits=True, name=name))
    model.compile(optimizer, loss, metrics=metrics)


def _count_steps(training: Training, steps: int) -> int:
    return training.iterations or steps * training.epochs


def hold_out(labels: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Places of the images to train on and of those to validate with, each in the stored order.

    Of every class the same share is held out, drawn once and for all: networks of all seeds see one split.
    """
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        count = math.floor(share * len(own) + 0.5)
        held[np.random.default_rng([0, int(label)]).permutation(own)[:count]] = True
    if share > 0 and (held.all() or not held.any()):
        raise ValueError(
            f"`training.validation` must leave images on both sides of the split of {len(labels)}. "
            f"Received: training.validation={share:g}"
        )
    return np.flatnonzero(~held), np.flatnonzero(held)


class _Stop(keras.callbacks.Callback):
    """Ends training after so many steps, those of earlier processes included."""

    def __init__(self, iterations: int, steps: int):
        super().__init__()
        self.iterations, self.steps, self.epoch = iterations, steps, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch * self.steps + batch + 1 >= self.iterations:
            self.model.stop_training = True
