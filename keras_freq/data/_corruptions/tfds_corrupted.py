"""The corrupted sets that TFDS prepares: one configuration for each corruption and severity."""

from __future__ import annotations

import os
from pathlib import Path

from keras_freq._core.checks import show
from keras_freq.data._image_data import ImageData
from keras_freq.data._load import load
from keras_freq.data._tfds_sets import default_data_dir, find_prepared

# What TFDS calls a corruption where it has a name of its own.
_OTHER_NAMES: dict[str, dict[str, str]] = {
    "cifar10_corrupted": {"glass_blur": "frosted_glass_blur", "elastic_transform": "elastic"},
    "imagenet2012_corrupted": {},
}
TFDS_CORRUPTED = tuple(_OTHER_NAMES)


def configuration_name(source: str, name: str, severity: int) -> str:
    """The name by which TFDS knows one corruption at one severity."""
    return f"{source}/{_OTHER_NAMES[source].get(name, name)}_{severity}"


def check_prepared(source: str, name: str, severity: int, *, data_dir: str | os.PathLike | None) -> None:
    """Raises where TFDS has not prepared that configuration."""
    root = default_data_dir() if data_dir is None else Path(data_dir).expanduser()
    wanted = configuration_name(source, name, severity)
    if find_prepared(wanted, root) is None:
        raise FileNotFoundError(
            f"No prepared data set {wanted!r} was found under {root}. Pass data_dir= if it lies elsewhere, "
            f"or let keras_freq.data.load({wanted!r}, download=True) fetch it. Received: {show(source)}"
        )


def load_corrupted(
    source: str,
    name: str,
    severity: int,
    *,
    data_dir: str | os.PathLike | None,
    batch_size: int | None = None,
) -> ImageData:
    """One corruption at one severity, as `load` gives it."""
    wanted = configuration_name(source, name, severity)
    return load(wanted, data_dir=data_dir, batch_size=batch_size or 128)
