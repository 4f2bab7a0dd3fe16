"""From accuracies under noise of an octave to thresholds, and to the channel that they describe."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

# What `fit_channel` returns.
FITTED = ("center", "bandwidth", "peak")
# Full width at half height of a Gaussian of deviation 1.
_FULL_WIDTH = 2 * math.sqrt(math.log(4))
# Octaves between the places of the first search, and of the widths; each later one looks between them.
_STEP, _FINER = 0.1, 10
_WIDTHS = (-2.5, 2.5)
# Rows that are fitted at once: some megabytes.
_ROWS = 100


def find_thresholds(
    accuracy: np.ndarray, unmasked: np.ndarray, deviations: Sequence[float], criterion: float
) -> np.ndarray:
    """The noise at which accuracy falls to the criterion, `(..., centers)`.

    The largest noise above the criterion counts, and the line from there to the next one over `log2`. Half of
    the smallest deviation stands for no noise. NaN where accuracy stays above the criterion, and
    everywhere if it is not above it without noise.

    Args:
        accuracy: `(..., centers, deviations)`.
        unmasked: Without noise, `(...)`.
        deviations: Ascending.
        criterion: Accuracy at the threshold.
    """
    levels = np.log2([deviations[0] / 2, *deviations])
    start = np.broadcast_to(unmasked[..., None, None], (*accuracy.shape[:-1], 1))
    values = np.concatenate([start, accuracy], axis=-1)
    above = values > criterion
    # The last place above the criterion.
    last = values.shape[-1] - 1 - np.argmax(above[..., ::-1], axis=-1)
    following = np.minimum(last + 1, values.shape[-1] - 1)
    high = np.take_along_axis(values, last[..., None], axis=-1)[..., 0]
    low = np.take_along_axis(values, following[..., None], axis=-1)[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (high - criterion) / (high - low)
        found = 2 ** (levels[last] + share * (levels[following] - levels[last]))
    reached = (following > last) & (unmasked > criterion)[..., None]
    return np.where(reached, found, np.nan)


def fit_channel(
    thresholds: np.ndarray, centers: Sequence[float], deviations: Sequence[float]
) -> dict[str, np.ndarray]:
    """The Gaussian over `log2` frequency that is nearest to the sensitivities, for each row of thresholds.

    `s_k = log2(most / threshold_k)`, 0 where a threshold is NaN, against
    `A exp(-(log2 c_k - mu)^2 / (2 sigma^2))`, least squares: a search over centers, at most an octave beyond
    the measured ones, and widths, `sigma` from .18 to 5.7 octaves, with the best height for each, at most
    what the lowest threshold gives that could be found.

    Args:
        thresholds: `(rows, centers)`.
        centers: Ascending.
        deviations: Ascending; `most` is the last.

    Returns:
        `center` (the unit of `centers`), `bandwidth` (octaves) and `peak` (`2**A / most`), `(rows,)`; NaN
        where a row has no threshold.
    """
    places, most = np.log2(centers), deviations[-1]
    top = math.log2(2 * most / deviations[0])
    shares = np.where(np.isnan(thresholds), most, thresholds) / most
    parts = [
        _fit(-np.log2(shares[start : start + _ROWS]), places, top) for start in range(0, len(shares), _ROWS)
    ]
    known = np.isfinite(thresholds).any(axis=1)
    middle, width, height = np.where(known, np.concatenate(parts, axis=1), np.nan)
    return {"center": 2**middle, "bandwidth": _FULL_WIDTH * 2**width, "peak": 2**height / most}


def _fit(sensitivities: np.ndarray, places: np.ndarray, top: float) -> np.ndarray:
    """Middle, `log2` of the width, and height for each row of sensitivities: `(3, rows)`."""
    step = _STEP
    middles = np.arange(places[0] - 1, places[-1] + 1 + step / 2, step)[None]
    widths = np.arange(_WIDTHS[0], _WIDTHS[1] + step / 2, step)[None]
    for _ in range(3):
        # All rows look at one grid first, `(1, points)`, then each around its own best point.
        middle, width = (
            np.broadcast_to(grid, (len(grid), middles.shape[1], widths.shape[1])).reshape(len(grid), -1)
            for grid in (middles[:, :, None], widths[:, None])
        )
        shapes = np.exp(-((places - middle[..., None]) ** 2) / (2 * 4.0 ** width[..., None]))
        inner = (shapes @ sensitivities[..., None])[..., 0]
        norms = np.maximum((shapes**2).sum(axis=-1), 1e-300)
        height = np.minimum(inner / norms, top)  # not negative, as the sensitivities
        best = np.argmin(height * (height * norms - 2 * inner), axis=1)[:, None]
        found = [
            np.take_along_axis(np.broadcast_to(values, height.shape), best, axis=1)
            for values in (middle, width, height)
        ]
        step /= _FINER
        around = step * np.arange(-_FINER, _FINER + 1)
        middles = np.clip(found[0] + around, places[0] - 1, places[-1] + 1)
        widths = np.clip(found[1] + around, *_WIDTHS)
    return np.concatenate(found, axis=1).T
