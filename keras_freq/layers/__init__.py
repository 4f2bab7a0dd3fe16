"""Frequency layers: thin `keras.layers.Layer`s around `keras_freq.spectral`."""

from keras_freq.layers.apr_pair import APRPair
from keras_freq.layers.apr_single import APRSingle
from keras_freq.layers.band_pass import BandPass
from keras_freq.layers.crop_flip import CropFlip
from keras_freq.layers.fourier_noise import FourierNoise
from keras_freq.layers.frequency_mask import FrequencyMask
from keras_freq.layers.high_pass import HighPass
from keras_freq.layers.low_pass import LowPass

__all__ = [
    "APRPair",
    "APRSingle",
    "BandPass",
    "CropFlip",
    "FourierNoise",
    "FrequencyMask",
    "HighPass",
    "LowPass",
]
