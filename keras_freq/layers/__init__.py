"""Frequency layers: thin layers of Keras around `keras_freq.spectral`."""

from keras_freq.layers._apr_pair import APRPair
from keras_freq.layers._apr_single import APRSingle
from keras_freq.layers._aug_mix import AugMix
from keras_freq.layers._class_frequencies import ClassFrequencies
from keras_freq.layers._crop_flip import CropFlip
from keras_freq.layers._fda_pair import FDAPair
from keras_freq.layers._filters import BandPass, FrequencyMask, HighPass, LowPass
from keras_freq.layers._fourier_noise import FourierNoise
from keras_freq.layers._hybrid_pair import HybridPair
from keras_freq.layers._random_resized_crop import RandomResizedCrop
from keras_freq.layers._spectral_density_enhancement import SpectralDensityEnhancement
from keras_freq.layers._spectral_dropout import SpectralDropout

__all__ = [
    "APRPair",
    "APRSingle",
    "AugMix",
    "BandPass",
    "ClassFrequencies",
    "CropFlip",
    "FDAPair",
    "FourierNoise",
    "FrequencyMask",
    "HighPass",
    "HybridPair",
    "LowPass",
    "RandomResizedCrop",
    "SpectralDensityEnhancement",
    "SpectralDropout",
]


def __dir__() -> list[str]:
    return __all__
