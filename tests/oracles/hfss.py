"""Hierarchical search by its definition: one mask, one image at a time, in float64."""

import numpy as np


def masked(images: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Images `(n, height, width, channels)` whose centered spectrum is multiplied by a mask; real part."""
    result = np.empty(images.shape)
    for n, image in enumerate(images.astype("float64")):
        for c in range(image.shape[-1]):
            spectrum = np.fft.fftshift(np.fft.fft2(image[..., c])) * mask
            result[n, ..., c] = np.real(np.fft.ifft2(np.fft.ifftshift(spectrum)))
    return result


def class_losses(logits_of, images: np.ndarray, labels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean cross-entropy of each class on its images under a mask; NaN for a class without images."""
    logits = logits_of(masked(images, mask))
    losses = np.log(np.exp(logits).sum(axis=-1)) - logits[np.arange(len(labels)), labels]
    classes = logits.shape[-1]
    return np.array([losses[labels == c].mean() if (labels == c).any() else np.nan for c in range(classes)])


def search(logits_of, images, labels, masks, budgets, top):
    """Best masks and their losses: `indices[stage][class]`, `losses[stage][class]`, best first."""
    indices, losses = [], []
    for stage, budget in enumerate(budgets):
        found = np.array(
            [class_losses(logits_of, images, labels, masks.mask(stage, k)) for k in range(budget)]
        )
        best = [
            [] if np.isnan(column).any() else np.argsort(column, kind="stable")[:top].tolist()
            for column in found.T
        ]
        masks.keep(best)
        indices.append(best)
        losses.append([found[ks, c].tolist() for c, ks in enumerate(best)])
    return indices, losses
