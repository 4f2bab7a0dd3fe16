"""HFSS beside the ranking of single frequencies and its approximations; the degree of shortcut learning."""

from __future__ import annotations

import keras

import keras_freq as kf
from apps.freq_shortcuts.config import Compare
from apps.freq_shortcuts.hfss_maps import found, kept, kept_by, maps
from apps.freq_shortcuts.hfss_report import draw, report
from apps.freq_shortcuts.images import corrupted, floats, load_images
from apps.freq_shortcuts.maps import rates
from apps.freq_shortcuts.networks import trained
from apps.freq_shortcuts.search import search_images
from apps.lab import Run
from apps.lab.images import Images


def hfss(run: Run, config: Compare) -> None:
    """Runs the experiment of `config` in the folder of `run`."""
    images = load_images(run, config.data)
    searches = {seed: search_images(images, config.search, seed=seed) for seed in config.all_seeds}
    searched = {}
    for seed in config.all_seeds:
        model, _ = trained(
            run,
            f"network/seed{seed}",
            images.train,
            len(images.classes),
            training=config.training,
            seed=seed,
            record={"network": config.training.network},
        )
        sets = _test_sets(run, config, images, model, seed)
        for method in config.methods:
            searched[method, seed] = found(run, config, model, method, searches[seed], seed)
        for method, cut in kept(config):
            masks = maps(searched, method, cut, seed, dc=config.search.dc)
            for name, test in sets.items():
                record = {"method": method, "kept": cut, "set": name, "seed": seed}
                run.measure(
                    f"{method}/{cut}/{name}/seed{seed}",
                    lambda m=model, t=test, f=masks, r=record: rates(
                        kf.shortcuts.shortcut_report(m, t, f, split=config.search.split), images.classes, r
                    ),
                )
    first = {
        m: maps(searched, m, kept_by(config, m), config.seed, dc=config.search.dc) for m in config.methods
    }
    draw(run, config, images, first)
    report(run, config, images, len(searches[config.seed][1]))


def _test_sets(run: Run, config: Compare, images: Images, model: keras.Model, seed: int) -> dict[str, tuple]:
    """The test images as they are, corrupted, and attacked (before any filter)."""
    pixels, labels = images.test
    sets = {"clean": images.test}
    for name in config.corruptions:
        sets[name] = corrupted(run, images, name, config.severity, seed=config.seed)
    if config.fgsm is not None:
        stored = run.arrays(
            f"fgsm/seed{seed}",
            lambda: {"pixels": kf.attacks.fgsm(model, floats(pixels), labels, epsilon=config.fgsm)},
        )
        sets["fgsm"] = (stored["pixels"], labels)
    return sets
