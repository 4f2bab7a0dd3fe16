"""Trains the reference networks, seed by seed."""

from __future__ import annotations

import keras

import keras_freq as kf
from apps.lab import Run
from apps.lab.images import Images, load_images
from apps.lab.report import print_table, values
from apps.lab.train import trained
from apps.references.config import References
from apps.references.rows import REFERENCES


def train(run: Run, config: References) -> None:
    images = load_images(run, config.data, most_bytes=0)
    for seed in config.all_seeds:  # all rows of one seed first: a comparison of two needs no more
        for row in config.rows:
            recipe = REFERENCES[row].recipe(config.training)
            model, _ = trained(run, row, recipe, images.train, classes=len(images.classes), seed=seed)
            run.measure(f"{row}/seed{seed}/test", _test, model, images, row, seed)
    table = [
        [REFERENCES[row].label, *(f"{100 * x:.2f}" for x in values(run, network=row, measure="test"))]
        for row in config.rows
    ]
    head = ["network", *(f"seed {seed}" for seed in config.all_seeds)]
    print_table(f"Test accuracy in %, n = {len(images.test[1])}", head, table)


def _test(model: keras.Model, images: Images, row: str, seed: int) -> dict:
    result = kf.evaluate.accuracy(model, images.test)
    return {"network": row, "measure": "test", "value": result.accuracy, "seed": seed, "n": result.n}
