"""Importance of frequencies and the shortcut test, one image and one group at a time, in float64."""

import numpy as np


def filtered(images, mask):
    """Images `(n, height, width, channels)` under a centered gain mask, the real part kept."""
    spectrum = np.fft.fft2(images.astype("float64"), axes=(1, 2))
    return np.fft.ifft2(spectrum * np.fft.ifftshift(mask)[None, :, :, None], axes=(1, 2)).real


def class_losses(logits, labels, classes, loss="cross_entropy"):
    """Mean loss of each class."""
    logits = logits.astype("float64")
    own = logits[np.arange(len(labels)), labels]
    losses = -own if loss == "logit" else np.log(np.exp(logits).sum(axis=1)) - own
    return np.array([losses[labels == c].mean() for c in range(classes)])


def blocks(height, width, patch):
    """Sets of bins removed together: of every conjugate pair the one in the right half, by block."""
    found = {}
    for u in range(-(height // 2), height - height // 2):
        for v in range(-(width // 2), width - width // 2):
            # The partner of a frequency is its negative, modulo the size.
            partner = ((-u + height // 2) % height - height // 2, (-v + width // 2) % width - width // 2)
            right = v > partner[1] or (v == partner[1] and u >= partner[0])
            if not right:
                continue
            key = "dc" if u == v == 0 else (u // patch, abs(v) // patch)
            found.setdefault(key, set()).update({(u, v), partner})
    return [sorted((u + height // 2, v + width // 2) for u, v in places) for places in found.values()]


def published_block(height, width, patch, r, k):
    """The mask of one removal of the published code: a block and its mirror image by slices."""
    mask = np.ones((height, width))
    mask[patch * r : patch * (r + 1), patch * k : patch * (k + 1)] = 0
    if r and k:
        bottom, right = height - patch * r, width - patch * k
        mask[bottom : bottom + patch, right : right + patch] = 0
    return mask


def rates(confusion):
    """TPR and FPR of each class from one confusion matrix a mask, the rows the true classes."""
    tpr, fpr = [], []
    for c, counts in enumerate(confusion):
        positive, negative = counts[c].sum(), counts.sum() - counts[c].sum()
        tpr.append(counts[c, c] / positive)
        fpr.append((counts[:, c].sum() - counts[c, c]) / negative)
    return np.array(tpr), np.array(fpr)
