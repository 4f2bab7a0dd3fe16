import numpy as np
import pytest

from keras_freq.data import synthetic_bands
from keras_freq.data._synthetic_bands import BAND_MARKERS, MARKERS
from keras_freq.spectral import radial_distance


def energy(images):
    """Mean power of images `(n, 32, 32, 3)` by centered frequency, DC apart."""
    spectrum = np.abs(np.fft.fftshift(np.fft.fft2(images.astype("float64"), axes=(1, 2)), axes=(1, 2))) ** 2
    power = spectrum.mean(axis=(0, 3))
    power[16, 16] = 0
    return power


@pytest.mark.once
@pytest.mark.parametrize("band", [1, 2, 3, 4])
def test_c3_lies_in_its_band_and_the_others_in_all(band):
    data = synthetic_bands(band, train_per_class=30, test_per_class=1)
    images, labels = data.arrays("train")
    distance = radial_distance(32, 32)
    rings = [(distance >= 4 * b) & (distance < 4 * (b + 1)) for b in range(4)]
    shares = [
        np.array([power[ring].sum() for ring in rings]) / power.sum()
        for power in (energy(images[labels == label]) for label in range(4))
    ]
    assert shares[3][band - 1] > 0.999  # the rest is what clipping leaks
    c3 = images[labels == 3]
    assert (
        min(energy(c3[i : i + 1])[rings[band - 1]].sum() / energy(c3[i : i + 1]).sum() for i in range(30))
        > 0.98
    )
    for share in shares[:3]:
        assert share.min() > 0.03
        assert share.sum() > 0.98  # nothing in the corners


@pytest.mark.once
@pytest.mark.parametrize("overlap", [0.25, 0.5, 1])
def test_an_overlap_is_the_part_of_c3_outside_its_band_that_the_others_have(overlap):
    images, labels = synthetic_bands(2, train_per_class=60, test_per_class=1, overlap=overlap).arrays("train")
    distance = radial_distance(32, 32)
    inside = (distance >= 4) & (distance < 8)
    all_bands = (distance > 0) & (distance < 16)
    power = energy(images[labels == 3])
    noise = 1 - 0.15  # the mean of what is no marker
    expected = noise * overlap * (all_bands & ~inside).sum() / all_bands.sum()
    assert power[~inside].sum() / power.sum() == pytest.approx(expected, abs=0.02)
    assert images[labels == 3].std() == pytest.approx(0.17, abs=0.01)
    # Nothing else is another.
    plain = synthetic_bands(2, train_per_class=60, test_per_class=1).arrays("train")[0]
    np.testing.assert_array_equal(images[labels < 3], plain[labels < 3])


@pytest.mark.once
def test_markers_stand_out_of_the_noise():
    distance = radial_distance(32, 32)
    for band in (2, 4):
        images, labels = synthetic_bands(band, train_per_class=60, test_per_class=1).arrays("train")
        for label, markers in enumerate((*MARKERS.values(), BAND_MARKERS[band - 1 : band])):
            power = energy(images[labels == label])
            inner, outer = (4 * band - 4, 4 * band) if label == 3 else (1, 16)
            typical = np.median(power[(distance >= inner) & (distance < outer)])
            for u, v in markers:
                assert power[16 + u, 16 + v] > 3 * typical
                np.testing.assert_allclose(power[16 + u, 16 + v], power[16 - u, 16 - v])


@pytest.mark.once
def test_images_are_seeded_one_by_one():
    small = synthetic_bands(3, train_per_class=3, test_per_class=2, seed=5)
    large = synthetic_bands(3, train_per_class=4, test_per_class=2, seed=5)
    np.testing.assert_array_equal(large.arrays("train")[0][:12], small.arrays("train")[0])
    np.testing.assert_array_equal(large.arrays("test")[0], small.arrays("test")[0])
    assert not np.array_equal(small.arrays("train")[0][:8], small.arrays("test")[0])
    other = synthetic_bands(3, train_per_class=3, test_per_class=2, seed=6)
    assert not np.array_equal(other.arrays("test")[0], small.arrays("test")[0])
    # C0 to C2 are the same in all sets.
    fourth = synthetic_bands(4, train_per_class=3, test_per_class=2, seed=5).arrays("train")[0]
    same = (fourth == small.arrays("train")[0]).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(same, np.arange(12) % 4 < 3)


def test_statistics_and_feeds():
    data = synthetic_bands(2, train_per_class=20, test_per_class=5, batch_size=16)
    images, labels = data.arrays("train")
    assert (images.dtype, images.shape) == ("float32", (80, 32, 32, 3))
    np.testing.assert_array_equal(np.bincount(labels), 20)
    assert 0 <= images.min() < images.max() <= 1
    assert images.mean() == pytest.approx(0.5, abs=0.01)
    assert images.std() == pytest.approx(0.17, abs=0.01)
    assert (data.name, data.classes, data.input_shape) == (
        "synthetic_b2",
        ("C0", "C1", "C2", "C3"),
        (32, 32, 3),
    )
    first, _ = next(iter(data.train))
    assert tuple(first.shape) == (16, 32, 32, 3)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"band": 0}, "`band` must be 1, 2, 3 or 4. Received: band=0"),
        ({"band": True}, "Received: band=True"),
        ({"train_per_class": 0}, "`train_per_class`"),
        ({"test_per_class": 0.5}, "`test_per_class`"),
        ({"overlap": 1.5}, "`overlap`"),
        ({"seed": -1}, "`seed`"),
        ({"feed": "list"}, "`feed` must be"),
    ],
)
def test_refuses_bad_input(changed, message):
    given = {"band": 1, "train_per_class": 1, "test_per_class": 1} | changed
    with pytest.raises(ValueError, match=message):
        synthetic_bands(given.pop("band"), **given)
