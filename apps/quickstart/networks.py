"""The two networks of the quickstart, ready to train."""

from __future__ import annotations

import keras

import keras_freq as kf
from apps.quickstart.config import Quickstart

# Name in files -> name in figures and tables.
NAMES = {"plain": "plain", "apr_sp": "APR-SP"}


def training_model(
    name: str, data: kf.data.ImageData, *, steps_per_epoch: int, config: Quickstart
) -> kf.APRModel:
    """A built and compiled network: same first weights, crop and flip; APR-S and APR-P for `"apr_sp"`."""
    training, seed = config.training, config.seed
    keras.utils.set_random_seed(seed)
    classifier = kf.models.small_resnet(
        input_shape=data.input_shape, classes=len(data.classes), width=training.width, name=name
    )
    # As published for APR on CIFAR-10: four pixels at 32, grey where the image ends.
    crop_and_flip = kf.layers.CropFlip(
        round(data.input_shape[0] / 8), fill=128 / 255, seed=seed + 1, name="crop_and_flip"
    )
    apr = name == "apr_sp"
    model = kf.APRModel(
        classifier,
        single=kf.layers.APRSingle(probability=training.apr_single, seed=seed + 2) if apr else None,
        pair=kf.layers.APRPair(probability=training.apr_pair, seed=seed + 3) if apr else None,
        augment=crop_and_flip,
        name=f"{name}_training",
    )
    model.build((None, *data.input_shape))
    total = training.epochs * steps_per_epoch
    warmup = min(steps_per_epoch, total - 1)
    # The loss of APR is a sum over two halves, so its gradients are twice as large: the published recipe has
    # one rate for both.
    schedule = keras.optimizers.schedules.CosineDecay(
        training.learning_rate / max(warmup, 1),
        decay_steps=max(total - warmup, 1),
        warmup_target=training.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    optimizer = keras.optimizers.SGD(
        schedule, momentum=0.9, nesterov=True, weight_decay=training.weight_decay
    )
    model.compile(
        optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    return model
