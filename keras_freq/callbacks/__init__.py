"""Callbacks: each calls one function of `evaluate` every n epochs and puts plain floats into the logs."""

from keras_freq.callbacks._adversarial_accuracy import AdversarialAccuracy
from keras_freq.callbacks._band_accuracy import BandAccuracy
from keras_freq.callbacks._early_learning import EarlyLearning, first_learned
from keras_freq.callbacks._fourier_heat_map import FourierHeatMap
from keras_freq.callbacks._gradient_spectrum import GradientSpectrum
from keras_freq.callbacks._shortcut_mask_evaluation import ShortcutMaskEvaluation

__all__ = [
    "AdversarialAccuracy",
    "BandAccuracy",
    "EarlyLearning",
    "FourierHeatMap",
    "GradientSpectrum",
    "ShortcutMaskEvaluation",
    "first_learned",
]


def __dir__() -> list[str]:
    return __all__
