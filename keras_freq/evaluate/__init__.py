"""Evaluations: model and data in, a small frozen result out: its numbers, how many images, the settings.

Any Keras classifier and any data: arrays, a `tf.data.Dataset`, a `keras.utils.PyDataset`, an iterable of
batches.
"""

from keras_freq.evaluate.accuracy import AccuracyResult, accuracy
from keras_freq.evaluate.adversarial_accuracy import AdversarialResult, adversarial_accuracy
from keras_freq.evaluate.adversarial_images import AdversarialImages
from keras_freq.evaluate.band_accuracy import BandAccuracyResult, band_accuracy
from keras_freq.evaluate.minimal_adversarials import MinimalAdversarialsResult, minimal_adversarials
from keras_freq.evaluate.predict_logits import predict_logits
from keras_freq.evaluate.result import Result
from keras_freq.evaluate.smooth_kernels import smooth_kernel, smooth_kernels

__all__ = [
    "AccuracyResult",
    "AdversarialImages",
    "AdversarialResult",
    "BandAccuracyResult",
    "MinimalAdversarialsResult",
    "Result",
    "accuracy",
    "adversarial_accuracy",
    "band_accuracy",
    "minimal_adversarials",
    "predict_logits",
    "smooth_kernel",
    "smooth_kernels",
]
