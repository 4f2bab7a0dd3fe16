"""Synthetic sets of four classes, one of which lives in a single band of frequencies."""

from __future__ import annotations

from typing import Literal

import numpy as np

from keras_freq._core.checks import check_choice, check_number, check_whole, show
from keras_freq.data._image_data import ImageData
from keras_freq.data._load import FEEDS, feed_arrays
from keras_freq.spectral import radial_distance, ring_mask

CLASSES = ("C0", "C1", "C2", "C3")
SIZE = 32
# Where the four bands begin and end, index units.
EDGES = (0, 4, 8, 12, 16)
# Vertical and horizontal frequency of the markers, of C0 to C2 one in each band. Those of C0 are harmonics
# of one diagonal wave and make a pattern of lines.
MARKERS = {
    "C0": ((2, 2), (4, 4), (6, 6), (10, 10)),
    "C1": ((0, 3), (0, 6), (0, 10), (0, 14)),
    "C2": ((2, 0), (5, 0), (9, 0), (13, 0)),
}
# The marker of C3 in each band, on the other diagonal.
BAND_MARKERS = ((1, -1), (4, -4), (7, -7), (10, -10))
# Share of the contrast's variance that the markers of an image hold, uniform between these.
MARKER_SHARE = (0.05, 0.25)
MEAN, STD = 0.5, 0.17


def synthetic_bands(
    band: int,
    *,
    train_per_class: int = 1000,
    test_per_class: int = 250,
    overlap: float = 0.0,
    seed: int = 0,
    batch_size: int = 128,
    feed: Literal["auto", "tf.data", "pydataset"] = "auto",
) -> ImageData:
    """Four classes of 32 x 32 x 3 images, of which C3 has its content in one band of frequencies.

    `x = clip(0.5 + 0.17 * g * (sqrt(1 - m) * noise + sqrt(m) * markers), 0, 1)`: noise of random phase and
    amplitude and a few waves, each of variance 1, a share `m` of the waves drawn for each image between .05
    and .25, and a gain `g` for each channel between .8 and 1.2. The bands B1 to B4 are rings of equal width
    in the radius: 0 to 4, 4 to 8, 8 to 12 and 12 to 16 index units, DC apart.

    =====  ==============  ============================================================
    class  noise           markers (vertical, horizontal frequency)
    =====  ==============  ============================================================
    C0     all four bands  (2, 2), (4, 4), (6, 6), (10, 10), in phase: diagonal lines
    C1     all four bands  (0, 3), (0, 6), (0, 10), (0, 14): stripes
    C2     all four bands  (2, 0), (5, 0), (9, 0), (13, 0): stripes across them
    C3     B`band` alone   (1, -1), (4, -4), (7, -7) or (10, -10), the one in that band
    =====  ==============  ============================================================

    Markers are at random places: their phases are drawn for each image. C0 to C2 are the same images in all
    four sets, so that the sets differ in C3 alone, whose spectrum is by far the most distinctive. Clipping
    carries less than .1 % of the energy of C3 out of its band, at most 1 to 2 % of a single image.

    So C3 is told apart at a glance: at no other frequency does it have anything. With an `overlap` it shares
    frequencies with the others: that part of its noise's variance is noise of all four bands, as theirs is,
    and at 1 its marker alone is its own.

    This generator is our own, after the description of the sets Syn_B1 to Syn_B4 of the paper, of which
    the authors published arrays and no generator. It makes other images than theirs.

    Args:
        band: The band of C3, 1 to 4.
        train_per_class: Training images of each class.
        test_per_class: Test images of each class.
        overlap: The part of the variance of C3's noise that lies in all four bands, in [0, 1].
        seed: Seed of all images; image `i` of a class depends on the seed, the split, the class and `i` only.
        batch_size: Images per batch.
        feed: As in `keras_freq.data.load`.

    Returns:
        An `ImageData` as `keras_freq.data.load` gives it: `.train`, `.test`, `.arrays(split)`. The classes
        stand in turn.

    Raises:
        ValueError: If `band` is not 1 to 4 or a number is out of its range.

    Source: after Wang, Veldhuis, Brune, Strisciuglio, What Do Neural Networks Learn in Image Classification?
        A Frequency Shortcut Perspective, ICCV 2023, section 3 (the synthetic sets).
        Differs from the original: see above.

    Example:
        >>> data = kf.data.synthetic_bands(4, train_per_class=10, test_per_class=5)
        >>> data.input_shape, data.classes
        ((32, 32, 3), ('C0', 'C1', 'C2', 'C3'))
    """
    if isinstance(band, bool) or band not in (1, 2, 3, 4):
        raise ValueError(f"`band` must be 1, 2, 3 or 4. Received: band={show(band)}")
    seed = check_whole(seed, "seed", least=0)
    counts = {
        "train": check_whole(train_per_class, "train_per_class"),
        "test": check_whole(test_per_class, "test_per_class"),
    }
    overlap = check_number(overlap, "overlap", least=0, most=1)
    check_choice(feed, "feed", FEEDS)
    check_whole(batch_size, "batch_size")
    splits = {}
    for place, (split, count) in enumerate(counts.items()):
        images = [
            _draw_image(int(band), name, [seed, place, label, i], overlap)
            for i in range(count)
            for label, name in enumerate(CLASSES)
        ]
        splits[split] = np.stack(images), np.tile(np.arange(len(CLASSES), dtype="int32"), count)
    return feed_arrays(
        f"synthetic_b{band}",
        splits,
        CLASSES,
        None,
        taken=dict.fromkeys(splits, "drawn"),
        feed=feed,
        batch_size=batch_size,
        seed=seed,
    )


def _draw_image(band: int, name: str, seed: list[int], overlap: float) -> np.ndarray:
    """One image, float32 `(32, 32, 3)`."""
    rng = np.random.default_rng(seed)
    inner, outer = (EDGES[band - 1], EDGES[band]) if name == "C3" else (EDGES[0], EDGES[-1])
    noise = _draw_noise(inner, outer, rng)
    markers = MARKERS.get(name, BAND_MARKERS[band - 1 : band])
    waves = _draw_lines(rng) if name == "C0" else _draw_waves(markers, rng)
    share = rng.uniform(*MARKER_SHARE)
    gains = rng.uniform(0.8, 1.2, 3)
    if name == "C3" and overlap:  # drawn last: what else is drawn is the same without
        wide = _draw_noise(EDGES[0], EDGES[-1], rng)
        noise = np.sqrt(1 - overlap) * noise / noise.std() + np.sqrt(overlap) * wide / wide.std()
    pattern = np.sqrt(1 - share) * noise / noise.std() + np.sqrt(share) * waves / waves.std()
    return np.clip(MEAN + STD * gains * pattern[..., None], 0, 1).astype("float32")


def _draw_noise(inner: float, outer: float, rng: np.random.Generator) -> np.ndarray:
    """Noise in a ring of frequencies, DC apart."""
    mask = ring_mask(SIZE, SIZE, inner, outer).astype("float64")
    mask[radial_distance(SIZE, SIZE) == 0] = 0
    spectrum = np.fft.fft2(rng.standard_normal((SIZE, SIZE)))
    return np.fft.ifft2(spectrum * np.fft.ifftshift(mask)).real


def _draw_waves(frequencies: tuple[tuple[int, int], ...], rng: np.random.Generator) -> np.ndarray:
    rows, columns = np.indices((SIZE, SIZE))
    phases = rng.uniform(0, 2 * np.pi, len(frequencies))
    waves = (
        np.cos(2 * np.pi * (u * rows + v * columns) / SIZE + phase)
        for (u, v), phase in zip(frequencies, phases, strict=True)
    )
    return sum(waves, start=np.zeros((SIZE, SIZE)))


def _draw_lines(rng: np.random.Generator) -> np.ndarray:
    """Harmonics of one wave, their crests on the same lines."""
    rows, columns = np.indices((SIZE, SIZE))
    shift = rng.uniform(0, SIZE)
    waves = (np.cos(2 * np.pi * (u * rows + v * columns + u * shift) / SIZE) for u, v in MARKERS["C0"])
    return sum(waves, start=np.zeros((SIZE, SIZE)))
