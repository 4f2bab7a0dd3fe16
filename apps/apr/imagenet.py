"""ImageNet: clean error, and the mean corruption error relative to AlexNet."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

import keras
import numpy as np

import keras_freq as kf
from apps.apr.large_config import ImageNet
from apps.apr.large_images import LargeImages, open_images
from apps.lab import Run, RunError
from apps.lab.augmentations import ROWS
from apps.lab.networks import NETWORKS
from apps.lab.report import compare, mean_and_range, values, write_report
from apps.lab.train import trained

# mCE of ResNet-50 on ImageNet-C in percent, from the authors' page [author].
PUBLISHED = {"standard": 80.6, "apr_s": 70.5, "apr_p": 69.3, "apr_sp": 65.0}
# (the lower one, the higher one), as published.
ORDERS = (
    ("apr_s", "standard"),
    ("apr_p", "standard"),
    ("apr_sp", "standard"),
    ("apr_sp", "apr_s"),
    ("apr_sp", "apr_p"),
)


def imagenet(run: Run, config: ImageNet) -> None:
    names = _corruptions(config)
    errors: dict[tuple[str, int], list[kf.evaluate.CorruptionResult]] = {}
    with _share_among_devices(config):
        _check_corrupted(config, names)
        for seed in config.all_seeds:
            images = open_images(run, config, seed=seed)
            height, width, _ = images.train.shape
            run.say(
                f"{images.name}: {len(images.train.batches)} batches of {config.training.batch_size} "
                f"training images {height} x {width}, {len(images.classes)} classes"
            )
            for row in config.rows:
                record = {"network": config.training.network, "row": row, "seed": seed}
                feed = "PyDataset" if isinstance(images.train.batches, keras.utils.PyDataset) else "tf.data"
                model, _ = trained(
                    run,
                    f"{config.training.network}/{row}",
                    dataclasses.replace(config.training, augmentation=row),
                    images.train,
                    classes=len(images.classes),
                    seed=seed,
                    record={**record, "feed": feed},
                )
                label = f"{config.training.network}/{row}/seed{seed}"
                errors[row, seed] = _measure_errors(run, config, label, model, images, names, record)
    _draw(run, config, names)
    _report(run, config, errors, names)


@contextlib.contextmanager
def _share_among_devices(config: ImageNet) -> Iterator[None]:
    """Models built inside train with every batch shared among all devices, where the settings say so."""
    if not config.data_parallel:
        yield
        return
    backend = keras.backend.backend()
    if backend != "jax":
        raise RunError(
            "`data_parallel` must be false, or Keras run on JAX (KERAS_BACKEND=jax), the backend whose "
            f"keras.distribution is complete. Received: data_parallel=true with KERAS_BACKEND={backend}"
        )
    devices = keras.distribution.list_devices()
    size = config.training.batch_size
    if size % len(devices):
        raise RunError(
            f"`training.batch_size` must be a multiple of the number of devices, {len(devices)}, with "
            f"data_parallel=true. Received: training.batch_size={size}"
        )
    with keras.distribution.DataParallel(devices=devices).scope():
        yield


def _corruptions(config: ImageNet) -> tuple[str, ...]:
    names = config.corruptions or tuple(kf.data.CORRUPTIONS)
    known = (*kf.data.CORRUPTIONS, *kf.data.EXTRA_CORRUPTIONS)
    if len(set(names)) < len(names) or not set(names) <= set(known):
        raise RunError(
            f"`corruptions` must be null or some of {', '.join(known)}, each once. "
            f"Received: corruptions={list(names)}"
        )
    return names


def _check_corrupted(config: ImageNet, names: tuple[str, ...]) -> None:
    """Looks at all stored copies before anything is trained."""
    source = config.corrupted
    if source is None:
        return
    try:
        for name in names:
            for severity in config.severities:
                if source == "imagenet2012_corrupted":
                    kf.data.load(f"{source}/{name}_{severity}", data_dir=config.data.data_dir)
                    continue
                size = kf.data.read_corrupted(source, name, severity)[0].shape[1:3]
                if size != (config.size, config.size):
                    raise RunError(
                        f"`corrupted` must hold images of the size of `training.crop.size`, {config.size}. "
                        f"Received: {name}.npy with images of {size[0]} x {size[1]}"
                    )
    except (OSError, ValueError, ImportError) as error:
        raise RunError(str(error)) from error


def _measure_errors(
    run: Run,
    config: ImageNet,
    label: str,
    model: keras.Model,
    images: LargeImages,
    names: tuple[str, ...],
    record: dict,
) -> list[kf.evaluate.CorruptionResult]:
    """Clean error, then one corruption after the other: a run that was cut short goes on with the next."""
    clean = run.result(f"{label}/clean", kf.evaluate.accuracy, model, images.test, progress=None)
    error = {**record, "measure": "clean error", "value": 1 - clean.accuracy, "n": clean.n}
    run.measure(f"{label}/clean error", dict, error)
    results = []
    for corruption in names:
        result = run.result(
            f"{label}/{corruption}",
            kf.evaluate.corruption_error,
            model,
            config.corrupted or images.test,
            corruptions=(corruption,),
            severities=config.severities,
            seed=config.seed,
            table=config.table,
            data_dir=config.data.data_dir,
            batch_size=config.training.batch_size if config.corrupted else None,
        )
        run.say(f"{label}  {corruption} {100 * result.mean:.1f} %")
        run.measure(f"{label}/{corruption} errors", _list_errors, result, record)
        results.append(result)
    return results


def _list_errors(result: kf.evaluate.CorruptionResult, record: dict) -> list[dict]:
    return [
        {**record, "measure": "error", "corruption": cell["corruption"], "severity": cell["severity"]}
        | {"value": cell["error"], "n": result.n}
        for cell in result.rows()[1:]
    ]


def _errors(run: Run, config: ImageNet, row: str, name: str) -> np.ndarray:
    """Errors under one corruption, `(severities, seeds)`."""
    kind = {"row": row, "measure": "error", "corruption": name}
    return np.stack([values(run, **kind, severity=severity) for severity in sorted(config.severities)])


def _is_published_measure(config: ImageNet, names: tuple[str, ...]) -> bool:
    complete = set(names) == set(kf.data.CORRUPTIONS) and sorted(config.severities) == [1, 2, 3, 4, 5]
    return complete and config.size == 224


def mean_errors(
    config: ImageNet, results: list[list[kf.evaluate.CorruptionResult]], names: tuple[str, ...]
) -> np.ndarray:
    """One number per seed: mCE relative to AlexNet where all of ImageNet-C is there, else the plain mean."""
    if _is_published_measure(config, names):
        return np.array([kf.evaluate.mean_corruption_error(of_seed) for of_seed in results])
    return np.array([np.mean([result.mean for result in of_seed]) for of_seed in results])


def _draw(run: Run, config: ImageNet, names: tuple[str, ...]) -> None:
    table = {}
    for row in config.rows:
        errors = {"clean": values(run, row=row, measure="clean error")}
        errors |= {name: _errors(run, config, row, name).mean(axis=0) for name in names}
        table[ROWS[row].label] = errors
    seeds = ", ".join(map(str, config.all_seeds))
    label = NETWORKS[config.training.network].label
    title = f"{label}: error under corruptions in percent, mean over seeds {seeds}"
    run.figure("corruptions", kf.plots.corruption_table(table, title=title))


def _report(run: Run, config: ImageNet, errors: dict, names: tuple[str, ...]) -> None:
    published = _is_published_measure(config, names)
    measure = "mCE relative to AlexNet" if published else "mean corruption error, un-normalized"
    n = next(r["n"] for r in run.records if r["measure"] == "clean error")
    found = {
        row: 100 * mean_errors(config, [errors[row, seed] for seed in config.all_seeds], names)
        for row in config.rows
    }
    head = ["row", "training accuracy", "clean error", measure, "published mCE (ResNet-50)"]
    rows = []
    for row in config.rows:
        accuracy = mean_and_range(values(run, row=row, measure="training accuracy"), 2)
        clean = mean_and_range(100 * values(run, row=row, measure="clean error"), 1)
        rows.append(
            [ROWS[row].label, accuracy, clean, mean_and_range(found[row], 1), f"{PUBLISHED[row]} [author]"]
        )
    claims = []
    for low, high in ORDERS:
        if low not in found or high not in found:
            continue
        first, second = ROWS[low].label, ROWS[high].label
        claims.append(
            compare(
                f"{first} has a lower corruption error than {second}",
                (first, found[low]),
                (second, found[high]),
                published=f"mCE {PUBLISHED[low]} against {PUBLISHED[high]} (ResNet-50, ImageNet-C) [author]",
                higher=f"{first} is higher",
                lower=f"{first} is lower",
                n=n,
                stages=tuple(f"{config.training.network}/{row}/" for row in (low, high)),
                digits=1,
            )
        )
    write_report(
        run,
        "APR: large images under corruptions",
        claims,
        (f"{NETWORKS[config.training.network].label}, errors in percent on {n} test images", head, rows),
        notes=f"Errors in percent. {_notes(run, config, names, published)}",
    )


def _notes(run: Run, config: ImageNet, names: tuple[str, ...], published: bool) -> str:
    which = (
        "mCE: mean over the 15 corruptions of the error relative to that of AlexNet, as published."
        if published
        else f"Corruption error: plain mean over {len(names)} corruptions at severities "
        f"{', '.join(map(str, sorted(config.severities)))}, images of {config.size} px; not the published "
        "mCE, which needs all 15 at severities 1 to 5 and 224 px."
    )
    data = next(r["value"] for r in run.records if r["stage"] == "data")
    source = (
        f"the {config.size}-px crops of {data}, corrupted as they were read (keras_freq.data.corrupt, "
        f"table {config.table}; not the files of ImageNet-C)"
        if config.corrupted is None
        else config.corrupted
    )
    streamed = any(r.get("feed") == "tf.data" for r in run.records)
    images = " Fed by tf.data: a training that was gone on with saw the images in another order." * streamed
    return f"{which} Corrupted images: {source}. Training images: {data}.{images}"
