"""Shows the reference networks what no paper of the four shows: C-bar, noise of one octave, conflicts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_freq as kf
from apps.lab import Run, RunError
from apps.lab.beyond import render
from apps.lab.images import as_floats, load_images
from apps.lab.outcomes import Outcomes, digest_of_labels, write_outcomes
from apps.lab.references import REFERENCES
from apps.references.config import Beyond, Shortcuts
from apps.references.masking import masked_classes

Data = tuple[np.ndarray, np.ndarray]


def beyond(run: Run, config: Beyond) -> None:
    images = load_images(run, config.data, most_bytes=0)  # bytes
    pixels, labels = images.test
    data = (pixels[: config.images], labels[: config.images])
    search = (as_floats(images.train[0][: config.search_images]), images.train[1][: config.search_images])
    copies = _corrupt(run, config, data)
    networks: dict[str, dict[int, Outcomes]] = {}
    channels: dict[str, list[kf.evaluate.CriticalBandResult]] = {}
    for row, seed, model in open_networks(config):
        label = f"{row}-seed{seed}"
        outcomes, channel = _look(run, config, label, model, search, data, copies)
        networks.setdefault(row, {})[seed] = outcomes
        channels.setdefault(row, []).append(channel)
        if config.folder is not None:
            write_outcomes(Path(config.folder) / f"{config.data.name}-{row}-{seed}.npz", outcomes)
    if measured := _labeled(channels):
        run.figure("channels", kf.plots.critical_band(measured))
    text = render(networks)
    print(text)
    run.summary("Beyond the papers", [], notes=text)


def open_networks(config: Beyond | Shortcuts) -> Iterator[tuple[str, int, keras.Model]]:
    """The networks whose weights are here."""
    folder = {} if config.networks is None else {"folder": config.networks}
    known = [one for one in kf.models.references(**folder) if one.name.startswith(f"{config.data.name}/")]
    wanted = config.rows or tuple(REFERENCES)
    found = {
        (one.name.split("/")[1], one.seed): one
        for one in known
        if one.file is not None and (not config.seeds or one.seed in config.seeds)
    }
    chosen = sorted(
        (key for key in found if key[0] in wanted), key=lambda key: (wanted.index(key[0]), key[1])
    )
    if not chosen:
        raise RunError(
            f"there must be networks of {config.data.name} with weights, of the rows and seeds asked for. "
            f"Received: none of {len(known)}"
        )
    for row, seed in chosen:
        yield row, seed, kf.models.reference(found[row, seed].name, seed=seed, **folder)


def _corrupt(run: Run, config: Beyond, data: Data) -> tuple[str, str]:
    """Corrupted copies for all networks: of the 15 corruptions at one severity, and of C-bar at all."""
    folders = (run.folder / "corrupted" / "common", run.folder / "corrupted" / "bar")
    run.say(f"corrupted copies of {len(data[1])} test images: {folders[0].parent}")
    kf.data.write_corrupted(*data, folders[0], severities=(config.severity,))
    kf.data.write_corrupted(*data, folders[1], corruptions=kf.data.CIFAR10_BAR_CORRUPTIONS)
    return str(folders[0]), str(folders[1])


def _look(
    run: Run,
    config: Beyond,
    label: str,
    model: keras.Model,
    search: Data,
    data: Data,
    copies: tuple[str, str],
) -> tuple[Outcomes, kf.evaluate.CriticalBandResult]:
    labels = data[1]
    normalized = _normalizes(model)
    common = run.result(
        f"{label}/corruptions",
        kf.evaluate.corruption_error,
        model,
        copies[0],
        severities=(config.severity,),
        adapt=normalized,
        keep_predictions=True,
    )
    other = run.result(
        f"{label}/bar",
        kf.evaluate.corruption_error,
        model,
        copies[1],
        corruptions=kf.data.CIFAR10_BAR_CORRUPTIONS,
        keep_predictions=True,
    )
    conflict = run.result(
        f"{label}/conflict", kf.evaluate.cue_conflict, model, data, radii=config.radii, seed=config.seed
    )
    channel = run.result(
        f"{label}/channel",
        kf.evaluate.critical_band,
        model,
        data,
        centers=config.centers,
        contrast=config.contrast,
        gray=config.gray,
        criterion=config.criterion,
        deviations=config.deviations,
        seed=config.seed,
    )
    masked = run.arrays(
        f"{label}/masked",
        masked_classes,
        model,
        search,
        as_floats(data[0]),
        fractions=config.fractions,
        steps=config.steps,
        seed=config.seed,
    )
    # `run.result` keeps what `to_json` writes, and so these.
    assert common.predictions is not None
    assert other.predictions is not None
    assert conflict.pairs is not None
    classes = {"clean": conflict.pairs.whole_predictions, **masked}
    for kind in ("corrupted", "adapted") if normalized else ("corrupted",):
        for name, (found,) in zip(common.corruptions, common.predictions[kind], strict=True):
            classes[f"{kind} {name} {config.severity}"] = found
    for name, several in zip(other.corruptions, other.predictions["corrupted"], strict=True):
        for severity, found in zip(other.severities, several, strict=True):
            classes[f"bar {name} {severity}"] = found
    predicted = {
        f"conflict {radius:g}": found.astype("uint8")
        for radius, found in zip(conflict.radii, conflict.pairs.predictions, strict=True)
    }
    predicted["conflict low"] = conflict.pairs.low_labels.astype("uint8")
    predicted["conflict high"] = conflict.pairs.high_labels.astype("uint8")
    note = {"labels": digest_of_labels(labels), "channel": describe_channel(channel)}
    return Outcomes({name: found == labels for name, found in classes.items()}, predicted, note), channel


def _normalizes(model: keras.Model) -> bool:
    """Whether there are statistics of a batch to take."""
    return any(
        _normalizes(layer)
        if isinstance(layer, keras.Model)
        else isinstance(layer, keras.layers.BatchNormalization)
        for layer in model.layers
    )


def describe_channel(channel: kf.evaluate.CriticalBandResult) -> dict[str, Any]:
    """What the outcomes hold of a channel."""
    assert channel.drawn is not None  # `run.result` keeps them
    return {
        **{name: channel.settings[name] for name in ("contrast", "gray", "criterion")},
        **{
            name: getattr(channel, name)
            for name in ("center", "bandwidth", "unmasked", "centers", "thresholds")
        },
        "drawn": {name: np.round(channel.drawn[name], 4).tolist() for name in ("center", "bandwidth")},
    }


def _labeled(channels: dict[str, list[kf.evaluate.CriticalBandResult]]) -> dict[str, list]:
    """Labels of the rows whose channel could be measured."""
    return {
        REFERENCES[row].label: found
        for row, found in channels.items()
        if all(np.isfinite(one.center) for one in found)
    }
