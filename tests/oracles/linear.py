"""Closed forms of a linear classifier `flatten(x) @ kernel + bias`."""

import numpy as np


def distances(weights, images, labels, norm="linf"):
    """Distance of each image to the nearest decision boundary, away from the bounds; 0 where it is wrong."""
    kernel, bias = (weight.astype("float64") for weight in weights)
    logits = images.reshape(len(images), -1).astype("float64") @ kernel + bias
    rows = np.arange(len(labels))
    gaps = kernel[:, labels].T[:, :, None] - kernel[None]
    # The dual norm: an L-infinity step moves a margin by the L1 norm of the difference of weights.
    gaps = np.abs(gaps).sum(1) if norm == "linf" else np.sqrt(np.square(gaps).sum(1))
    margins = logits[rows, labels][:, None] - logits
    gaps[rows, labels], margins[rows, labels] = 1, np.inf
    return np.maximum((margins / gaps).min(1), 0)
