"""Networks that others trained: the reference networks, which no experiment trains again."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from apps.lab.errors import RunError, one_line
from keras_freq.models._references import find_file, references

Found = tuple[str, list[np.ndarray], dict[str, list[float]], dict[str, Any]]


def find_reference(origin: str) -> Found | None:
    """Name, weights, history and facts of the reference network of that origin, if its weights are here."""
    for one in references():
        if one.digest == origin and one.file is not None:
            try:
                arrays = find_file(one)
                note = json.loads(str(arrays.pop("note")))
                weights = [arrays[name].astype("float32") for name in sorted(arrays)]
                return f"{one.name}, seed {one.seed}", weights, note["history"], note["facts"]
            except (ValueError, KeyError, TypeError) as error:
                raise RunError(one_line(error), code=1) from error
    return None
