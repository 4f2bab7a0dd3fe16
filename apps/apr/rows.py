"""The rows of the table: a classifier wrapped in the way to train it."""

from __future__ import annotations

import keras

import keras_freq as kf
from apps.apr.config import Augmentations

LABELS = {
    "standard": "Standard",
    "apr_p": "APR-P",
    "apr_s": "APR-S",
    "apr_sp": "APR-SP",
    "cutout": "Cutout",
    "mix_up": "MixUp",
    "cut_mix": "CutMix",
    "aug_mix": "AugMix",
    "rand_augment": "RandAugment",
    "fourier_noise": "FourierNoise",
    "hybrid_augment": "HybridAugment",
    "hybrid_augment_pp": "HybridAugment++",
    "fda": "FDA",
}


def crop_and_flip(settings: Augmentations, *, seed: int) -> kf.layers.CropFlip:
    """The augmentation that all rows have."""
    return kf.layers.CropFlip(settings.padding, fill=settings.fill, seed=seed + 1)


def single(settings: Augmentations, *, seed: int) -> kf.layers.APRSingle:
    return kf.layers.APRSingle(probability=settings.single, level=settings.level, seed=seed + 2)


def pair(settings: Augmentations, *, seed: int) -> kf.layers.APRPair:
    return kf.layers.APRPair(probability=settings.pair, seed=seed + 3)


def wrapped(row: str, classifier: keras.Model, settings: Augmentations, *, seed: int) -> keras.Model:
    """The model that trains `classifier` in the way of the row; its name ends in ``_training``."""
    crop = crop_and_flip(settings, seed=seed)
    name = {"name": f"{classifier.name}_training"}
    if row in ("mix_up", "cut_mix"):
        alpha = settings.cut_mix
        # Keras draws alpha itself, between the two factors.
        mixture = (
            keras.layers.MixUp(alpha=settings.mix_up, seed=seed + 3)
            if row == "mix_up"
            else keras.layers.CutMix(factor=(alpha, alpha), seed=seed + 3)
        )
        return kf.training.MixtureModel(classifier, mixture, augment=crop, **name)
    parts = {"augment": crop}
    if row in ("apr_s", "apr_sp"):
        parts["single"] = single(settings, seed=seed)
    if row in ("apr_p", "apr_sp"):
        parts["pair"] = pair(settings, seed=seed)
    elif row in ("hybrid_augment", "hybrid_augment_pp"):
        plus = row == "hybrid_augment_pp"
        parts["pair"] = kf.layers.HybridPair(
            probability=settings.hybrid, recombine_amplitude=plus, seed=seed + 3
        )
    elif row == "fda":
        parts["pair"] = kf.layers.FDAPair(beta=settings.fda, seed=seed + 3)
    elif row in ("cutout", "aug_mix", "rand_augment", "fourier_noise"):
        parts["augment"] = keras.Sequential([crop, _after_crop(row, settings, seed + 3)])
    return kf.APRModel(classifier, **parts, **name)


def _after_crop(row: str, settings: Augmentations, seed: int) -> keras.Layer:
    if row == "cutout":
        area = settings.cutout**2
        return keras.layers.RandomErasing(
            factor=(1.0, 1.0), scale=(area, area), fill_value=settings.fill, value_range=(0, 1), seed=seed
        )
    if row == "aug_mix":
        return kf.layers.AugMix(level=settings.aug_mix, seed=seed)
    if row == "rand_augment":
        return keras.layers.RandAugment(
            value_range=(0, 1), num_ops=2, factor=settings.rand_augment, seed=seed
        )
    return kf.layers.FourierNoise(
        strength=settings.fourier_noise, distribution="exponential", clip=(0, 1), seed=seed
    )
