"""The classifiers, and training them resumably."""

from __future__ import annotations

import math
from collections.abc import Iterable

import keras
import numpy as np

import keras_freq as kf
from apps.freq_bias.config import Training
from apps.lab import Run
from apps.lab.resumable import fit_resumably


def classifier(
    training: Training, shape: tuple[int, ...], classes: int, *, seed: int, name: str
) -> keras.Model:
    """The network with weights drawn from the seed."""
    keras.utils.set_random_seed(seed)
    if training.model == "small_resnet":
        return kf.models.small_resnet(shape, classes, width=training.width, name=name, seed=seed)
    return kf.models.resnet_cifar(18, shape, classes, name=name, seed=seed)


def trained(
    run: Run,
    stage: str,
    data: tuple[np.ndarray, np.ndarray],
    classes: int,
    *,
    training: Training,
    seed: int,
    record: dict,
    callbacks: Iterable[keras.callbacks.Callback] = (),
) -> tuple[keras.Model, dict[str, list[float]]]:
    """A classifier trained resumably; its last training accuracy is recorded.

    Args:
        run: The run.
        stage: Name of the checkpoint and, with ``/training``, of the stage.
        data: Training images and labels.
        classes: Number of classes.
        training: Network, optimiser, batches and epochs.
        seed: Seed of the weights, of the augmentation and of the order of the images.
        record: What the record says about the network.
        callbacks: What is measured during training.

    Returns:
        The classifier, and the history: metric name to one number an epoch.
    """
    images, labels = data
    model = classifier(training, images.shape[1:], classes, seed=seed, name=stage.split("/")[0])
    wrapper = model
    if training.padding is not None:
        augment = kf.layers.CropFlip(training.padding, mode="reflect", seed=seed + 1)
        wrapper = kf.APRModel(model, augment=augment, name=f"{model.name}_training")
    wrapper.build((None, *images.shape[1:]))
    compile_for(wrapper, training, steps=math.ceil(len(labels) / training.batch_size))
    history = fit_resumably(
        wrapper,
        kf.data.ArrayBatches(images, labels, batch_size=training.batch_size, shuffle=True, seed=seed),
        epochs=training.epochs,
        checkpoint=run.checkpoint(stage),
        callbacks=callbacks,
        label=stage,
    )
    run.measure(
        f"{stage}/training",
        lambda: {
            **record,
            "measure": "training accuracy",
            "value": history["accuracy"][-1],
            "seed": seed,
            "epochs": training.epochs,
            "parameters": model.count_params(),
            "n": len(labels),
            "seconds": sum(history["seconds"]),
        },
    )
    return model, history


def compile_for(model: keras.Model, training: Training, *, steps: int) -> None:
    """Compiles with the optimiser of the settings, for `steps` steps an epoch."""
    if training.weight_decay:
        # In the loss, as the published optimiser has it: its momentum gathers the decay too.
        for variable in model.trainable_variables:
            variable.regularizer = keras.regularizers.L2(training.weight_decay / 2)
    rate: float | keras.optimizers.schedules.LearningRateSchedule = training.learning_rate
    if training.milestones:
        boundaries = [steps * epoch for epoch in training.milestones]
        rates = [training.learning_rate * training.factor**k for k in range(len(boundaries) + 1)]
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)
    model.compile(
        keras.optimizers.SGD(rate, momentum=training.momentum),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
