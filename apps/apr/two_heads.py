"""One trunk, a head for the phase and one for the amplitude: what each follows, and what each withstands."""

from __future__ import annotations

import dataclasses
import math
import os

import keras

import keras_freq as kf
from apps.apr.config import TwoHeads
from apps.apr.corrupted_source import corrupted_source
from apps.apr.networks import train_row
from apps.lab import Claim, Run
from apps.lab.augmentations import ROWS, crops_and_flips
from apps.lab.images import Images, check_counts, load_images
from apps.lab.networks import NETWORKS
from apps.lab.report import by_seed, cells, compare, write_report
from apps.lab.resumable import fit_resumably
from apps.lab.train import batches, build, compile_for

HEADS = {"phase": "head of the phase", "amplitude": "head of the amplitude"}
MEASURES = {
    "clean error": "clean error",
    "corruption error": "corruption error",
    "follows_phase": "follows the phase",
    "follows_amplitude": "follows the amplitude",
    "follows_neither": "neither",
}


def two_heads(run: Run, config: TwoHeads) -> None:
    images = load_images(run, config.data)
    check_counts(images, pairs=config.pairs)
    source = corrupted_source(run, config, images)
    shown = {}
    for seed in config.all_seeds:
        for row in config.rows:
            model = train_row(run, config.training, row, images, seed=seed)
            run.measure(f"{row}/seed{seed}/look", _look, config, model, images, source, row, seed)
        both = _train(run, config, images, seed=seed)
        for head in HEADS:
            model = kf.Classifier(both, output=head)
            run.measure(f"{head}/seed{seed}/look", _look, config, model, images, source, head, seed)
            if seed == config.seed:
                shown[f"{head} head"] = _swap(config, model, images, keep_images=True)
    run.figure("two_heads", kf.plots.amplitude_swap(shown, classes=images.classes))
    _report(run, config, len(images.test[1]))


def split_head(model: keras.Model) -> keras.Model:
    """A classifier with its last layer twice, each with its own weights: outputs `phase` and `amplitude`.

    Where the layer's initializer has a seed, both start alike.
    """
    last = model.layers[-1]
    return keras.Model(
        model.inputs,
        {head: type(last).from_config({**last.get_config(), "name": head})(last.input) for head in HEADS},
        name=f"{model.name}_two_heads",
    )


def _train(run: Run, config: TwoHeads, images: Images, *, seed: int) -> keras.Model:
    training, name = config.training, f"two_heads/seed{seed}"
    shape, classes = images.shape, len(images.classes)
    both = split_head(build(training, images.train, classes, seed=seed, name=f"{training.network}_{seed}"))
    crops = crops_and_flips(training, shape, seed=seed)
    model = kf.training.TwoHeadModel(
        kf.Classifier(both, output="phase"),
        amplitude="amplitude",
        mixed=config.mixed,
        amplitude_weight=config.amplitude_weight,
        axes=config.axes,
        augment=keras.Sequential(crops) if crops else None,
        seed=seed + 2,
    )
    model.build((None, *shape))
    feed = batches(training, *images.train, seed=seed)
    compile_for(model, training, steps=len(feed), classes=classes)
    history = fit_resumably(
        model, feed, epochs=training.epochs, checkpoint=run.checkpoint(name), label=f"{name}/training"
    )
    run.measure(
        f"{name}/training",
        dict,
        measure="training accuracy",
        value=history["accuracy"][-1],
        network="two_heads",
        seed=seed,
        epochs=training.epochs,
        n=len(images.train[1]),
        parameters=both.count_params(),
        seconds=sum(history["seconds"]),
    )
    return both


def _swap(
    config: TwoHeads, model: keras.Model | kf.Classifier, images: Images, **options
) -> kf.evaluate.AmplitudeSwapResult:
    # The same pairs for every network: their seed is that of the run.
    return kf.evaluate.amplitude_swap(
        model, images.test, axes=config.axes, n=config.pairs, seed=config.seed, **options
    )


def _look(
    config: TwoHeads,
    model: keras.Model | kf.Classifier,
    images: Images,
    source: str | os.PathLike,
    network: str,
    seed: int,
) -> list[dict]:
    clean = kf.evaluate.accuracy(model, images.test)
    head = network if network in HEADS else None
    bare = model.model if isinstance(model, kf.Classifier) else model
    declared = kf.Classifier(bare, value_range=(0, 1), output=head)  # corrupted images are bytes
    errors = kf.evaluate.corruption_error(
        declared, source, severities=config.severities, data_dir=config.data.data_dir
    )
    swap = _swap(config, model, images)
    found = {"clean error": (1 - clean.accuracy, clean.n), "corruption error": (errors.mean, errors.n)}
    for name in ("follows_phase", "follows_amplitude", "follows_neither"):
        found[name] = (getattr(swap, name), swap.n_differ)
    return [
        {"network": network, "seed": seed, "measure": measure, "value": float(value), "n": n}
        for measure, (value, n) in found.items()
        if math.isfinite(value)
    ]


def _report(run: Run, config: TwoHeads, n: int) -> None:
    names = {row: ROWS[row].label for row in config.rows} | HEADS
    rows = [[label, *cells(run, MEASURES, network=network)] for network, label in names.items()]

    def claim(text: str, first: str, second: str, measure: str) -> Claim:
        # A head that puts all images into one class follows nothing, and has no share for its seed.
        pairs = config.pairs if measure.startswith("follows") else None
        found = [by_seed(run, network=one, measure=measure) for one in (first, second)]
        seeds = sorted(found[0].keys() & found[1].keys())
        pair = [
            (names[one], [numbers[seed] for seed in seeds])
            for one, numbers in zip((first, second), found, strict=True)
        ]
        # Rows are trained under the name of the network, heads with their trunk.
        stages = ("two_heads/", f"{first}/", f"{second}/", f"{config.network}/{second}/")
        claim = compare(text, *pair, n=pairs or n, stages=stages)
        return dataclasses.replace(claim, seeds=tuple(seeds))

    claims = [
        claim(
            "The head of the phase follows the phase more often than the other head",
            *("phase", "amplitude", "follows_phase"),
        ),
        claim(
            "The head of the amplitude follows the amplitude more often than the other head",
            *("amplitude", "phase", "follows_amplitude"),
        ),
        claim(
            "The head of the phase has a lower corruption error than the other head",
            *("phase", "amplitude", "corruption error"),
        ),
    ]
    for row in config.rows:
        claims.append(
            claim(
                f"The head of the phase has a lower corruption error than {names[row]}",
                *("phase", row, "corruption error"),
            )
        )
    notes = (
        f"Network: {NETWORKS[config.network].label}. Weights of the terms: recombinations {config.mixed:g}, "
        f"amplitudes {config.amplitude_weight:g}. Follows: shares of the pairs whose images are predicted as "
        "different classes, by the same head."
    )
    table = (f"Errors and what is followed, {n} test images", ["network", *MEASURES.values()], rows)
    write_report(run, "APR: two heads", claims, table, notes=notes)
