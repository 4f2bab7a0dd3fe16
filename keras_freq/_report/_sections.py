"""The sections of a report: what each one measures, and with how many images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from keras_freq._core.checks import show
from keras_freq._core.feeds import ModelFeed
from keras_freq._report import _critical_band, _cue_conflict, _sufficient_maps
from keras_freq._report._look import PICTURES, SHARE, Look, Section, cut_off_radii
from keras_freq.data import CORRUPTIONS
from keras_freq.evaluate import (
    accuracy,
    adversarial_accuracy,
    amplitude_swap,
    band_accuracy,
    calibration_error,
    corruption_error,
    fourier_heat_map,
    input_gradient_spectrum,
    ood_metrics,
    ood_scores,
    predict_logits,
)
from keras_freq.shortcuts import dominant_frequency_map, frequency_importance, shortcut_report
from keras_freq.spectral import apply_mask, disk_mask

# Fewer images of a class on either side of the shortcut test tell nothing.
LEAST_PER_CLASS = 5
# Largest changes of a pixel under attack.
EPSILONS = (0.5 / 255, 1 / 255, 2 / 255, 4 / 255, 8 / 255)
# With more classes each image is filtered by the map of its own class alone.
_MOST_CROSSED = 20


def _clean(look: Look) -> dict[str, Any]:
    logits = predict_logits(look.model, look.images)
    found: dict[str, Any] = {"accuracy": accuracy(look.model, look.data)}
    if np.isfinite(logits).all():
        found["calibration"] = calibration_error(logits, look.labels, model=found["accuracy"].model)
    return found


def _bands(look: Look) -> dict[str, Any]:
    options: Any = {"radii": look.radii, "keep_predictions": True, "progress": look.progress}
    return {"bands": band_accuracy(look.model, look.data, **options)}


def _window(look: Look) -> int | None:
    """Half the side of the window of frequencies around DC, `None`: all of them."""
    return None if max(look.size) <= 40 else 31 if look.full else 15


def _heat_map(look: Look) -> dict[str, Any]:
    height, width = look.size
    # A root mean square of .125 a pixel, as published for 32 pixels, and of .07, as for 224.
    epsilon = math.sqrt(height * width) * (4 / 32 if max(look.size) <= 64 else 15.7 / 224)
    options: Any = {"epsilon": epsilon, "n": look.at_most(64, 500), "window": _window(look)}
    options |= {"checkpoint": look.checkpoint("heat_map"), "progress": look.progress}
    return {"heat_map": fourier_heat_map(look.model, look.data, **options)}


def _bases(look: Look) -> float:
    window = _window(look)
    return math.prod(look.size) / 2 if window is None else (2 * window + 1) ** 2 / 2


def _gradients(look: Look) -> dict[str, Any]:
    options: Any = {"n": look.at_most(200, 1000), "progress": look.progress}
    return {"gradient_spectrum": input_gradient_spectrum(look.model, look.data, **options)}


def _swap(look: Look) -> dict[str, Any]:
    return {"swap": amplitude_swap(look.model, look.data, seed=look.seed, progress=look.progress)}


def _halves(look: Look) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Images and labels for the search, every second one of each class at most, and the others for the test.

    Of images that the data hold more than once none is on both sides.
    """
    place = np.empty(look.n, int)  # of an image among those of its class
    for label in range(look.classes):
        own = np.flatnonzero(look.labels == label)
        place[own] = np.arange(len(own))
    most = look.n if look.full else max(10, math.ceil(300 / look.classes))
    search = (place % 2 == 0) & (place // 2 < most)
    searched = {image.tobytes() for image in look.images[search]}
    test = ~search
    test[test] = [image.tobytes() not in searched for image in look.images[test]]
    return look.images[search], look.labels[search], (look.images[test], look.labels[test])


def _patch(look: Look) -> int:
    """Side of the blocks of frequencies that are removed together."""
    return max(1, round(min(look.size) / (32 if look.full else 16)))


def _shortcuts(look: Look) -> dict[str, Any]:
    images, labels, test = _halves(look)
    options: Any = {"checkpoint": look.checkpoint("importance"), "progress": look.progress}
    importance = frequency_importance(look.model, images, labels, patch=_patch(look), **options)
    maps = dominant_frequency_map(importance, SHARE, ties="exact")
    height, width = look.size
    disks = np.stack(
        [disk_mask(height, width, math.sqrt(share * height * width / math.pi)) for share in maps.share]
    )
    crossed = look.classes <= _MOST_CROSSED
    return {
        "importance": importance,
        "maps": maps,
        "shortcuts": shortcut_report(look.model, test, maps, others=crossed, progress=look.progress),
        "disks": shortcut_report(look.model, test, disks, others=crossed, progress=look.progress),
        "under_maps": _answers_under_maps(look, maps.masks),
    }


def _answers_under_maps(look: Look, masks: np.ndarray) -> np.ndarray:
    """Classes that the model sees in the pictures of the page under the maps of their classes."""
    feed = ModelFeed(look.model, look.first(PICTURES))
    pixels, labels = feed.arrays()
    filtered = [
        apply_mask(image[None], masks[label], data_format=feed.data_format)
        for image, label in zip(pixels, labels, strict=True)
    ]
    return predict_logits(feed.model.for_pixels, np.concatenate(filtered)).argmax(axis=1)


def _too_few(look: Look) -> str | None:
    _, labels, (_, tested) = _halves(look)
    least = min(np.bincount(part, minlength=look.classes).min() for part in (labels, tested))
    if least >= LEAST_PER_CLASS:
        return None
    return (
        f"needs at least {LEAST_PER_CLASS} images of each class on both sides, those searched on and those "
        f"tested; here a class has {least}"
    )


def _masked(look: Look) -> float:
    images, _, (tested, _) = _halves(look)
    groups = math.prod(look.size) / 2 / _patch(look) ** 2
    return groups * len(images) + 2 * len(tested) * (look.classes if look.classes <= _MOST_CROSSED else 1)


def _strange_channels(look: Look) -> str | None:
    """Corruptions are defined for gray images and those of three colors."""
    channels = ModelFeed(look.model, look.first(1)).channels
    return None if channels in (1, 3) else f"needs images of 1 or 3 channels; here they have {channels}"


def _severities(look: Look) -> tuple[int, ...]:
    return (1, 2, 3, 4, 5) if look.full else (1, 3, 5)


def _corruptions(look: Look) -> dict[str, Any]:
    images = look.first(look.at_most(250))
    options: Any = {"severities": _severities(look), "seed": look.seed, "progress": look.progress}
    return {"corruptions": corruption_error(look.model, images, keep_predictions=True, **options)}


def _attacks(look: Look) -> dict[str, Any]:
    options: Any = {"epsilons": EPSILONS, "engine": "own"}
    options |= {"steps": 20 if look.full else 10, "n": look.at_most(100, 500), "seed": look.seed}
    return {"attacks": adversarial_accuracy(look.model, look.data, **options, progress=look.progress)}


def _unknown(look: Look) -> dict[str, Any]:
    known = ood_scores(look.model, look.images)
    return {"unknown": ood_metrics(known, ood_scores(look.model, look.unknown))}


SECTIONS: dict[str, Section] = {
    "clean": Section("Images as they are", _clean, lambda look: 2 * look.n),
    "bands": Section("Accuracy by frequency band", _bands, lambda look: (1 + 2 * len(look.radii)) * look.n),
    "heat_map": Section("Fourier heat map", _heat_map, lambda look: look.at_most(64, 500) * _bases(look)),
    "gradients": Section("Spectrum of the gradients", _gradients, lambda look: 3 * look.at_most(200, 1000)),
    "swap": Section("Amplitude and phase", _swap, lambda look: 3 * look.n),
    "cue_conflict": _cue_conflict.SECTION,
    "critical_band": _critical_band.SECTION,
    "shortcuts": Section("Frequency shortcuts", _shortcuts, _masked, _too_few),
    "sufficient_maps": _sufficient_maps.SECTION,
    "corruptions": Section(
        "Corruptions",
        _corruptions,
        lambda look: len(CORRUPTIONS) * len(_severities(look)) * look.at_most(250),
        _strange_channels,
    ),
    "attacks": Section(
        "Attacks",
        _attacks,
        lambda look: len(EPSILONS) * 3 * (20 if look.full else 10) * look.at_most(100, 500),
    ),
    "unknown": Section(
        "Images of other classes",
        _unknown,
        lambda look: 2 * look.n,
        lambda look: "needs images of other classes, `unknown=`" if look.unknown is None else None,
    ),
}


def check_sections(only: Any, *, full: bool = False) -> tuple[str, ...]:
    """The sections that are asked for, in the order of the report; the clean images always."""
    if only is None:
        return tuple(name for name, section in SECTIONS.items() if full or not section.deep)
    wanted = (only,) if isinstance(only, str) else tuple(only)
    for name in wanted:
        if not isinstance(name, str) or name not in SECTIONS:
            raise ValueError(f"`only` must be some of {', '.join(SECTIONS)}. Received: only={show(only)}")
    return tuple(name for name in SECTIONS if name in wanted or name == "clean")


def section_keys(only: tuple[str, ...], size: tuple[int, int]) -> tuple[str, ...]:
    """Names of the headline numbers of sections, before anything is measured, by the size of the images."""
    radii = cut_off_radii(size)
    keys = {
        "clean": ("clean", "calibration_error"),
        "bands": [f"{band}_{radius:g}" for band in ("low", "high") for radius in radii],
        "heat_map": [f"heat_{ring}_error" for ring in ("low", "mid", "high")],
        "swap": ("follows_phase", "follows_amplitude"),
        "cue_conflict": _cue_conflict.name_numbers(radii),
        "critical_band": _critical_band.NUMBERS,
        "shortcuts": ("masked_tpr", "disk_tpr"),
        "sufficient_maps": _sufficient_maps.NUMBERS,
        "corruptions": ["corruption_error", *(f"error_{name}" for name in CORRUPTIONS)],
        "attacks": [f"robust_{epsilon * 255:g}" for epsilon in EPSILONS],
        "unknown": ("auroc",),
    }
    return tuple(key for section in only for key in keys.get(section, ()))
