"""Results as figures: each function returns a `matplotlib.figure.Figure`, shows nothing, saves nothing.

Figures are made without pyplot, so they need no display and leave no global state behind:
``keras_freq.plots.band_accuracy(results).savefig("bands.png")``. Matplotlib is imported at the first call.
"""

from keras_freq.plots._adcs import adcs
from keras_freq.plots._adversarial_examples import adversarial_examples
from keras_freq.plots._amplitude_swap import amplitude_swap
from keras_freq.plots._band_accuracy import band_accuracy
from keras_freq.plots._component_predictions import component_predictions
from keras_freq.plots._confusion_change import confusion_change
from keras_freq.plots._corruption_table import corruption_table
from keras_freq.plots._critical_band import critical_band
from keras_freq.plots._cue_conflict import cue_conflict
from keras_freq.plots._curves import curves
from keras_freq.plots._filtered import filtered
from keras_freq.plots._filtered_examples import filtered_examples
from keras_freq.plots._frequency_maps import frequency_maps
from keras_freq.plots._gradient_spectrum import gradient_spectrum
from keras_freq.plots._heat_map import heat_map
from keras_freq.plots._image_rows import image_rows
from keras_freq.plots._kernels import kernels
from keras_freq.plots._reliability import reliability
from keras_freq.plots._scatter import scatter
from keras_freq.plots._shortcut_rates import shortcut_rates
from keras_freq.plots._spectral_density import spectral_density
from keras_freq.plots._spectrum import spectrum
from keras_freq.plots._training_curves import training_curves

__all__ = [
    "adcs",
    "adversarial_examples",
    "amplitude_swap",
    "band_accuracy",
    "component_predictions",
    "confusion_change",
    "corruption_table",
    "critical_band",
    "cue_conflict",
    "curves",
    "filtered",
    "filtered_examples",
    "frequency_maps",
    "gradient_spectrum",
    "heat_map",
    "image_rows",
    "kernels",
    "reliability",
    "scatter",
    "shortcut_rates",
    "spectral_density",
    "spectrum",
    "training_curves",
]


def __dir__() -> list[str]:
    return __all__
