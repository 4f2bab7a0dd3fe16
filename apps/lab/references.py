"""The table of reference networks: to add one is to add one entry. Nothing here imports Keras."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from apps.lab.settings import Training


@dataclasses.dataclass(frozen=True)
class Reference:
    """One way to train a reference network.

    Args:
        label: Its name in tables and figures.
        training: What of the common recipe is otherwise.
        groups: The same of the groups `augmentations`, `crop` and `adversary` of the recipe.
        images: What is shown in place of the training images: a name of
            `apps.lab.training_sets.TRAINING_SETS`, or None.
    """

    label: str
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    groups: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    images: str | None = None

    def recipe(self, common: Training) -> Training:
        """The recipe of this network."""
        groups = {
            name: dataclasses.replace(getattr(common, name), **values) for name, values in self.groups.items()
        }
        return dataclasses.replace(common, **self.training, **groups)


_FGSM = {"adversary": {"steps": 1, "epsilon": 8 / 255, "step_size": 10 / 255, "random_start": True}}
# Half the radius of the one above: the network is narrow and sees each image ten times.
_PGD = {"adversary": {"steps": 3, "epsilon": 4 / 255, "step_size": 2 / 255, "random_start": True}}
# Another network by another recipe, for what should not hang on those of the whitened one.
_SMALL = {
    "network": "small_resnet",
    "width": 16,
    "iterations": None,
    "epochs": 15,
    "batch_size": 128,
    "learning_rate": 0.2,
    "momentum": 0.9,
    "lookahead": 0,
    "weight_decay": 5e-4,
    "label_smoothing": 0.0,
    "schedule": "cosine",
    "warmup": 2,
}
_SMALL_CROP = {"crop": {"padding": 4, "mode": "constant", "flip": "random"}}
# By the rate of the one above it diverges without batch normalization.
_NO_NORM = {**_SMALL, "normalization": "none", "learning_rate": 0.05}
_VIT = {
    **_SMALL,
    "network": "vit",
    "width": 64,
    "epochs": 20,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "nesterov": False,
    "weight_decay": 0.05,
    "decoupled": True,
}

REFERENCES: dict[str, Reference] = {
    "standard": Reference("Standard"),
    "standard_twice": Reference("Standard, two halves", {"augmentation": "standard_twice"}),
    "apr_p": Reference("APR-P", {"augmentation": "apr_p"}),
    "apr_s": Reference("APR-S", {"augmentation": "apr_s"}),
    "apr_sp": Reference("APR-SP", {"augmentation": "apr_sp"}),
    "aug_mix": Reference("AugMix", {"augmentation": "aug_mix"}),
    "cut_mix": Reference("CutMix", {"augmentation": "cut_mix"}),
    "rand_augment": Reference("RandAugment", {"augmentation": "rand_augment"}),
    "hybrid_augment_pp": Reference("HybridAugment++", {"augmentation": "hybrid_augment_pp"}),
    "gaussian_noise": Reference("Gaussian noise", {"augmentation": "gaussian_noise"}),
    "adversarial": Reference("FGSM training", {}, _FGSM),
    "pgd": Reference("PGD training", {}, _PGD),
    "small_resnet": Reference("small ResNet", _SMALL, _SMALL_CROP),
    "small_resnet_apr_sp": Reference(
        "small ResNet, APR-SP", {**_SMALL, "augmentation": "apr_sp"}, _SMALL_CROP
    ),
    "no_batch_norm": Reference("small ResNet, no batch norm", _NO_NORM, _SMALL_CROP),
    "no_batch_norm_dropout": Reference("no batch norm, dropout", {**_NO_NORM, "dropout": 0.5}, _SMALL_CROP),
    "no_batch_norm_mix_up": Reference(
        "no batch norm, MixUp", {**_NO_NORM, "augmentation": "mix_up"}, _SMALL_CROP
    ),
    "no_batch_norm_pgd": Reference("no batch norm, PGD training", _NO_NORM, {**_SMALL_CROP, **_PGD}),
    "vit": Reference("ViT", _VIT, _SMALL_CROP),
    # Not the whitened network: it starts from the statistics of images in [0, 1].
    "low_12": Reference("small ResNet, low-passed images", _SMALL, _SMALL_CROP, images="low_12"),
    "high_12": Reference("small ResNet, high-passed images", _SMALL, _SMALL_CROP, images="high_12"),
    "low_4": Reference("small ResNet, low-passed at 4", _SMALL, _SMALL_CROP, images="low_4"),
    "high_4": Reference("small ResNet, high-passed at 4", _SMALL, _SMALL_CROP, images="high_4"),
    "no_batch_norm_low_4": Reference("no batch norm, low-passed at 4", _NO_NORM, _SMALL_CROP, images="low_4"),
    "no_batch_norm_high_4": Reference(
        "no batch norm, high-passed at 4", _NO_NORM, _SMALL_CROP, images="high_4"
    ),
    "hars": Reference("HARS", images="hars"),
    "scr": Reference("SCR", images="scr"),
    "wcr": Reference("WCR", images="wcr"),
}
