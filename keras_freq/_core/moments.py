"""Mean and deviation of what comes in batches."""

from __future__ import annotations

import numpy as np


class Moments:
    """Number, mean and summed squared deviations of profiles, joined batch by batch (Chan's formula).

    Args:
        bands: Length of a profile.

    Attributes:
        n: Profiles so far.
    """

    def __init__(self, bands: int):
        self.n = 0
        self._mean, self._squares = np.zeros(bands), np.zeros(bands)

    def add(self, profiles: np.ndarray) -> None:
        """Takes in profiles `(batch, bands)`, of which there may be none."""
        here = len(profiles)
        if not here:
            return
        profiles = profiles.astype("float64")
        mean, total = profiles.mean(axis=0), self.n + here
        step = mean - self._mean
        squares = np.square(profiles - mean).sum(axis=0)
        self._squares = self._squares + squares + step * step * (self.n * here / total)
        self._mean = self._mean + step * (here / total)
        self.n = total

    @property
    def mean(self) -> tuple[float, ...]:
        """The mean of each band; NaN where there is no profile."""
        return tuple((self._mean if self.n else np.full_like(self._mean, np.nan)).tolist())

    @property
    def deviation(self) -> tuple[float, ...]:
        """The standard deviation of each band, divided by the number; NaN where there is no profile."""
        return tuple(
            np.sqrt(self._squares / self.n if self.n else np.full_like(self._squares, np.nan)).tolist()
        )
