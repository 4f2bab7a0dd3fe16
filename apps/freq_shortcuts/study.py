"""The study: dominant frequency maps of networks and augmentations, and what they leave of each class."""

from __future__ import annotations

import dataclasses
from collections.abc import MutableMapping

import keras_freq as kf
from apps.freq_shortcuts.config import Study, Training
from apps.freq_shortcuts.images import load_images
from apps.freq_shortcuts.maps import disks, found_maps, rates
from apps.freq_shortcuts.networks import trained
from apps.freq_shortcuts.search import search_images
from apps.freq_shortcuts.study_report import draw, report, variants
from apps.lab import Run
from apps.lab.images import Images


def study(run: Run, config: Study) -> None:
    """Runs the experiment of `config` in the folder of `run`."""
    images = load_images(run, config.data)
    shown = {}
    for seed in config.all_seeds:
        searched = search_images(images, config.search, seed=seed)
        first = None
        for network, augmentation in variants(config):
            stage = f"{network}-{augmentation}/seed{seed}"
            record = {"network": network, "augmentation": augmentation}
            model, _ = trained(
                run,
                stage,
                images.train,
                len(images.classes),
                training=training_of(config, network),
                augmentation=augmentation,
                seed=seed,
                record=record,
            )
            maps = found_maps(run, stage, model, searched, config.search, seed=seed, record=record)
            first = maps if first is None else first
            for name, masks in (("own", maps), ("first", first), ("disk", disks(maps))):
                run.measure(
                    f"{stage}/{name}",
                    lambda m=model, f=masks, r={**record, "seed": seed, "masks": name}: rates(
                        kf.shortcuts.shortcut_report(m, images.test, f, split=config.search.split),
                        images.classes,
                        r,
                    ),
                )
            if seed == config.seed:
                shown[network, augmentation] = maps
        if seed == config.seed and config.every is not None:
            _growth(run, config, images, first)
    draw(run, config, images, shown)
    report(run, config, images)


def training_of(config: Study, network: str) -> Training:
    """How a network trains: the settings with its name and width."""
    width = None if config.widths is None else config.widths[config.networks.index(network)]
    return dataclasses.replace(config.training, network=network, width=width)


class _Recorded(kf.callbacks.ShortcutMaskEvaluation):
    """The test after every n-th epoch, kept among the results of the run."""

    def __init__(self, run: Run, classes: tuple[str, ...], data: tuple, maps: object, **options):
        super().__init__(data, maps, **options)
        self.run, self.classes = run, classes

    def on_epoch_end(self, epoch: int, logs: MutableMapping[str, float] | None = None) -> None:
        known = len(self.history)
        super().on_epoch_end(epoch, logs)
        if len(self.history) > known:
            record = {"stage of training": "growth", "epoch": epoch + 1, "masks": "growth"}
            self.run.measure(
                f"growth/epoch{epoch + 1}", lambda: rates(self.history[-1][1], self.classes, record)
            )


def _growth(run: Run, config: Study, images: Images, maps: kf.shortcuts.FrequencyMaps) -> None:
    """The first network once more, tested under its final maps while it trains."""
    network = config.networks[0]
    test = _Recorded(run, images.classes, images.test, maps, every=config.every, split=config.search.split)
    trained(
        run,
        "growth",
        images.train,
        len(images.classes),
        training=training_of(config, network),
        seed=config.seed,
        record={"network": network, "augmentation": "standard", "masks": "growth"},
        callbacks=[test],
    )
