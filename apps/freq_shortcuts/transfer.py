"""Transfer: maps found on one set, tested on others, TPR and FPR before and after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

import keras_freq as kf
from apps.freq_shortcuts.config import Transfer
from apps.freq_shortcuts.images import corrupted, load_images
from apps.freq_shortcuts.maps import disks, found_maps, rates
from apps.freq_shortcuts.networks import trained
from apps.freq_shortcuts.search import search_images
from apps.freq_shortcuts.transfer_report import HERE, draw, report
from apps.lab import Run, RunError
from apps.lab.images import Images


def transfer(run: Run, config: Transfer) -> None:
    """Runs the experiment of `config` in the folder of `run`."""
    images = load_images(run, config.data)
    sets = dict(test_sets(run, config, images))
    shown = {}
    for seed in config.all_seeds:
        searched = search_images(images, config.search, seed=seed)
        for augmentation in config.augmentations:
            stage = f"{augmentation}/seed{seed}"
            record = {"augmentation": augmentation}
            model, _ = trained(
                run,
                stage,
                images.train,
                len(images.classes),
                training=config.training,
                augmentation=augmentation,
                seed=seed,
                record=record,
            )
            maps = found_maps(run, stage, model, searched, config.search, seed=seed, record=record)
            for name, test in sets.items():
                for kind, masks in (("own", maps), ("disk", disks(maps))):
                    known = {**record, "seed": seed, "set": name, "masks": kind}
                    run.measure(
                        f"{stage}/{name}/{kind}",
                        lambda m=model, t=test, f=masks, r=known: rates(
                            kf.shortcuts.shortcut_report(m, t, f, split=config.search.split),
                            images.classes,
                            r,
                        ),
                    )
            if seed == config.seed:
                shown[augmentation] = maps
    draw(run, config, images, sets, shown)
    report(run, config, images, {name: len(labels) for name, (_, labels) in sets.items()})


def test_sets(
    run: Run, config: Transfer, images: Images
) -> Iterator[tuple[str, tuple[np.ndarray, np.ndarray]]]:
    """The test images, copies of them under corruptions, and those of other sets, opened before any training.

    Raises:
        RunError: If a set is not there, has no test images, or lacks a class.
    """
    yield HERE, images.test
    for name in config.corruptions:
        yield name, corrupted(run, images, name, config.severity, seed=config.seed)
    for name in config.other:
        yield name, _other(config, images, name, images.classes)
    if config.renditions is not None:
        classes = config.rendition_classes or images.classes
        yield "renditions", _other(config, images, config.renditions, classes)


def _other(
    config: Transfer, images: Images, name: str, classes: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Test images of another set, its classes in the order of ours.

    A TFDS set that only numbers its classes, as `cifar10_1` does, must have as many, in the same order.
    """
    folder = name == config.renditions
    options = {
        "data_dir": None if folder else config.data.data_dir,
        "download": config.data.download and not folder,
        "image_size": images.shape[0] if folder or config.data.image_size else None,
    }
    path = Path(name) if folder else name
    try:
        found = None if folder else kf.data.load(path, **options)
        if found is None or found.classes != tuple(map(str, range(len(classes)))):
            found = kf.data.load(path, classes=classes, **options)
        if found.test is None:
            raise ValueError(f"{name} must have a test split. Received: a training split alone")
        if found.input_shape != images.shape:
            raise ValueError(
                f"the images of {name} must have the shape of those of {images.name}, {images.shape}. "
                f"Received: {found.input_shape}"
            )
        return found.arrays("test")
    except (OSError, ImportError, ValueError) as error:
        raise RunError(str(error)) from error
