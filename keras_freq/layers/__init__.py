"""Frequency layers: thin `keras.layers.Layer`s around `keras_freq.spectral`."""

from keras_freq.layers.apr_pair import APRPair
from keras_freq.layers.apr_single import APRSingle
from keras_freq.layers.aug_mix import AugMix
from keras_freq.layers.band_pass import BandPass
from keras_freq.layers.crop_flip import CropFlip
from keras_freq.layers.fda_pair import FDAPair
from keras_freq.layers.fourier_noise import FourierNoise
from keras_freq.layers.frequency_mask import FrequencyMask
from keras_freq.layers.high_pass import HighPass
from keras_freq.layers.hybrid_pair import HybridPair
from keras_freq.layers.low_pass import LowPass
from keras_freq.layers.random_resized_crop import RandomResizedCrop
from keras_freq.layers.spectral_density_enhancement import SpectralDensityEnhancement

__all__ = [
    "APRPair",
    "APRSingle",
    "AugMix",
    "BandPass",
    "CropFlip",
    "FDAPair",
    "FourierNoise",
    "FrequencyMask",
    "HighPass",
    "HybridPair",
    "LowPass",
    "RandomResizedCrop",
    "SpectralDensityEnhancement",
]
