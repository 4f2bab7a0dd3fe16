"""The classifiers and the ways to train them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import keras
import numpy as np

import keras_freq as kf
from apps.hfc.config import Adversary, Network, Training
from apps.runner import Run
from apps.runner.images import Images
from apps.runner.training import fit_resumably


def classifier(
    network: Network, images: Images, *, seed: int, name: str, dropout: float = 0.0
) -> keras.Model:
    """The network of the settings with weights drawn from the seed."""
    keras.utils.set_random_seed(seed)
    options = {
        "normalization": None if network.normalization == "none" else network.normalization,
        "dropout": dropout,
        "seed": seed,
        "name": name,
    }
    shape, classes = images.shape, len(images.classes)
    if network.model == "small_resnet":
        return kf.models.small_resnet(shape, classes, width=network.width, **options)
    return kf.models.resnet_cifar(network.depth, shape, classes, **options)


def with_normalization(network: Network, normalization: str) -> Network:
    return dataclasses.replace(network, normalization=normalization)


def adversarial(model: keras.Model, adversary: Adversary, *, seed: int) -> kf.training.AdversarialModel:
    """The wrapper that trains a classifier on adversarial images."""
    augment = None
    if adversary.crop_and_flip:
        pad = round(model.input_shape[1] / 8)
        augment = kf.layers.CropFlip(pad, fill=0.0, seed=seed + 1)
    return kf.training.AdversarialModel(
        model,
        epsilon=adversary.epsilon,
        steps=adversary.steps,
        step_size=adversary.step_size,
        random_start=adversary.random_start,
        augment=augment,
        seed=seed,
        name=f"{model.name}_training",
    )


def adversarial_training(training: Training, adversary: Adversary) -> Training:
    """The settings of training with what the adversary replaces."""
    return dataclasses.replace(
        training,
        epochs=adversary.epochs or training.epochs,
        learning_rate=adversary.learning_rate or training.learning_rate,
    )


def train(
    run: Run,
    name: str,
    model: keras.Model,
    train: tuple[np.ndarray, np.ndarray],
    *,
    training: Training,
    seed: int,
    callbacks: Iterable[keras.callbacks.Callback] = (),
) -> dict[str, list[float]]:
    """Trains a classifier or a wrapper of one, resumably, and records the last training accuracy.

    Args:
        run: The run.
        name: ``"<network>/seed<n>"``: name of the checkpoint and, with ``/training``, of the stage.
        model: What is trained; it is built and compiled here.
        train: Images and labels.
        training: Optimiser, batches and epochs.
        seed: Seed of the order of the images.
        callbacks: What is measured during training.

    Returns:
        Metric name to one number an epoch.
    """
    images, labels = train
    if not model.built:
        model.build((None, *images.shape[1:]))
    loss = (
        keras.losses.CategoricalCrossentropy(from_logits=True)
        if isinstance(model, kf.training.MixUpModel)
        else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    model.compile(keras.optimizers.Adam(training.learning_rate), loss, metrics=["accuracy"])
    feed = kf.data.ArrayBatches(images, labels, batch_size=training.batch_size, shuffle=True, seed=seed)
    history = fit_resumably(
        model,
        feed,
        epochs=training.epochs,
        checkpoint=run.checkpoint(name),
        callbacks=callbacks,
        label=name,
    )
    run.measure(
        f"{name}/training",
        lambda: {
            "network": name.split("/")[0],
            "seed": seed,
            "measure": "training accuracy",
            "value": history["accuracy"][-1],
            "epochs": training.epochs,
            "parameters": model.count_params(),
            "n": len(labels),
            "seconds": sum(history["seconds"]),
        },
    )
    return history
