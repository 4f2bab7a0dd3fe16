"""The quickstart: two trainings, four measurements, five figures, one table."""

from __future__ import annotations

import time

import numpy as np

import keras_freq as kf
from apps.lab import Run, RunError
from apps.lab.resumable import fit_resumably
from apps.quickstart.config import Quickstart
from apps.quickstart.measure import measure
from apps.quickstart.networks import NAMES, training_model
from apps.quickstart.report import draw, print_table, write_summary


def quickstart(run: Run, config: Quickstart) -> None:
    """Runs the experiment of `config` in the folder of `run`."""
    start = time.perf_counter()
    data = kf.data.load(config.data.name, seed=config.seed, feed="pydataset")
    train, test = (
        _first(data, split, getattr(config.data, f"{split}_images")) for split in ("train", "test")
    )
    if config.measure.attack_images > len(test[1]):
        raise RunError(
            f"`measure.attack_images` must be at most the number of test images, {len(test[1])}. "
            f"Received: measure.attack_images={config.measure.attack_images}"
        )
    run.say(
        f"{data.name}: {len(train[1])} training and {len(test[1])} test images, {len(data.classes)} classes"
    )

    classifiers, histories = {}, {}
    for name, label in NAMES.items():
        model = training_model(
            name, data, steps_per_epoch=-(-len(train[1]) // config.training.batch_size), config=config
        )
        feed = kf.data.ArrayBatches(
            *train, batch_size=config.training.batch_size, shuffle=True, seed=config.seed
        )
        history = fit_resumably(
            model,
            feed,
            epochs=config.training.epochs,
            checkpoint=run.checkpoint(name),
            validation_data=kf.data.ArrayBatches(*test, batch_size=250),
            label=label,
        )
        run.measure(
            f"{name}/training",
            dict,
            model=name,
            measure="training accuracy",
            setting=config.training.epochs,
            value=history["accuracy"][-1],
            n=len(train[1]),
            seconds=sum(history["seconds"]),
        )
        classifiers[name], histories[label] = model.classifier, history

    bands, attacks = measure(run, config, classifiers, test)
    draw(run, config, data.classes, test, histories, bands, attacks)
    print_table(run)
    path = write_summary(run)
    run.say(f"{path}  ({(time.perf_counter() - start) / 60:.1f} minutes this time)")


def _first(data: kf.data.ImageData, split: str, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
    if getattr(data, split) is None:
        raise RunError(
            f"`data.name` must have a training and a test split. Received: {data.name} without {split}"
        )
    return data.arrays(split, limit=limit)
