"""Callbacks: each calls one function of `evaluate` every n epochs and puts plain floats into the logs."""

from keras_freq.callbacks.adversarial_accuracy import AdversarialAccuracy
from keras_freq.callbacks.band_accuracy import BandAccuracy
from keras_freq.callbacks.early_learning import EarlyLearning
from keras_freq.callbacks.fourier_heat_map import FourierHeatMap
from keras_freq.callbacks.gradient_spectrum import GradientSpectrum
from keras_freq.callbacks.shortcut_mask_evaluation import ShortcutMaskEvaluation

__all__ = [
    "AdversarialAccuracy",
    "BandAccuracy",
    "EarlyLearning",
    "FourierHeatMap",
    "GradientSpectrum",
    "ShortcutMaskEvaluation",
]
