"""The perturbation sequences of Hendrycks and Dietterich (ICLR 2019): pictures that change bit by bit."""

from keras_freq.data._perturbations.apply import perturb
from keras_freq.data._perturbations.catalog import EXTRA_PERTURBATIONS, PERTURBATIONS

__all__ = ["EXTRA_PERTURBATIONS", "PERTURBATIONS", "perturb"]
