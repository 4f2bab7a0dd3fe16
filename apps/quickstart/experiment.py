"""The quickstart: two trainings, four measurements, five figures, one table."""

from __future__ import annotations

import time

import keras

import keras_freq as kf
from apps.lab import Run
from apps.lab.images import Images, check_counts, load_images
from apps.lab.resumable import fit_resumably
from apps.quickstart.config import Quickstart
from apps.quickstart.measure import measure
from apps.quickstart.report import NAMES, draw, report


def quickstart(run: Run, config: Quickstart) -> None:
    start = time.perf_counter()
    images = load_images(run, config.data)
    check_counts(images, **{"measure.attack_images": config.measure.attack_images})
    classifiers, histories = {}, {}
    for name, label in NAMES.items():
        batch = config.training.batch_size
        feed = kf.data.ArrayBatches(*images.train, batch_size=batch, shuffle=True, seed=config.seed)
        model = training_model(name, images, steps_per_epoch=len(feed), config=config)
        history = fit_resumably(
            model,
            feed,
            epochs=config.training.epochs,
            checkpoint=run.checkpoint(name),
            validation_data=kf.data.ArrayBatches(*images.test, batch_size=250),
            label=label,
        )
        run.measure(
            f"{name}/training",
            dict,
            model=name,
            measure="training accuracy",
            setting=config.training.epochs,
            value=history["accuracy"][-1],
            n=len(images.train[1]),
            seconds=sum(history["seconds"]),
        )
        classifiers[name], histories[label] = model.classifier, history
    bands, attacks = measure(run, config, classifiers, images.test)
    draw(run, config, images, histories, bands, attacks)
    report(run)
    run.say(f"{(time.perf_counter() - start) / 60:.1f} minutes this time")


def training_model(name: str, images: Images, *, steps_per_epoch: int, config: Quickstart) -> kf.APRModel:
    """A built and compiled network: same first weights, crop and flip; APR-S and APR-P for `"apr_sp"`."""
    training, seed = config.training, config.seed
    keras.utils.set_random_seed(seed)
    classifier = kf.models.small_resnet(
        input_shape=images.shape, classes=len(images.classes), width=training.width, name=name
    )
    apr = name == "apr_sp"
    model = kf.APRModel(
        classifier,
        single=kf.layers.APRSingle(probability=training.apr_single, seed=seed + 2) if apr else None,
        pair=kf.layers.APRPair(probability=training.apr_pair, seed=seed + 3) if apr else None,
        # As published for APR on CIFAR-10: four pixels at 32, grey where the image ends.
        augment=kf.layers.CropFlip(round(images.shape[0] / 8), fill=128 / 255, seed=seed + 1),
        name=f"{name}_training",
    )
    model.build((None, *images.shape))
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
