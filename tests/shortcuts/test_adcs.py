import itertools
import tracemalloc

import numpy as np
import pytest

import keras_freq as kf
from keras_freq.shortcuts import adcs
from tests.oracles import adcs as oracle
from tests.refusals import refused

PUBLISHED = {"channel": "luma", "statistic": "sum", "ties": -1, "include_self": True}


def textures(rng, height=8, width=8, n=11, classes=3, channels=3):
    """Noise of as many levels as classes, classes of different size."""
    labels = rng.permutation(np.arange(n) % classes).astype("int32")
    labels[: n // 3] = 0
    images = rng.random((n, height, width, channels)) * rng.uniform(0.9, 1, (classes, 1, 1, channels))[labels]
    return images.astype("float32"), labels


@pytest.mark.parametrize("size", [(8, 8), (9, 8), (7, 9)])
def test_every_form_matches_the_oracle(rng, size):
    images, labels = textures(rng, *size)
    forms = itertools.product(("mean", "luma", "sign_then_mean"), ("mean", "sum"), (0, -1), (False, True))
    for form in forms:
        options = dict(zip(("channel", "statistic", "ties", "include_self"), form, strict=True))
        found = adcs(images, labels, batch_size=4, **options)
        np.testing.assert_allclose(found.maps, oracle.adcs(images, labels, **options), atol=1e-12)
    spectra = np.abs(np.fft.fftshift(np.fft.fft2(images, axes=(1, 2)), axes=(1, 2))).mean(axis=-1)
    means = [spectra[labels == c].mean(axis=0) for c in range(3)]
    np.testing.assert_allclose(found.amplitudes, means, rtol=1e-5)
    assert found.count_per_class == tuple(np.bincount(labels).tolist())
    assert (found.model, found.n, found.size) == (None, 11, size)


@pytest.mark.parametrize("channel", ["mean", "luma", "sign_then_mean"])
def test_two_classes_are_antisymmetric_and_conjugates_agree(rng, channel):
    for size in ((8, 8), (9, 12)):
        images, labels = textures(rng, *size, classes=2)
        maps = adcs(images, labels, channel=channel).maps
        np.testing.assert_array_equal(maps[0], -maps[1])
        assert set(np.unique(maps)) <= ({-1, 1} if channel != "sign_then_mean" else {-1, -1 / 3, 1 / 3, 1})
    for options in ({"channel": channel}, PUBLISHED):
        images, labels = textures(rng, 9, 10, classes=4, n=23)
        found = adcs(images, labels, **options)
        for maps in (found.maps, found.amplitudes):
            maps = np.fft.ifftshift(maps, axes=(1, 2))
            np.testing.assert_array_equal(maps, maps[:, -np.arange(9)][:, :, -np.arange(10)])


def test_the_ranges_of_both_forms(rng):
    classes = 4
    labels = np.repeat(np.arange(classes), 2)
    levels = 1 + labels[:, None, None, None]
    images = (levels * rng.random((1, 8, 8, 3))).astype("float32")
    ours = adcs(images, labels).maps
    np.testing.assert_array_equal(ours, np.broadcast_to([[[-3]], [[-1]], [[1]], [[3]]], (4, 8, 8)))
    published = adcs(images, labels, **PUBLISHED).maps
    # Itself counts as a tie: -C to C - 2.
    np.testing.assert_array_equal(published, ours - 1)


def test_ties(rng):
    image = rng.random((8, 8, 3)).astype("float32")
    images, labels = np.stack([image] * 3), np.arange(3)
    np.testing.assert_array_equal(adcs(images, labels).maps, 0)
    np.testing.assert_array_equal(adcs(images, labels, ties=-1).maps, -2)
    np.testing.assert_array_equal(adcs(images, labels, ties=-1, include_self=True).maps, -3)


def test_means_are_balanced_and_sums_are_not(rng):
    images, labels = textures(rng, n=12, classes=2)
    twice = np.concatenate([images, images[labels == 1]]), np.append(labels, labels[labels == 1])
    np.testing.assert_array_equal(adcs(*twice).maps, adcs(images, labels).maps)
    many = np.concatenate([images] + 5 * [images[labels == 1]])
    more = np.append(labels, np.ones(len(many) - len(images), "int32"))
    np.testing.assert_array_equal(adcs(many, more, statistic="sum").maps[1], 1)


def test_every_kind_of_data_gives_the_same_maps(rng):
    import tensorflow as tf

    images, labels = textures(rng, n=13)
    expected = adcs(images, labels)
    batches = [(images[:5], labels[:5]), (images[5:10], labels[5:10]), (images[10:], labels[10:])]
    for data in (
        (images, labels),
        kf.data.ArrayBatches(images, labels, batch_size=4, shuffle=True, seed=3),
        tf.data.Dataset.from_tensor_slices((images, labels)).batch(6),
        iter(batches),
        [(x, np.eye(3)[y]) for x, y in batches],
    ):
        found = adcs(data)
        assert (found.values, found.n) == (expected.values, 13)
    for batch_size in (1, 2, 64):
        assert adcs(images, labels, batch_size=batch_size).values == expected.values
    first = adcs(images.transpose(0, 3, 1, 2), labels, data_format="channels_first")
    assert first.values == expected.values
    levels = np.round(255 * images).astype("uint8")
    assert adcs(levels, labels).values == adcs(levels / np.float32(255), labels).values


def test_reads_a_set_of_any_length_in_the_memory_of_a_few_batches(rng):
    images, labels = textures(rng, 32, 32, n=32)

    def feed(batches):
        return ((images * np.float32(1 / (1 + k)), labels) for k in range(batches))

    adcs(feed(2))  # compiles
    tracemalloc.start()
    try:
        found = adcs(feed(40))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.n == 40 * 32
    assert most < 12 * images.nbytes


def test_a_class_without_images_is_left_out(rng):
    images, labels = textures(rng, classes=3)
    gap = np.array([0, 2, 3])[labels]
    found = adcs(images, gap, classes=6)
    assert found.maps.shape == (6, 8, 8)
    assert found.count_per_class == tuple(np.bincount(gap, minlength=6).tolist())
    assert np.isnan(found.maps[[1, 4, 5]]).all()
    assert np.isnan(np.array(found.amplitudes)[[1, 4, 5]]).all()
    np.testing.assert_array_equal(found.maps[[0, 2, 3]], adcs(images, labels).maps)


def test_late_classes_are_found_without_their_number(rng):
    images, labels = textures(rng, n=12, classes=4)
    order = np.argsort(labels, kind="stable")
    found = adcs(images[order], labels[order], batch_size=2)
    assert found.values == adcs(images, labels, classes=4).values


def test_rows(rng):
    images, labels = textures(rng, classes=2)
    found = adcs(images, labels, classes=3)
    assert len(found.rows()) == 3 * 64
    rows = {(row["class"], row["u"], row["v"]): row for row in found.rows()}
    assert rows[1, 0, 0]["adcs"] == found.maps[1, 4, 4]
    assert rows[1, 0, 0]["amplitude"] == pytest.approx(images[labels == 1].sum(axis=(1, 2)).mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"channel": "red"}, "`channel` must be one of .* Received: channel='red'"),
        ({"statistic": "median"}, "`statistic` must be one of"),
        ({"ties": 1}, "`ties` must be 0 or -1. Received: ties=1"),
        ({"ties": False}, "`ties` must be 0 or -1"),
        ({"data_format": "nhwc"}, "`data_format` must be one of"),
        ({"classes": 0}, "`classes` must be a whole number"),
        ({"classes": 2}, "`classes` must be above every label. Received: classes=2, label 2"),
        (
            {"labels": np.zeros(11, int)},
            "two of them must have images. Received: images of 1 classes",
        ),
        ({"labels": np.zeros(4, int)}, "must have the same length"),
        ({"images": np.zeros((11, 8, 8, 1), "float32"), "channel": "luma"}, "needs images of 3 channels"),
    ],
)
def test_refuses_bad_input(rng, changed, message):
    images, labels = textures(rng)
    arguments = {"images": images, "labels": labels, **changed}
    with refused(match=message):
        adcs(arguments.pop("images"), arguments.pop("labels"), **arguments)


def test_refuses_images_without_labels(rng):
    with pytest.raises(TypeError, match="`data` must be"):
        adcs(textures(rng)[0])
