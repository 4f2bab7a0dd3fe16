"""Evaluations: model and data in, a small frozen result out: its numbers, how many images, the settings.

Any Keras classifier and any data: arrays, a `tf.data.Dataset`, a `keras.utils.PyDataset`, an iterable of
batches.
"""

from keras_freq.evaluate.accuracy import AccuracyResult, accuracy
from keras_freq.evaluate.adversarial_accuracy import AdversarialResult, adversarial_accuracy
from keras_freq.evaluate.adversarial_images import AdversarialImages
from keras_freq.evaluate.amplitude_swap import AmplitudeSwapResult, SwappedPairs, amplitude_swap
from keras_freq.evaluate.auto_attack_accuracy import auto_attack_accuracy
from keras_freq.evaluate.band_accuracy import BandAccuracyResult, band_accuracy
from keras_freq.evaluate.calibration_error import CalibrationResult, calibration_error
from keras_freq.evaluate.class_scores import ClassScoresResult, class_scores
from keras_freq.evaluate.corruption_error import CorruptionResult, corruption_error
from keras_freq.evaluate.fourier_heat_map import fourier_heat_map
from keras_freq.evaluate.gradient_spectrum_result import (
    GradientSpectrumMap,
    GradientSpectrumResult,
    gradient_spectrum_map,
)
from keras_freq.evaluate.heat_map_result import FourierHeatMapResult, published_geometry
from keras_freq.evaluate.image_spectral_density import SpectralDensityResult, image_spectral_density
from keras_freq.evaluate.input_gradient_spectrum import input_gradient_spectrum
from keras_freq.evaluate.mean_corruption_error import mean_corruption_error
from keras_freq.evaluate.minimal_adversarials import MinimalAdversarialsResult, minimal_adversarials
from keras_freq.evaluate.ood_metrics import OODResult, ood_metrics
from keras_freq.evaluate.ood_scores import ood_scores
from keras_freq.evaluate.predict_logits import predict_logits
from keras_freq.evaluate.result import Result
from keras_freq.evaluate.smooth_kernels import smooth_kernel, smooth_kernels
from keras_freq.evaluate.worst_case_accuracy import WorstCaseResult, worst_case_accuracy

__all__ = [
    "AccuracyResult",
    "AdversarialImages",
    "AdversarialResult",
    "AmplitudeSwapResult",
    "BandAccuracyResult",
    "CalibrationResult",
    "ClassScoresResult",
    "CorruptionResult",
    "FourierHeatMapResult",
    "GradientSpectrumMap",
    "GradientSpectrumResult",
    "MinimalAdversarialsResult",
    "OODResult",
    "Result",
    "SpectralDensityResult",
    "SwappedPairs",
    "WorstCaseResult",
    "accuracy",
    "adversarial_accuracy",
    "amplitude_swap",
    "auto_attack_accuracy",
    "band_accuracy",
    "calibration_error",
    "class_scores",
    "corruption_error",
    "fourier_heat_map",
    "gradient_spectrum_map",
    "image_spectral_density",
    "input_gradient_spectrum",
    "mean_corruption_error",
    "minimal_adversarials",
    "ood_metrics",
    "ood_scores",
    "predict_logits",
    "published_geometry",
    "smooth_kernel",
    "smooth_kernels",
    "worst_case_accuracy",
]
