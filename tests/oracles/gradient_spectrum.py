"""Spectra of input gradients in float64 NumPy, for models whose gradient is known in closed form."""

import numpy as np

from tests.oracles import spectral


def linear_gradients(images, labels, weights, bias):
    """Gradient of the cross-entropy of `flatten(x) @ weights + bias`: `weights (p - onehot)`, NHWC."""
    images = np.asarray(images, "float64")
    logits = images.reshape(len(images), -1) @ weights + bias
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    error = exponents / exponents.sum(axis=-1, keepdims=True)
    for row, label in zip(error, labels, strict=True):
        # Not p - 1, which loses all digits where the model is sure.
        row[label] = -np.delete(row, label).sum()
    return (error @ np.asarray(weights, "float64").T).reshape(images.shape)


def profiles(gradients, center="dc", bins="all", units="index", normalize=True):
    """Azimuthal averages of `|F(sum of the channels)|`, `(batch, bands)`; a flat one is 0 once normalized."""
    summed = np.asarray(gradients, "float64").sum(axis=-1, keepdims=True)
    found = []
    for gradient, amplitude in zip(summed, np.abs(spectral.spectrum(summed))[..., 0], strict=True):
        profile = spectral.azimuthal(amplitude, center, bins, per_pixel=units == "cycles_per_pixel")
        if normalize:
            low, high = profile.min(), profile.max()
            is_flat = high - low <= 1e-5 * np.linalg.norm(gradient)
            profile = np.zeros_like(profile) if is_flat else (profile - low) / (high - low)
        found.append(profile)
    return np.stack(found)
