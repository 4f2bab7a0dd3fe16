"""The classifiers, and training them resumably."""

from __future__ import annotations

import contextlib
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

import keras_freq as kf
from apps.apr.config import Shared, Training
from apps.apr.rows import wrapped
from apps.apr.schedules import learning_rate
from apps.lab import Run, RunError
from apps.lab.config import as_dict, differences
from apps.lab.files import read_records
from apps.lab.images import Images
from apps.lab.resumable import epochs_done, fit_resumably

LABELS = {
    "small_resnet": "small ResNet",
    "resnet18": "ResNet-18",
    "wrn_40_2": "WRN-40-2",
    "all_conv": "AllConv",
    "densenet": "DenseNet (40, 12)",
    "resnext": "ResNeXt-29 (4x32)",
}


def classifier(
    network: str, shape: tuple[int, ...], classes: int, *, training: Training, seed: int, name: str
) -> keras.Model:
    """The network with weights drawn from the seed, as APR's authors configure it."""
    keras.utils.set_random_seed(seed)
    options = {"name": name, "seed": seed}
    with precision(training.precision):
        if network == "small_resnet":
            return kf.models.small_resnet(shape, classes, width=training.width, **options)
        if network == "resnet18":
            return kf.models.resnet_cifar(18, shape, classes, **options)
        if network == "wrn_40_2":
            return kf.models.wide_resnet(40, 2, shape, classes, **options)
        if network == "all_conv":
            return kf.models.all_conv(shape, classes, **options)
        if network == "densenet":
            return kf.models.densenet_cifar(40, 12, shape, classes, stem=24, **options)
        return kf.models.resnext_cifar(29, 4, 32, shape, classes, **options)


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """Layers made inside compute in that policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def trained(run: Run, config: Shared, network: str, row: str, images: Images, *, seed: int) -> keras.Model:
    """The classifier of one row, trained or taken from the run that `config.weights` names."""
    model = classifier(
        network, images.shape, len(images.classes), training=config.training, seed=seed, name=row
    )
    name = f"{network}/{row}/seed{seed}"
    train(
        run,
        name,
        wrapped(row, model, config.augmentations, seed=seed),
        images.train,
        training=config.training,
        seed=seed,
        config=config,
        record={"network": network, "row": row},
    )
    return model


def train(
    run: Run,
    name: str,
    model: keras.Model,
    data: tuple[np.ndarray, np.ndarray],
    *,
    training: Training,
    seed: int,
    config: Shared,
    record: dict,
) -> None:
    """Trains a wrapped classifier and records its last training accuracy.

    Args:
        run: The run.
        name: Name of the checkpoint and, with ``/training``, of the stage.
        model: The wrapper; it is built and compiled here.
        data: Images and labels.
        training: Optimiser, batches and epochs.
        seed: Seed of the order of the images.
        config: The settings, for `weights`.
        record: What the record says about the network.
    """
    x, y = data
    model.build((None, *x.shape[1:]))
    compile_for(model, training, steps=math.ceil(len(y) / training.batch_size))
    checkpoint = run.checkpoint(name)
    taken = _take(run, config, training, name, checkpoint)
    history = fit_resumably(
        model,
        kf.data.ArrayBatches(x, y, batch_size=training.batch_size, shuffle=True, seed=seed),
        epochs=training.epochs,
        checkpoint=checkpoint,
        label=name,
    )
    run.measure(
        f"{name}/training",
        lambda: {
            **record,
            "measure": "training accuracy",
            "value": history["accuracy"][-1],
            "seed": seed,
            "epochs": training.epochs,
            "parameters": model.count_params(),
            "n": len(y),
            "weights": "of another run" if taken else "trained here",
            "seconds": 0.0 if taken else sum(history["seconds"]),
        },
    )


def compile_for(model: keras.Model, training: Training, *, steps: int) -> None:
    """Compiles with the optimiser, schedule and weight decay of the settings, `steps` steps an epoch."""
    if training.weight_decay:
        # In the loss, as the published optimiser has it: its momentum gathers the decay too.
        for variable in model.trainable_variables:
            variable.regularizer = keras.regularizers.L2(training.weight_decay / 2)
    optimizer = keras.optimizers.SGD(
        learning_rate(training, steps), momentum=training.momentum, nesterov=training.nesterov
    )
    mixed = isinstance(model, kf.training.MixtureModel)
    loss = keras.losses.CategoricalCrossentropy if mixed else keras.losses.SparseCategoricalCrossentropy
    model.compile(optimizer, loss(from_logits=True), metrics=["accuracy"])


# What a trained network follows from. Where images lie, and how many are tested on, is no part of it.
_TRAINED_BY = (
    "data",
    "training",
    "augmentations",
    "epochs",
    "rates",
    "singles",
    "train_epsilon",
    "step_size",
)
_NOT_TRAINED_BY = ("data_dir", "download", "test_images")


def _take(run: Run, config: Shared, training: Training, name: str, checkpoint: Path) -> bool:
    """Copies a finished checkpoint of the run that `weights` names, if its settings are these."""
    if config.weights is None:
        return False
    import yaml

    folder = Path(config.weights)
    found = folder / "checkpoints" / checkpoint.name
    if not (folder / "config.yaml").is_file():
        raise RunError(f"`weights` must be the folder of a run. Received: weights={config.weights}")
    if not found.exists():
        return False
    other = yaml.safe_load((folder / "config.yaml").read_text())
    changed = differences(_trained_by(other), _trained_by(as_dict(config)))
    if changed:
        key, old, new = changed[0]
        raise RunError(
            f"the networks of {folder} were trained with {key}={old}: train with the same, or without "
            f"`weights`. Received: {key}={new}"
        )
    used = [r["value"] for r in read_records(folder / "results.jsonl") if r["stage"] == "data"]
    here = [r["value"] for r in run.records if r["stage"] == "data"]
    if used != here:
        raise RunError(f"the networks of {folder} were trained on {used}. Received: {here}")
    if epochs_done(found) < training.epochs:
        return False
    if not checkpoint.exists():
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(found, checkpoint)
    return True


def _trained_by(settings: dict) -> dict:
    """The settings that a trained network follows from; those that an experiment lacks are None."""
    found = {key: settings.get(key) for key in _TRAINED_BY}
    data = {key: value for key, value in (found["data"] or {}).items() if key not in _NOT_TRAINED_BY}
    return {**found, "data": data}
