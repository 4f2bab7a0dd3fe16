"""Fourier heat maps in float64 NumPy, one image, one channel and one frequency at a time."""

import numpy as np


def basis(height, width, i, j, phase=0.0):
    """The inverse DFT of a spectrum that holds the centered index `(i, j)` and its mirror alone."""
    spectrum = np.zeros((height, width), complex)
    u, v = (i - height // 2) % height, (j - width // 2) % width
    mirror = (-u) % height, (-v) % width
    if (u, v) == mirror:
        spectrum[u, v] = 1
    else:
        spectrum[u, v], spectrum[mirror] = np.exp(1j * phase), np.exp(-1j * phase)
    picture = np.fft.ifft2(spectrum).real
    return picture / np.sqrt((picture**2).sum())


def perturbed(images, i, j, *, epsilon, phase, seed, bounds):
    """Images `(n, height, width, channels)` with the basis image added, signs from the stated stream."""
    count, height, width, channels = images.shape
    signs = np.random.default_rng([seed, i, j]).random((count, channels))
    phases = np.random.default_rng([seed, i, j, 1]).random((count, 1))[:, 0]
    result = images.astype("float64").copy()
    for image in range(count):
        angle = 2 * np.pi * phases[image] if phase == "random" else phase
        for channel in range(channels):
            sign = -1 if signs[image, channel] < 0.5 else 1
            result[image, :, :, channel] += sign * epsilon * basis(height, width, i, j, angle)
    return result if bounds is None else np.clip(result, *bounds)


def measured(height, width, coverage):
    """Of each pair the one with the larger column, then row; both, where the coverage says so."""
    places = []
    for i in range(height):
        for j in range(width):
            mirror = (2 * (height // 2) - i) % height, (2 * (width // 2) - j) % width
            both = coverage == "full" or (coverage == "reference" and j == width // 2)
            if both or (j, i) >= (mirror[1], mirror[0]):
                places.append((i, j))
    return places


def heat_map(classify, images, labels, *, epsilon, phase, seed, bounds=(0, 1), coverage="half", change=None):
    """Error by centered index; with `change(images, perturbed)` its mean instead."""
    height, width = images.shape[1:3]
    values = {}
    for i, j in measured(height, width, coverage):
        moved = perturbed(images, i, j, epsilon=epsilon, phase=phase, seed=seed, bounds=bounds)
        values[i, j] = np.mean(classify(moved) != labels) if change is None else change(images, moved)
    picture = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            mirror = (2 * (height // 2) - i) % height, (2 * (width // 2) - j) % width
            picture[i, j] = values[i, j] if (i, j) in values else values[mirror]
    return picture
