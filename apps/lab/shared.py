"""Networks that others trained: the reference networks, which no experiment trains again."""

from __future__ import annotations

import numpy as np

import keras_freq as kf
from apps.lab.errors import RunError, one_line


def find_record(origin: str) -> kf.models.Reference | None:
    """Record of the reference network of that origin, if its weights are here."""
    here = (one for one in kf.models.references() if one.digest == origin and one.file is not None)
    return next(here, None)


def find_reference(origin: str) -> tuple[kf.models.Reference, list[np.ndarray]] | None:
    """The same with its weights."""
    one = find_record(origin)
    if one is None:
        return None
    try:
        return one, kf.models.reference(one.name, seed=one.seed).get_weights()
    except ValueError as error:
        raise RunError(one_line(error), code=1) from error
