from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_freq.data import ArrayBatches
from keras_freq.shortcuts import adcs
from keras_freq.spectral import mirror_index
from tests.oracles import adcs as oracle

PUBLISHED = {"channel": "luma", "statistic": "sum", "ties": -1, "include_self": True}


def samples(rng, size=(8, 7), n=21, classes=3):
    return rng.random((n, *size, 3)).astype("float32"), np.arange(n) % classes


@pytest.mark.parametrize("options", [{}, {"channel": "sign_then_mean"}, {"statistic": "sum"}, PUBLISHED])
@pytest.mark.parametrize("size", [(8, 7), (5, 6)])
def test_equals_the_oracle(options, size, rng):
    images, labels = samples(rng, size)
    found = adcs(images, labels, batch_size=4, **options)
    # Pairs of random images are never as close as float32 rounding.
    np.testing.assert_allclose(found.maps, oracle.adcs(images, labels, 3, **options), atol=1e-6)
    amplitudes = np.abs(np.fft.fftshift(np.fft.fft2(images.astype("float64"), axes=(1, 2)), axes=(1, 2)))
    expected = np.stack([amplitudes[labels == c].mean(axis=(0, 3)) for c in range(3)])
    np.testing.assert_allclose(found.amplitudes, expected, rtol=1e-5)
    rows, columns = (mirror_index(side) for side in size)
    np.testing.assert_array_equal(found.maps, found.maps[:, rows][:, :, columns])
    assert found.count_per_class == (7, 7, 7)


def test_two_classes_are_antisymmetric_and_the_range_holds(rng):
    images, labels = samples(rng, classes=2)
    maps = adcs(images, labels).maps
    np.testing.assert_array_equal(maps[0], -maps[1])
    images, labels = samples(rng, classes=5)
    maps = adcs(images, labels).maps
    assert -4 <= maps.min() < maps.max() <= 4
    published = adcs(images, labels, **PUBLISHED).maps
    assert -5 <= published.min() < published.max() <= 3
    np.testing.assert_allclose(maps.sum(axis=0), 0)


def test_ties(rng):
    images, _ = samples(rng, n=4)
    twice, labels = np.concatenate([images, images]), np.repeat([0, 1], 4)
    np.testing.assert_array_equal(adcs(twice, labels).maps, 0)
    np.testing.assert_array_equal(adcs(twice, labels, ties=-1).maps, -1)
    np.testing.assert_array_equal(adcs(twice, labels, ties=-1, include_self=True).maps, -2)


def test_means_do_not_favour_larger_classes(rng):
    images, _ = samples(rng, n=4)
    many = np.concatenate([images, images, 1.1 * images])
    labels = np.repeat([0, 0, 1], 4)
    assert (adcs(many, labels).maps[1] == 1).all()
    assert (adcs(many, labels, statistic="sum").maps[1] == -1).all()


def test_any_feed_and_layout(rng, tmp_path):
    images, labels = samples(rng)
    whole = adcs(images, labels)
    for data in (
        (images, keras.utils.to_categorical(labels)),
        ArrayBatches(images, labels, batch_size=5),
        [(images[:6], labels[:6]), (images[6:], labels[6:])],
    ):
        np.testing.assert_array_equal(adcs(data).maps, whole.maps)
    first = adcs(images.transpose(0, 3, 1, 2), labels, data_format="channels_first")
    np.testing.assert_array_equal(first.maps, whole.maps)
    more = adcs(images, labels, classes=5)
    np.testing.assert_array_equal(more.maps[:3], whole.maps)
    assert np.isnan(more.maps[3:]).all()
    whole.to_json(tmp_path / "adcs.json")
    whole.to_csv(tmp_path / "adcs.csv")
    assert len((tmp_path / "adcs.csv").read_text().splitlines()) == 1 + 3 * 8 * 7


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"channel": "red"}, "`channel` must be one of"),
        ({"statistic": "median"}, "`statistic` must be one of"),
        ({"ties": 1}, "`ties` must be 0 or -1. Received: ties=1"),
        ({"classes": 2}, "`labels` must be from 0 to 1"),
        ({"data_format": "nhwc"}, "`data_format` must be one of"),
    ],
)
def test_refuses_bad_input(changed, message, rng):
    with pytest.raises(ValueError, match=message):
        adcs(*samples(rng), **changed)


def test_needs_two_classes_and_three_channels_for_luma(rng):
    images, labels = samples(rng)
    with pytest.raises(ValueError, match="Received: images of 1 classes"):
        adcs(images, 0 * labels)
    with pytest.raises(ValueError, match="Received: images of 2 channels"):
        adcs(images[..., :2], labels, channel="luma")
