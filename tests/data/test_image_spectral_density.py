"""Spectral density of images against float64 NumPy, over feeds of every kind and over classes."""

import keras
import numpy as np
import pytest

from keras_freq.data import ArrayBatches, image_spectral_density
from tests.oracles import spectral as oracle
from tests.refusals import refused


@pytest.fixture
def images():
    # Smooth and rough images: profiles that differ.
    noise = np.random.default_rng(3).random((13, 20, 17, 3))
    smooth = (noise + np.roll(noise, 1, axis=1) + np.roll(noise, 1, axis=2)) / 3
    return np.where(np.arange(13)[:, None, None, None] % 2, noise, smooth).astype("float32")


LABELS = np.array([0, 1, 3, 3, 1, 0, 0, 0, 3, 1, 1, 0, 3])


@pytest.mark.parametrize(
    "options", [{}, {"center": "pixel", "bins": "inner"}, {"normalize": False}, {"n": 7}, {"n": 10}]
)
def test_mean_and_deviation(images, options):
    result = image_spectral_density((images, LABELS), batch_size=5, units="index", **options)
    n = options.get("n", 13)
    shape = {name: value for name, value in options.items() if name in ("center", "bins")}
    if options.get("normalize", True):
        expected = oracle.density(images[:n], **shape)
        limit = 2e-6
    else:
        gray = images[:n].astype("float64") @ np.array([0.2989, 0.5870, 0.1140])
        maps = 20 * np.log(1 + np.abs(oracle.spectrum(gray[..., None])[..., 0]))
        expected, limit = np.stack([oracle.azimuthal(one) for one in maps]), 1e-4
    np.testing.assert_allclose(result.mean, expected.mean(axis=0), atol=limit)
    np.testing.assert_allclose(result.deviation, expected.std(axis=0), atol=limit)
    assert (result.n, result.size, len(result.radii)) == (n, (20, 17), expected.shape[1])
    assert result.count_per_class == (*np.bincount(LABELS[:n], minlength=4).tolist(),)
    for label in (0, 1, 3):
        one = result.of_class(label)
        own = expected[LABELS[:n] == label]
        np.testing.assert_allclose(one.mean, own.mean(axis=0), atol=limit)
        np.testing.assert_allclose(one.deviation, own.std(axis=0), atol=limit)
        assert one.n == len(own)
        assert one.count_per_class == ()
    assert np.isnan(result.mean_per_class[2]).all()
    if options.get("normalize", True):
        rings = image_spectral_density((images, LABELS), **options).ring_means()
        assert rings["low"] > rings["high"]


def test_rings_of_images_that_are_not_square():
    """A wave of .078 cycles per pixel is a low frequency along either side."""
    wave = 0.5 + 0.4 * np.cos(2 * np.pi * 10 * np.arange(128) / 128)
    images = np.broadcast_to(wave[None, None, :, None], (4, 32, 128, 1)).astype("float32")
    for x in (images, images.swapaxes(1, 2)):
        result = image_spectral_density(x, normalize=False)
        rings = result.ring_means((1 / 8, 1 / 4))
        assert result.units == "cycles_per_pixel"
        assert rings["low"] > 100 * max(rings["mid"], rings["high"])
    with refused("units='cycles_per_pixel'"):
        image_spectral_density(images, units="index").ring_means()
    square = images[:, :, :32]
    index, scaled = (image_spectral_density(square, units=units) for units in (None, "cycles_per_pixel"))
    assert index.mean == scaled.mean
    assert index.ring_means() == scaled.ring_means()
    np.testing.assert_allclose(np.array(index.radii) / 32, scaled.radii)


def test_every_feed_gives_the_same(images):
    wanted = image_spectral_density((images, LABELS), batch_size=4)
    feeds = {
        "pydataset": ArrayBatches(images, LABELS, batch_size=4),
        "list": [(images[i : i + 4], LABELS[i : i + 4]) for i in range(0, 13, 4)],
    }
    for name, feed in feeds.items():
        found = image_spectral_density(feed)
        np.testing.assert_allclose(found.mean_per_class, wanted.mean_per_class, err_msg=name)
        assert found.n == 13
    alone = image_spectral_density(images, batch_size=4)
    np.testing.assert_array_equal(alone.mean, wanted.mean)
    assert alone.count_per_class == alone.mean_per_class == ()
    first = image_spectral_density(images.transpose(0, 3, 1, 2), data_format="channels_first", batch_size=4)
    np.testing.assert_allclose(first.mean, wanted.mean, atol=1e-6)
    assert first.size == (20, 17)
    backend = image_spectral_density((keras.ops.convert_to_tensor(images), LABELS), batch_size=4)
    np.testing.assert_array_equal(backend.mean, wanted.mean)
    gray = images.mean(axis=-1, keepdims=True)
    np.testing.assert_allclose(
        image_spectral_density(gray, units="index").mean, oracle.density(gray).mean(axis=0), atol=2e-6
    )


def test_flat_images_are_0_and_mixed_precision_does_not_reach_them(images):
    np.testing.assert_array_equal(image_spectral_density(np.zeros((3, 8, 8, 3), "float32")).mean, 0)
    wanted = image_spectral_density(images)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert image_spectral_density(images).mean == wanted.mean
    finally:
        keras.config.set_dtype_policy("float32")


def test_rows(images):
    result = image_spectral_density((images, LABELS))
    rows, bands = result.rows(), len(result.radii)
    assert [row["class"] for row in rows[::bands]] == ["all", 0, 1, 2, 3]
    assert rows[bands]["mean"] == result.mean_per_class[0][0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"center": "corner"}, "center='corner'"),
        ({"bins": "outer"}, "bins='outer'"),
        ({"normalize": None}, "normalize=None"),
        ({"data_format": "nhwc"}, "data_format='nhwc'"),
        ({"n": 0}, "n=0"),
        ({"n": 14}, "at most the number of images, here 13. Received: n=14"),
        ({"data": []}, "0 batches"),
        ({"data": np.zeros((0, 8, 8, 3), "float32")}, "(0, 8, 8, 3)"),
        ({"data": np.full((2, 8, 8, 3), np.nan, "float32")}, "NaN"),
    ],
)
def test_bad_input(images, change, says):
    change = {"data": (images, LABELS), **change}
    with refused(says):
        image_spectral_density(change.pop("data"), **change)


@pytest.mark.parametrize("label", [2, 4, -1, "cat"])
def test_a_class_without_images_has_no_density(images, label):
    with pytest.raises(ValueError, match=r"one of \[0, 1, 3\]\. Received: label="):
        image_spectral_density((images, LABELS)).of_class(label)
