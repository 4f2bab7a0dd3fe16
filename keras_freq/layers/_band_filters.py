"""The three radial filters share everything but the mask, so they share a parent."""

from __future__ import annotations

from keras_freq._core.checks import check_choice
from keras_freq.layers._base import FrequencyLayer
from keras_freq.spectral._masks import KINDS, Kind, butterworth_mask


class BandFilter(FrequencyLayer):
    """Configuration that `LowPass`, `HighPass` and `BandPass` have in common."""

    def __init__(self, *, kind: Kind, order: float, units: str, data_format: str | None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.kind = check_choice(kind, "kind", KINDS)
        butterworth_mask(1, 1, 1, order=order)  # refuses a bad order now, not at the first call
        self.order = order
        self.units = check_choice(units, "units", ("index", "cycles_per_pixel"))

    def options(self) -> dict:
        """Keyword arguments of the function in `spectral` that does the work."""
        return {"kind": self.kind, "order": self.order, "units": self.units, "data_format": self.data_format}

    def get_config(self):
        return {**super().get_config(), "kind": self.kind, "order": self.order, "units": self.units}
