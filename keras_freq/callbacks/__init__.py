"""Callbacks: each calls one function of `evaluate` every n epochs and puts plain floats into the logs."""

from keras_freq.callbacks.band_accuracy import BandAccuracy
from keras_freq.callbacks.fourier_heat_map import FourierHeatMap

__all__ = ["BandAccuracy", "FourierHeatMap"]
