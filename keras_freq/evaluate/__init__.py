"""Evaluations: model and data in, a small frozen result out: its numbers, how many images, the settings.

Any Keras classifier and any data: arrays, a `tf.data.Dataset`, a `keras.utils.PyDataset`, an iterable of
batches.

Two functions return an array for each image instead, which others build on: `predict_logits` for
`calibration_error`, `ood_scores` for `ood_metrics`. `mean_corruption_error`, `gradient_spectrum_map` and
`rank_correlation` take what has been measured, and no model.
"""

from keras_freq._core.processes import alone
from keras_freq._core.result import Result
from keras_freq.evaluate._accuracy import AccuracyResult, accuracy
from keras_freq.evaluate._adversarial_accuracy import AdversarialResult, adversarial_accuracy
from keras_freq.evaluate._adversarial_images import AdversarialImages
from keras_freq.evaluate._amplitude_swap import AmplitudeSwapResult, SwappedPairs, amplitude_swap
from keras_freq.evaluate._auto_attack_accuracy import auto_attack_accuracy
from keras_freq.evaluate._band_accuracy import BandAccuracyResult, band_accuracy
from keras_freq.evaluate._calibration_error import CalibrationResult, calibration_error
from keras_freq.evaluate._class_scores import ClassScoresResult, class_scores
from keras_freq.evaluate._corruption_error import CorruptionResult, corruption_error
from keras_freq.evaluate._critical_band import CriticalBandResult, critical_band
from keras_freq.evaluate._cue_conflict import ConflictPairs, CueConflictResult, cue_conflict
from keras_freq.evaluate._filtered import FilteredResult, filtered
from keras_freq.evaluate._flip_rate import FlipRateResult, flip_rate
from keras_freq.evaluate._fourier_heat_map import fourier_heat_map
from keras_freq.evaluate._gradient_spectrum_map import GradientSpectrumMap, gradient_spectrum_map
from keras_freq.evaluate._heat_map_result import FourierHeatMapResult, published_geometry
from keras_freq.evaluate._input_gradient_spectrum import GradientSpectrumResult, input_gradient_spectrum
from keras_freq.evaluate._mean_corruption_error import mean_corruption_error
from keras_freq.evaluate._minimal_adversarials import MinimalAdversarialsResult, minimal_adversarials
from keras_freq.evaluate._ood_metrics import OODResult, ood_metrics
from keras_freq.evaluate._ood_scores import ood_scores
from keras_freq.evaluate._predict_logits import predict_logits
from keras_freq.evaluate._rank_correlation import rank_correlation
from keras_freq.evaluate._ray_workers import RayWorkers
from keras_freq.evaluate._worst_case_accuracy import WorstCaseResult, worst_case_accuracy

__all__ = [
    "AccuracyResult",
    "AdversarialImages",
    "AdversarialResult",
    "AmplitudeSwapResult",
    "BandAccuracyResult",
    "CalibrationResult",
    "ClassScoresResult",
    "ConflictPairs",
    "CorruptionResult",
    "CriticalBandResult",
    "CueConflictResult",
    "FilteredResult",
    "FlipRateResult",
    "FourierHeatMapResult",
    "GradientSpectrumMap",
    "GradientSpectrumResult",
    "MinimalAdversarialsResult",
    "OODResult",
    "RayWorkers",
    "Result",
    "SwappedPairs",
    "WorstCaseResult",
    "accuracy",
    "adversarial_accuracy",
    "alone",
    "amplitude_swap",
    "auto_attack_accuracy",
    "band_accuracy",
    "calibration_error",
    "class_scores",
    "corruption_error",
    "critical_band",
    "cue_conflict",
    "filtered",
    "flip_rate",
    "fourier_heat_map",
    "gradient_spectrum_map",
    "input_gradient_spectrum",
    "mean_corruption_error",
    "minimal_adversarials",
    "ood_metrics",
    "ood_scores",
    "predict_logits",
    "published_geometry",
    "rank_correlation",
    "worst_case_accuracy",
]


def __dir__() -> list[str]:
    return __all__
