"""Input-gradient spectra of every epoch, kept beside the trained network."""

from __future__ import annotations

from typing import Any

import keras_freq as kf
from apps.lab.kept import KeptHistory


class KeptSpectra(KeptHistory, kf.callbacks.GradientSpectrum):
    """`keras_freq.callbacks.GradientSpectrum` whose history stays with the network.

    Args:
        data: Images and true labels to measure on.
        **options: As `keras_freq.callbacks.GradientSpectrum` takes them: plain values.

    Attributes:
        watch: What is measured, for `apps.lab.train.trained`.
    """

    def __init__(self, data: Any, **options: Any):
        super().__init__(data, **options)
        self.watch = {"measure": "input-gradient spectrum", "on": data, **options}
