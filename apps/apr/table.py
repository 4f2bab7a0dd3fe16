"""Networks times ways to train: clean error, error under corruptions."""

from __future__ import annotations

import dataclasses
import os

import keras
import numpy as np

import keras_freq as kf
from apps.apr.config import Table
from apps.apr.corrupted_source import corrupted_source
from apps.apr.networks import compare_rows, train_row
from apps.lab import Run
from apps.lab.augmentations import ROWS
from apps.lab.images import Images, load_images
from apps.lab.networks import NETWORKS
from apps.lab.report import cells, mean_and_range, values, write_report

# Error on CIFAR-10-C in percent, from the authors' page [author].
HYBRID = {"all_conv": 10.7, "densenet": 9.5, "wrn_40_2": 8.3, "resnext": 7.9, "resnet18": 8.2}


def table(run: Run, config: Table) -> None:
    images = load_images(run, config.data)
    source = corrupted_source(run, config, images)
    for network in config.networks:
        training = dataclasses.replace(config.training, network=network)
        for row in config.all_rows:
            for seed in config.all_seeds:
                model = train_row(run, training, row, images, seed=seed)
                record = {"network": network, "row": row, "seed": seed}
                stage = f"{network}/{row}/seed{seed}/corruptions"
                run.measure(stage, _measure_errors, config, model, images, source, record)
    for network in config.networks:
        _draw(run, config, network)
    _report(run, config, len(images.test[1]))


def _measure_errors(
    config: Table, model: keras.Model, images: Images, source: str | os.PathLike, record: dict
) -> list[dict]:
    clean = kf.evaluate.accuracy(model, images.test)
    declared = kf.Classifier(model, value_range=(0, 1))  # sets of corrupted images hold bytes
    result = kf.evaluate.corruption_error(
        declared, source, severities=config.severities, data_dir=config.data.data_dir
    )
    rows = [{"measure": "clean error", "value": 1 - clean.accuracy, "n": clean.n}]
    rows.append({"measure": "corruption error", "value": result.mean, "n": result.n})
    for cell in result.rows()[1:]:
        error = {"corruption": cell["corruption"], "severity": cell["severity"], "value": cell["error"]}
        rows.append({"measure": "error", **error, "n": result.n})
    return [{**record, **row} for row in rows]


def _draw(run: Run, config: Table, network: str) -> None:
    table = {}
    for row in config.all_rows:
        errors = {"clean": values(run, network=network, row=row, measure="clean error")}
        for name in kf.data.CORRUPTIONS:
            errors[name] = values(run, network=network, row=row, measure="error", corruption=name)
        table[ROWS[row].label] = errors
    title = f"{NETWORKS[network].label}: error under corruptions in percent, mean over {config.seeds} seeds"
    run.figure(f"corruptions_{network}", kf.plots.corruption_table(table, title=title))


def _report(run: Run, config: Table, n: int) -> None:
    def percent(network: str, row: str, measure: str) -> np.ndarray:
        return 100 * values(run, network=network, row=row, measure=measure)

    head = ["network", "row", "training accuracy", "clean error", "corruption error"]
    rows, claims = [], []
    for network in config.networks:
        for row in config.all_rows:
            trained = cells(run, ["training accuracy"], 2, network=network, row=row)
            errors = [
                mean_and_range(percent(network, row, f"{kind} error"), 1) for kind in ("clean", "corruption")
            ]
            rows.append([NETWORKS[network].label, ROWS[row].label, *trained, *errors])
        for other in config.all_rows:
            if other == "apr_sp" or "apr_sp" not in config.all_rows:
                continue
            name, published = ROWS[other].label, "-"
            if other == "hybrid_augment_pp" and network in HYBRID:
                published = f"{name} {HYBRID[network]} (CIFAR-10-C) [author]"
            claims.append(
                compare_rows(
                    run,
                    f"{NETWORKS[network].label}: APR-SP has a lower corruption error than {name}",
                    ("apr_sp", other),
                    {"network": network, "measure": "corruption error"},
                    network=network,
                    published=published,
                    n=n,
                    scale=100,
                    digits=1,
                )
            )
    corrupted = (
        "the run's own copies (keras_freq.data.corrupt)" if config.corrupted is None else config.corrupted
    )
    notes = (
        f"Errors in percent. Corruption error: mean over the 15 corruptions and severities "
        f"{', '.join(map(str, config.severities))}, un-normalized. Corrupted images: {corrupted}. "
        f"Network parameters and accuracies: results.csv."
    )
    title = f"Errors in percent on {n} test images and their corrupted copies"
    write_report(run, "APR: errors under corruptions", claims, (title, head, rows), notes=notes)
