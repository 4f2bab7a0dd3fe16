"""Callbacks: each calls one function of `evaluate` or `shortcuts` and puts plain floats into the logs.

A key is in the logs of the epochs that are measured and absent from the others, as the keys of validation are
under Keras' `validation_freq`: `History` holds what was measured, `CSVLogger` writes NA, `TensorBoard` draws
no point, `EarlyStopping` and `ReduceLROnPlateau` warn and wait. `ModelCheckpoint` warns too, and with
`save_best_only=True` saves all the same.

What a measurement cannot use is refused when training begins, before the first epoch.
"""

from keras_freq.callbacks._adversarial_accuracy import AdversarialAccuracy
from keras_freq.callbacks._band_accuracy import BandAccuracy
from keras_freq.callbacks._early_learning import EarlyLearning
from keras_freq.callbacks._fourier_heat_map import FourierHeatMap
from keras_freq.callbacks._frequency_report import FrequencyReport
from keras_freq.callbacks._gradient_spectrum import GradientSpectrum
from keras_freq.callbacks._shortcut_mask_evaluation import ShortcutMaskEvaluation

__all__ = [
    "AdversarialAccuracy",
    "BandAccuracy",
    "EarlyLearning",
    "FourierHeatMap",
    "FrequencyReport",
    "GradientSpectrum",
    "ShortcutMaskEvaluation",
]


def __dir__() -> list[str]:
    return __all__
