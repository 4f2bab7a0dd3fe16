"""Frequency shortcuts: which frequencies a class is recognized by, and whether a few of them are enough.

Masks are `(classes, height, width)`, one for each class, centered: DC at `(height // 2, width // 2)`.
"""

from keras_freq.shortcuts._adcs import ADCSResult, adcs
from keras_freq.shortcuts._band_stop import BandStopResult, band_stop
from keras_freq.shortcuts._first_learned import first_learned
from keras_freq.shortcuts._frequency_importance import FrequencyImportance, frequency_importance
from keras_freq.shortcuts._frequency_maps import FrequencyMaps, dominant_frequency_map
from keras_freq.shortcuts._hfss import HFSSResult, hfss
from keras_freq.shortcuts._learned_map import learned_map, learned_path
from keras_freq.shortcuts._shortcut_curve import ShortcutCurve, shortcut_curve
from keras_freq.shortcuts._shortcut_report import ShortcutReport, shortcut_report
from keras_freq.shortcuts._sufficient_maps import SufficientMapsResult, sufficient_maps

__all__ = [
    "ADCSResult",
    "BandStopResult",
    "FrequencyImportance",
    "FrequencyMaps",
    "HFSSResult",
    "ShortcutCurve",
    "ShortcutReport",
    "SufficientMapsResult",
    "adcs",
    "band_stop",
    "dominant_frequency_map",
    "first_learned",
    "frequency_importance",
    "hfss",
    "learned_map",
    "learned_path",
    "shortcut_curve",
    "shortcut_report",
    "sufficient_maps",
]


def __dir__() -> list[str]:
    return __all__
