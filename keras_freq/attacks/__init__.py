"""Adversarial attacks: an adapter for Foolbox, and compiled FGSM, PGD and Square Attack of our own.

A model takes pixels in `bounds` and returns logits. Perturbation sizes and step sizes are absolute, in pixel
units.
"""

from keras_freq._core.compiled import compile_logits, compile_loss_gradient
from keras_freq.attacks._fgsm import fgsm
from keras_freq.attacks._foolbox_model import foolbox_attack, foolbox_model, foolbox_seed
from keras_freq.attacks._pgd import pgd
from keras_freq.attacks._square import square

__all__ = [
    "compile_logits",
    "compile_loss_gradient",
    "fgsm",
    "foolbox_attack",
    "foolbox_model",
    "foolbox_seed",
    "pgd",
    "square",
]


def __dir__() -> list[str]:
    return __all__
