"""The classifiers, and training them resumably."""

from __future__ import annotations

import math
from collections.abc import Iterable

import keras
import numpy as np

import keras_freq as kf
from apps.freq_shortcuts.config import Augmentation, Training
from apps.freq_shortcuts.plateau import VALIDATION_LOSS, Plateau
from apps.lab import Run
from apps.lab.resumable import fit_resumably

LABELS = {
    "small_resnet": "small ResNet",
    "resnet18": "ResNet-18",
    "resnet50": "ResNet-50",
    "vgg16_bn": "VGG-16-BN",
    "alexnet_small": "AlexNet-small",
    "vit": "ViT",
}
AUGMENTED = {"standard": "plain", "augmix": "AugMix", "randaugment": "RandAugment", "apr": "APR-SP"}
# Of the published images, per channel; all networks see images of more than this many pixels a side so.
LARGE = 64
MEAN = (0.479838, 0.470448, 0.429404)
STD = (0.258143, 0.252662, 0.272406)


def classifier(
    training: Training, shape: tuple[int, ...], classes: int, *, seed: int, name: str
) -> keras.Model:
    """The network with weights drawn from the seed: pixels in [0, 1] in, logits out.

    A ViT narrower than 192 has 6 layers in place of 12, and 4 pixels a patch in place of 8 where the images
    have at most 64 a side; its heads are 64 channels wide (one head where that does not divide the width).
    """
    keras.utils.set_random_seed(seed)
    options = {"name": name, "seed": seed}
    large = min(shape[:2]) > LARGE
    if large and shape[2] == 3:
        options |= {"mean": MEAN, "std": STD}
    if training.width is not None:
        options["width"] = training.width
    if training.network == "small_resnet":
        return kf.models.small_resnet(shape, classes, **options)
    if training.network in ("resnet18", "resnet50"):
        return kf.models.resnet_cifar(int(training.network[-2:]), shape, classes, **options)
    if training.network == "vgg16_bn":
        return kf.models.vgg16_bn(shape, classes, **options)
    if training.network == "alexnet_small":
        return kf.models.alexnet_small(shape, classes, **options)
    width = training.width or 768
    heads = 1 if width % 64 else width // 64
    design = {"patch": 8 if large else 4, "depth": 12 if width >= 192 else 6, "heads": heads}
    return kf.models.vit(shape, classes, **design, **options)


def trained(
    run: Run,
    stage: str,
    data: tuple[np.ndarray, np.ndarray],
    classes: int,
    *,
    training: Training,
    augmentation: Augmentation = "standard",
    seed: int,
    record: dict,
    callbacks: Iterable[keras.callbacks.Callback] = (),
) -> tuple[keras.Model, dict[str, list[float]]]:
    """A classifier trained resumably; its last training accuracy is recorded.

    Args:
        run: The run.
        stage: Name of the checkpoint and, with ``/training``, of the stage.
        data: Training images (uint8, or floats in [0, 1]) and labels. The share `training.validation` of
            every class is held out, the same images whatever the seed, and never augmented.
        classes: Number of classes.
        training: Network, optimiser, batches and epochs.
        augmentation: What comes after crop and flip.
        seed: Seed of the weights, of the augmentation and of the order of the images.
        record: What the record says about the network.
        callbacks: What is measured during training.

    Returns:
        The classifier, and the history: metric name to one number an epoch.
    """
    rows, held = held_out(data[1], training.validation)
    images, labels = (part[rows] if len(held) else part for part in data)
    validation = None
    if len(held):
        validation = kf.data.ArrayBatches(*(part[held] for part in data), batch_size=training.batch_size)
    model = classifier(training, images.shape[1:], classes, seed=seed, name=stage.split("/")[0])
    wrapper = wrapped(model, training, augmentation, images.shape[1:], seed=seed)
    wrapper.build((None, *images.shape[1:]))
    compile_for(wrapper, training, steps=math.ceil(len(labels) / training.batch_size))
    checkpoint = run.checkpoint(stage)
    schedule = []
    if training.schedule == "plateau":
        schedule = [Plateau(training, checkpoint)]
    history = fit_resumably(
        wrapper,
        kf.data.ArrayBatches(images, labels, batch_size=training.batch_size, shuffle=True, seed=seed),
        epochs=training.epochs,
        checkpoint=checkpoint,
        callbacks=[*schedule, *callbacks],
        validation_data=validation,
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


def held_out(labels: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
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


def wrapped(
    model: keras.Model, training: Training, augmentation: Augmentation, shape: tuple[int, ...], *, seed: int
) -> keras.Model:
    """The model that trains `model` with crop and flip and what the augmentation adds to them."""
    layers: list[keras.Layer] = []
    if training.padding is not None:
        layers.append(kf.layers.CropFlip(training.padding, seed=seed + 1))
    if training.crop_area is not None:
        area = (training.crop_area, 1.0)
        layers.append(
            kf.layers.RandomResizedCrop(
                *shape[:2], area=area, flip=training.padding is None, center=1.0, seed=seed + 2
            )
        )
    parts = {}
    if augmentation == "augmix":
        layers.append(kf.layers.AugMix(seed=seed + 3))
    elif augmentation == "randaugment":
        layers.append(keras.layers.RandAugment(value_range=(0, 1), num_ops=2, factor=0.3, seed=seed + 3))
    elif augmentation == "apr":
        parts["single"] = kf.layers.APRSingle(probability=0.5, seed=seed + 3)
        parts["pair"] = kf.layers.APRPair(probability=0.6, seed=seed + 4)
    if layers:
        parts["augment"] = layers[0] if len(layers) == 1 else keras.Sequential(layers)
    return kf.APRModel(model, **parts, name=f"{model.name}_training")


def compile_for(model: keras.Model, training: Training, *, steps: int) -> None:
    """Compiles with the optimiser of the settings, for `steps` steps an epoch."""
    if training.weight_decay:
        # In the loss, as the published optimiser has it: its momentum gathers the decay too.
        for variable in model.trainable_variables:
            variable.regularizer = keras.regularizers.L2(training.weight_decay / 2)
    rate: float | keras.optimizers.schedules.LearningRateSchedule = training.learning_rate
    if training.schedule == "steps" and training.milestones:
        boundaries = [steps * epoch for epoch in training.milestones]
        rates = [training.learning_rate * training.factor**k for k in range(len(boundaries) + 1)]
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)
    model.compile(
        keras.optimizers.SGD(rate, momentum=training.momentum, nesterov=training.nesterov),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[
            "accuracy",
            # The loss with the weight decay falls where the weights shrink; the schedule asks for this one.
            keras.metrics.SparseCategoricalCrossentropy(
                from_logits=True, name=VALIDATION_LOSS.removeprefix("val_")
            ),
        ],
    )
