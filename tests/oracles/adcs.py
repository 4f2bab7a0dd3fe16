"""ADCS maps, one class against one other at a time, in float64."""

from __future__ import annotations

import numpy as np

LUMA = (0.2989, 0.5870, 0.1140)


def adcs(images, labels, classes, *, channel="mean", statistic="mean", ties=0, include_self=False):
    spectra = np.abs(np.fft.fftshift(np.fft.fft2(images.astype("float64"), axes=(1, 2)), axes=(1, 2)))
    own = [getattr(spectra[labels == c], statistic)(axis=0) for c in range(classes)]
    if channel == "mean":
        own = [part.mean(axis=-1, keepdims=True) for part in own]
    elif channel == "luma":
        own = [(part * LUMA).sum(axis=-1, keepdims=True) for part in own]
    maps = []
    for c in range(classes):
        total = np.zeros(own[c].shape)
        for other in range(classes):
            if other == c and not include_self:
                continue
            difference = own[c] - own[other]
            # What rounding leaves between equal amplitudes is a tie.
            difference[np.abs(difference) < 1e-9] = 0
            total += np.where(difference == 0, ties, np.sign(difference))
        maps.append(total.mean(axis=-1))
    return np.stack(maps)
