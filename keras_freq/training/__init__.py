"""Keras models that train a classifier in a way of their own, and are the bare classifier otherwise.

Training on shuffled labels needs no model: `shuffle_labels`, which stands in `keras_freq.data` too, gives the
labels.
"""

from keras_freq.data import shuffle_labels
from keras_freq.training._adversarial_model import AdversarialModel
from keras_freq.training._amplitude_drop_model import AmplitudeDropModel
from keras_freq.training._amplitude_uncertainty_model import AmplitudeUncertaintyModel
from keras_freq.training._apr_model import APRModel
from keras_freq.training._band_model import BandModel
from keras_freq.training._mix_up_model import MixUpModel
from keras_freq.training._mixture_model import MixtureModel
from keras_freq.training._spectral_regularizer import SpectralRegularizer
from keras_freq.training._two_head_model import TwoHeadModel

__all__ = [
    "APRModel",
    "AdversarialModel",
    "AmplitudeDropModel",
    "AmplitudeUncertaintyModel",
    "BandModel",
    "MixUpModel",
    "MixtureModel",
    "SpectralRegularizer",
    "TwoHeadModel",
    "shuffle_labels",
]


def __dir__() -> list[str]:
    return __all__
