"""Float64 NumPy, written from the formulas with full complex transforms; slow and plain on purpose."""

import numpy as np


def distance(height, width):
    return np.array(
        [
            [np.sqrt((i - height // 2) ** 2 + (j - width // 2) ** 2) for j in range(width)]
            for i in range(height)
        ]
    )


def spectrum(images):
    """Centered two-dimensional DFT of NHWC images, by explicit DFT matrices."""
    images = np.asarray(images, dtype="float64")
    height, width = images.shape[1:3]
    rows = np.exp(-2j * np.pi * np.outer(np.arange(height), np.arange(height)) / height)
    columns = np.exp(-2j * np.pi * np.outer(np.arange(width), np.arange(width)) / width)
    transformed = np.einsum("uh,bhwc,vw->buvc", rows, images, columns, optimize=True)
    return np.fft.fftshift(transformed, axes=(1, 2))


def filtered(images, mask):
    shifted = np.fft.ifftshift(spectrum(images) * mask[None, :, :, None], axes=(1, 2))
    result = np.fft.ifft2(shifted, axes=(1, 2))
    assert np.abs(result.imag).max() < 1e-10
    return result.real


def recombined(amplitude_of, phase_of, axes):
    """Where the phase image has no amplitude, below 1e-6 of its largest, the donor's spectrum stays."""
    which = (1, 2, 3) if axes == "chw" else (1, 2)
    source = np.fft.fftn(np.asarray(amplitude_of, dtype="float64"), axes=which)
    target = np.fft.fftn(np.asarray(phase_of, dtype="float64"), axes=which)
    empty = np.abs(target) <= 1e-6 * np.abs(target).max(axis=(1, 2, 3), keepdims=True)
    put = np.where(empty, source, np.abs(source) * np.exp(1j * np.angle(target)))
    return np.fft.ifftn(put, axes=which).real


def azimuthal(map, center="dc", bins="all", per_pixel=False):
    height, width = map.shape
    row, column = (height // 2, width // 2) if center == "dc" else ((height - 1) / 2, (width - 1) / 2)
    down, right = (min(height, width) / side if per_pixel else 1 for side in (height, width))
    rings = {}
    for i in range(height):
        for j in range(width):
            rings.setdefault(int(np.hypot((i - row) * down, (j - column) * right)), []).append(map[i, j])
    profile = np.array([np.mean(rings[k]) for k in sorted(rings)])
    return profile[1:-1] if bins == "inner" else profile


def density(images, center="dc", bins="all"):
    images = np.asarray(images, dtype="float64")
    weights = (
        np.array([0.2989, 0.5870, 0.1140])
        if images.shape[-1] == 3
        else np.full(images.shape[-1], 1 / images.shape[-1])
    )
    gray = images @ weights
    maps = 20 * np.log(1 + np.abs(spectrum(gray[..., None])[..., 0]))
    profiles = np.stack([azimuthal(m, center, bins) for m in maps])
    low, high = profiles.min(-1, keepdims=True), profiles.max(-1, keepdims=True)
    return (profiles - low) / (high - low)


def rescaled(images, mode, per="image"):
    """Image by image, or channel by channel of NHWC images."""
    result = np.array(images, dtype="float64")
    parts = result
    if per == "channel":
        parts = [image[..., c] for image in result for c in range(result.shape[-1])]
    for image in parts:
        low, high = image.min(), image.max()
        if mode == "clip":
            image[image < 0] = 0
            image[image > 1] = 1
        elif mode == "max" and high > 1e-6:
            image /= high
        elif mode == "minmax":
            image -= low
            image /= high - low if high - low > 1e-6 else 1
        elif mode == "uint8_wrap":
            image[:] = np.trunc(255 * image).astype("int64").astype("uint8") / 255
    return result
