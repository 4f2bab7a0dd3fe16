"""Numbers of networks that `cure` trained and measured before, one file for each, to go on from."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from apps.freq_shortcuts.config import Cure
from apps.lab import RunError
from apps.lab.augmentations import read_maps, write_maps
from apps.lab.errors import one_line
from apps.lab.files import write_json

# Settings that change no number of a network. `seed` does: it chooses the images that are attacked. Methods
# and sets of unknown images that come later add numbers of their own.
ELSEWHERE = ("output", "seeds", "rows", "methods", "outside", "store", "folder")


@dataclasses.dataclass(frozen=True)
class Cured:
    """What is known of one network.

    Args:
        records: Its numbers, as the run records them.
        maps: Maps for training, of `standard` alone: `(classes, height, width)`.
    """

    records: list[dict[str, Any]]
    maps: np.ndarray | None


def digest_of_settings(config: Cure, data: str) -> str:
    """Of all settings that the numbers of a network follow from, the set that was taken, and the backend."""
    settings = {key: value for key, value in dataclasses.asdict(config).items() if key not in ELSEWHERE}
    settings["data"] = {
        **settings["data"],
        "name": data,
        "data_dir": None,
        "download": None,
        "fallback": None,
    }
    settings["backend"] = keras.backend.backend()
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def read_cured(config: Cure, data: str, row: str, seed: int) -> Cured | None:
    """What is kept of a network by the same settings; None where there is nothing."""
    if config.folder is None:
        return None
    path = _path(config.folder, row, seed)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        same = found["settings"] == digest_of_settings(config, data)
        maps = read_maps(found["maps"]) if found["maps"] else None
        return Cured(list(found["records"]), maps) if same else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} must be as `cure` wrote it. Received: {one_line(error)}") from error


def write_cured(config: Cure, data: str, row: str, seed: int, cured: Cured) -> None:
    if config.folder is None:
        return
    content = {
        "settings": digest_of_settings(config, data),
        "maps": None if cured.maps is None else write_maps(cured.maps),
        "records": cured.records,
    }
    write_json(_path(config.folder, row, seed), content)


def _path(folder: str, row: str, seed: int) -> Path:
    return Path(folder) / f"{row}-{seed}.json"
