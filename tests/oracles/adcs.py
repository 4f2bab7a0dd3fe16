"""ADCS and the band-stop test, one class, bin and image at a time, in float64."""

import numpy as np

LUMA = (0.2989, 0.5870, 0.1140)


def adcs(images, labels, *, channel="mean", statistic="mean", ties=0, include_self=False):
    """Maps `(classes, height, width)`, centered, of images `(n, height, width, channels)`."""
    classes = sorted(set(labels.tolist()))
    spectra = np.abs(np.fft.fftshift(np.fft.fft2(images.astype("float64"), axes=(1, 2)), axes=(1, 2)))
    combine = np.mean if statistic == "mean" else np.sum
    total = {c: combine(spectra[labels == c], axis=0) for c in classes}
    maps = np.full((max(classes) + 1, *images.shape[1:3]), np.nan)
    for c in classes:
        maps[c] = 0
        for other in classes:
            if other != c or include_self:
                difference = total[c] - total[other]
                if channel == "sign_then_mean":
                    signs = np.where(difference == 0, ties, np.sign(difference)).mean(axis=-1)
                else:
                    weights = LUMA if channel == "luma" else np.full(images.shape[-1], 1 / images.shape[-1])
                    gray = sum(w * difference[..., k] for k, w in enumerate(weights))
                    signs = np.where(gray == 0, ties, np.sign(gray))
                maps[c] += signs
    return maps


def band_mask(height, width, edges, stopped, keep_dc=True):
    """A centered mask without the bands numbered in `stopped`; band b begins at `edges[b - 1]`."""
    mask = np.ones((height, width))
    for i in range(height):
        for j in range(width):
            u, v = i - height // 2, j - width // 2
            distance = (u * u + v * v) ** 0.5
            band = max(b for b, edge in enumerate(edges, start=1) if distance >= edge)
            if band in stopped and not (keep_dc and distance == 0):
                mask[i, j] = 0
    return mask


def relative_confusion(labels, whole, stopped, classes):
    """`(stopped - whole) / images of the class * 100` of predictions on whole and filtered images."""
    change = np.full((classes, classes), np.nan)
    for c in set(labels.tolist()):
        for predicted in range(classes):
            before = sum(y == c and p == predicted for y, p in zip(labels, whole, strict=True))
            after = sum(y == c and p == predicted for y, p in zip(labels, stopped, strict=True))
            change[c, predicted] = (after - before) / (labels == c).sum() * 100
    return change
