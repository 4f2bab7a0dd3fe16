"""Writes a corrupted copy of a data set, in the layout of CIFAR-10-C."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import keras_freq as kf
from apps.apr.config import Corrupt
from apps.lab import Claim, Run, RunError
from apps.lab.images import as_bytes


def corrupt(run: Run, config: Corrupt) -> None:
    data = kf.data.load(
        config.data.name,
        data_dir=config.data.data_dir,
        download=config.data.download,
        image_size=config.image_size,
    )
    if getattr(data, config.split) is None:
        raise RunError(f"`split` must be one of {data.name}. Received: split={config.split}")
    pixels, labels = data.arrays(config.split, limit=getattr(config.data, f"{config.split}_images"))
    pixels = as_bytes(pixels)
    names = _names(config)
    folder = Path(config.folder)
    for name in run.sweep(names, "corruptions"):
        run.measure(f"corrupt/{name}", _write, config, pixels, labels, folder, name)
    claim = Claim(
        f"{len(names)} corruptions at severities {', '.join(map(str, config.severities))} of {data.name}",
        "-",
        f"in {folder}, with labels.npy",
        len(labels),
        ("corrupt/",),
    )
    run.summary("Corrupted copies", [claim])


def _write(config: Corrupt, pixels: np.ndarray, labels: np.ndarray, folder: Path, name: str) -> dict:
    kf.data.write_corrupted(
        pixels,
        labels,
        folder,
        corruptions=[name],
        severities=config.severities,
        seed=config.seed,
        table=config.table,
        jpeg=config.jpeg,
        frost=config.frost,
        progress=False,
    )
    return {"measure": "images", "corruption": name, "value": len(config.severities) * len(labels)}


def _names(config: Corrupt) -> list[str]:
    groups = {
        "standard": kf.data.CORRUPTIONS,
        "all": kf.data.CORRUPTIONS + kf.data.EXTRA_CORRUPTIONS,
        "cifar10_bar": kf.data.CIFAR10_BAR_CORRUPTIONS,
        "imagenet_bar": kf.data.IMAGENET_BAR_CORRUPTIONS,
    }
    names = [name for word in config.corruptions for name in groups.get(word, (word,))]
    known = {name for group in groups.values() for name in group}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise RunError(
            f"`corruptions` must hold {', '.join(groups)}, or some of {', '.join(sorted(known))}. "
            f"Received: corruptions={unknown}"
        )
    return list(dict.fromkeys(names))
