"""Adversarial attacks: an adapter for Foolbox, and compiled FGSM, PGD and Square Attack of our own.

A model takes pixels in `bounds` and returns logits. Perturbation sizes and step sizes are absolute, in pixel
units.
"""

from keras_freq.attacks.compiled import compile_logits, compile_loss_gradient
from keras_freq.attacks.fgsm import fgsm
from keras_freq.attacks.foolbox_model import foolbox_model, foolbox_seed
from keras_freq.attacks.pgd import pgd
from keras_freq.attacks.square import square

__all__ = [
    "compile_logits",
    "compile_loss_gradient",
    "fgsm",
    "foolbox_model",
    "foolbox_seed",
    "pgd",
    "square",
]
