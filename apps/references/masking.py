"""How few frequencies are enough for a network: one mask for all classes, learned, by power, or a disk."""

from __future__ import annotations

import keras
import numpy as np

import keras_freq as kf

Data = tuple[np.ndarray, np.ndarray]


def masked_classes(
    model: keras.Model,
    search: Data,
    pixels: np.ndarray,
    *,
    fractions: tuple[float, ...],
    steps: int,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Classes of the images under masks of each share, by name of the condition.

    Args:
        model: Network of pixels in [0, 1].
        search: Images in [0, 1] and labels that masks are found on.
        pixels: Images in [0, 1] that they are tested on.
        fractions: Falling shares of the bins, DC in all masks.
        steps: Of learning, for each share.
        seed: Of learning.
    """
    declared = kf.Classifier(model, value_range=(0, 1))
    path = kf.shortcuts.learned_path(
        declared, *search, fractions=fractions, scope="network", steps=steps, seed=seed
    )
    masks = {f"learned {share:g}": maps.masks[search[1][0]] for share, maps in path.items()}
    size = pixels.shape[1:3]
    power = np.abs(np.fft.fft2(search[0], axes=(1, 2))) ** 2
    rankings = {
        "power": np.fft.fftshift(power.mean(axis=(0, 3))),
        "disk": -np.asarray(kf.spectral.radial_distance(*size)),
    }
    for name, ranking in rankings.items():
        for share in fractions:
            maps = kf.shortcuts.dominant_frequency_map(ranking[None], share, ties="exact", dc="keep")
            masks[f"{name} {share:g}"] = maps.masks[0]
    return {
        f"masked {name}": kf.evaluate.predict_logits(
            declared, kf.spectral.apply_mask(pixels, mask), batch_size=500
        ).argmax(axis=1)
        for name, mask in masks.items()
    }
