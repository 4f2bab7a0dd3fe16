"""The table of augmentations: to add a row is to add one entry, and its strength to `Augmentations`.

A row is given Keras and `keras_freq`, which are not imported before.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.lab.networks import STATISTICS

if TYPE_CHECKING:
    import keras

    from apps.lab.settings import Training

Layers = dict[str, "keras.Layer"]


@dataclasses.dataclass(frozen=True)
class Row:
    """One way to train.

    Args:
        label: Its name in tables and figures.
        layers: `(keras, kf, training, seed)` to the layers of the row by their place: `single` (before the
            crop), `after` the crop, `pair` (mixes the images of a batch), `mixture` (images and labels).
            Seeds: crops take `seed + 1`, `single` takes `seed + 2`, all others `seed + 3`.
        strengths: The fields of `Augmentations` that it follows from.
        adversarial: Whether it goes with adversarial training.
        mapped: Whether it needs `Augmentations.maps`, which follow from another network.
        whole: Whether a training model of its own does it, which takes images at their size.
    """

    label: str
    layers: Callable[[Any, Any, Training, int], Layers] = lambda keras, kf, training, seed: {}
    strengths: tuple[str, ...] = ()
    adversarial: bool = False
    mapped: bool = False
    whole: bool = False


def _single(keras: Any, kf: Any, training: Training, seed: int) -> Layers:
    own = training.augmentations
    options = {"applied": own.applied, "level": own.level, "overflow": own.overflow}
    return {"single": kf.layers.APRSingle(probability=own.single, **options, seed=seed + 2)}


def _pair(keras: Any, kf: Any, training: Training, seed: int) -> Layers:
    pair = kf.layers.APRPair(probability=training.augmentations.pair, seed=seed + 3)
    if training.augmentations.pair_space == "normalized":
        from apps.lab.cropping import NormalizedPair

        mean, std = STATISTICS[training.statistics]
        pair = NormalizedPair(pair, mean=mean, std=std)
    return {"pair": pair}


def _both(keras: Any, kf: Any, training: Training, seed: int) -> Layers:
    return _single(keras, kf, training, seed) | _pair(keras, kf, training, seed)


def _twice(keras: Any, kf: Any, training: Training, seed: int) -> Layers:
    # The clean images once more, moved and mirrored anew: as many passes as APR-P, nothing recombined.
    return {"pair": kf.layers.CropFlip(training.crop.padding or 0, mode="reflect", seed=seed + 3)}


def _gaussian_noise(keras: Any, kf: Any, training: Training, seed: int) -> Layers:
    return {"after": keras.layers.GaussianNoise(training.augmentations.gaussian_noise, seed=seed + 3)}


def _cutout(keras: Any, kf: Any, training: Training, seed: int) -> Layers:
    area, hole = training.augmentations.cutout**2, training.augmentations.hole
    options = {"factor": (1.0, 1.0), "scale": (area, area), "fill_value": hole, "value_range": (0, 1)}
    return {"after": keras.layers.RandomErasing(**options, seed=seed + 3)}


def _mix_up(keras: Any, kf: Any, training: Training, seed: int) -> Layers:
    return {"mixture": keras.layers.MixUp(alpha=training.augmentations.mix_up, seed=seed + 3)}


def _cut_mix(keras: Any, kf: Any, training: Training, seed: int) -> Layers:
    # Keras draws alpha itself, between the two factors.
    alpha = training.augmentations.cut_mix
    return {"mixture": keras.layers.CutMix(factor=(alpha, alpha), seed=seed + 3)}


def _aug_mix(keras: Any, kf: Any, training: Training, seed: int) -> Layers:
    return {"after": kf.layers.AugMix(level=training.augmentations.aug_mix, seed=seed + 3)}


def _rand_augment(keras: Any, kf: Any, training: Training, seed: int) -> Layers:
    factor = training.augmentations.rand_augment
    return {"after": keras.layers.RandAugment(value_range=(0, 1), num_ops=2, factor=factor, seed=seed + 3)}


def _fourier_noise(keras: Any, kf: Any, training: Training, seed: int) -> Layers:
    options = {
        "strength": training.augmentations.fourier_noise,
        "distribution": "exponential",
        "clip": (0, 1),
    }
    return {"after": kf.layers.FourierNoise(**options, seed=seed + 3)}


def _hybrid(keras: Any, kf: Any, training: Training, seed: int, *, plus: bool = False) -> Layers:
    options = {"probability": training.augmentations.hybrid, "recombine_amplitude": plus}
    return {"pair": kf.layers.HybridPair(**options, seed=seed + 3)}


def _fda(keras: Any, kf: Any, training: Training, seed: int) -> Layers:
    return {"pair": kf.layers.FDAPair(beta=training.augmentations.fda, seed=seed + 3)}


def _spectral_dropout(keras: Any, kf: Any, training: Training, seed: int) -> Layers:
    return {"after": kf.layers.SpectralDropout(training.augmentations.spectral_dropout, seed=seed + 3)}


def _class_frequencies(keras: Any, kf: Any, training: Training, seed: int, *, how: str) -> Layers:
    own = training.augmentations
    options = {"how": how, "probability": own.map_probability}
    return {"mixture": kf.layers.ClassFrequencies(read_maps(own.maps), **options, seed=seed + 3)}


def write_maps(masks: np.ndarray) -> str:
    """Binary masks `(classes, height, width)` as text: their shape, and their bits in base 64."""
    bits = base64.b64encode(np.packbits(np.asarray(masks) > 0).tobytes()).decode()
    return f"{'x'.join(map(str, np.shape(masks)))}:{bits}"


def read_maps(text: str) -> np.ndarray:
    """The masks that `write_maps` wrote, float32."""
    try:
        sides, bits = text.split(":")
        shape = tuple(map(int, sides.split("x")))
        flat = np.unpackbits(np.frombuffer(base64.b64decode(bits, validate=True), "uint8"))
        return flat[: int(np.prod(shape))].reshape(shape).astype("float32")
    except ValueError as error:
        raise ValueError(
            "`training.augmentations.maps` must be maps as write_maps of apps.lab.augmentations writes them. "
            f"Received: training.augmentations.maps={text[:40]!r}"
        ) from error


_PAIR, _SINGLE = ("pair", "pair_space"), ("single", "level", "applied", "overflow")
_MAPS = ("maps", "map_probability")
ROWS: dict[str, Row] = {
    "standard": Row("Standard", adversarial=True),
    "standard_twice": Row("Standard, two halves", _twice),
    "apr_p": Row("APR-P", _pair, _PAIR, adversarial=True),
    "apr_s": Row("APR-S", _single, _SINGLE, adversarial=True),
    "apr_sp": Row("APR-SP", _both, _SINGLE + _PAIR, adversarial=True),
    "cutout": Row("Cutout", _cutout, ("cutout", "hole")),
    "mix_up": Row("MixUp", _mix_up, ("mix_up",)),
    "cut_mix": Row("CutMix", _cut_mix, ("cut_mix",)),
    "aug_mix": Row("AugMix", _aug_mix, ("aug_mix",)),
    "rand_augment": Row("RandAugment", _rand_augment, ("rand_augment",)),
    "gaussian_noise": Row("Gaussian noise", _gaussian_noise, ("gaussian_noise",)),
    "fourier_noise": Row("FourierNoise", _fourier_noise, ("fourier_noise",)),
    "hybrid_augment": Row("HybridAugment", _hybrid, ("hybrid",)),
    "hybrid_augment_pp": Row("HybridAugment++", functools.partial(_hybrid, plus=True), ("hybrid",)),
    "fda": Row("FDA", _fda, ("fda",)),
    "spectral_dropout": Row("Spectral dropout", _spectral_dropout, ("spectral_dropout",)),
    "amplitude_drop": Row("Amplitude dropout", strengths=("amplitude_drop",), whole=True),
    "amplitude_uncertainty": Row(
        "Amplitude uncertainty",
        strengths=("amplitude_uncertainty", "amplitude_uncertainty_steps"),
        whole=True,
    ),
    "spectral_low": Row("Regularized to low frequencies", strengths=("regularizer",), whole=True),
    "spectral_high": Row("Regularized to high frequencies", strengths=("regularizer",), whole=True),
    "dfm_x": Row("DFM-X", functools.partial(_class_frequencies, how="keep_other"), _MAPS, mapped=True),
    "dfm_dropped": Row(
        "Own maps dropped", functools.partial(_class_frequencies, how="drop_own"), _MAPS, mapped=True
    ),
}
_REGULARIZED: dict[str, Any] = {"spectral_low": "low", "spectral_high": "high"}
# The rows that need nothing but a recipe.
PLAIN_ROWS = tuple(name for name, row in ROWS.items() if not row.mapped)


def wrap(classifier: keras.Model, training: Training, shape: tuple[int, ...], *, seed: int) -> keras.Model:
    """The model that trains `classifier` in the way of the recipe; the classifier where that adds nothing.

    `shape` is that of the training images, `seed` that of the network.
    """
    import keras

    import keras_freq as kf

    layers = ROWS[training.augmentation].layers(keras, kf, training, seed)
    name: dict[str, Any] = {"name": f"{classifier.name}_training"}
    crop = training.crop
    single, after = layers.pop("single", None), layers.pop("after", None)
    if crop.size is not None:
        from apps.lab.cropping import CroppedAPRModel

        flip = keras.layers.RandomFlip("horizontal", seed=seed + 4)
        return CroppedAPRModel(
            classifier,
            crop=cropping_layer(training, seed=seed + 1),
            single=single,
            augment=_sequence(flip, after),
            reduction=training.halves,
            **layers,
            **name,
        )
    crops = crops_and_flips(training, shape, seed=seed)
    if training.adversary.steps:
        return kf.training.AdversarialModel(
            classifier,
            **dataclasses.asdict(training.adversary),
            augment=_sequence(single, *crops),
            seed=seed,
            **layers,
            **name,
        )
    augment = _sequence(*crops, after)
    if training.augmentation == "amplitude_drop":
        probability = training.augmentations.amplitude_drop
        return kf.training.AmplitudeDropModel(
            classifier, probability=probability, augment=augment, seed=seed + 3, **name
        )
    if training.augmentation == "amplitude_uncertainty":
        own = training.augmentations
        return kf.training.AmplitudeUncertaintyModel(
            classifier,
            probability=own.amplitude_uncertainty,
            steps=own.amplitude_uncertainty_steps,
            augment=augment,
            seed=seed + 3,
            **name,
        )
    if training.augmentation in _REGULARIZED:
        return kf.training.SpectralRegularizer(
            classifier,
            strength=training.augmentations.regularizer,
            towards=_REGULARIZED[training.augmentation],
            augment=augment,
            **name,
        )
    if "mixture" in layers:
        return kf.training.MixtureModel(classifier, augment=augment, **layers, **name)
    if single is None and augment is None and not layers:
        return classifier
    return kf.APRModel(
        classifier, single=single, augment=augment, reduction=training.halves, **layers, **name
    )


def crops_and_flips(training: Training, shape: tuple[int, ...], *, seed: int) -> list[keras.Layer]:
    """The layers of the recipe that move an image of this shape and leave its size."""
    import keras_freq as kf

    crop = training.crop
    layers: list[keras.Layer] = []
    options: dict[str, Any]
    if crop.padding is not None:
        options = {"flip": crop.flip == "random", "fill": crop.fill, "mode": crop.mode}
        layers.append(kf.layers.CropFlip(crop.padding, **options, seed=seed + 1))
    if crop.area is not None:
        options = {"area": crop.area, "aspect": crop.aspect, "flip": not layers, "center": 1.0}
        layers.append(kf.layers.RandomResizedCrop(*shape[:2], **options, seed=seed + 4))
    return layers


def cropping_layer(training: Training, *, seed: int | None = None) -> keras.Layer:
    """The crop to `crop.size`: a random box in training, the middle in testing; without a flip."""
    import keras_freq as kf

    crop = training.crop
    assert crop.size is not None  # the settings see to it
    assert crop.area is not None
    return kf.layers.RandomResizedCrop(
        crop.size, area=crop.area, aspect=crop.aspect, flip=False, center=crop.center, seed=seed
    )


def _sequence(*layers: keras.Layer | None) -> keras.Layer | None:
    import keras

    kept = [layer for layer in layers if layer is not None]
    if len(kept) < 2:
        return kept[0] if kept else None
    return keras.Sequential(kept)
