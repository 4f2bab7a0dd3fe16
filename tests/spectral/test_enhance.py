"""The arithmetic of CDES images against float64 NumPy, in every library."""

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq.cdes._kernel_model import initial_kernels
from keras_freq.spectral import _enhance as enhance
from tests.oracles import cdes as oracle
from tests.refusals import refused

to_numpy = keras.ops.convert_to_numpy
KERNELS = initial_kernels(3, 5, 7, seed=0)


@pytest.mark.parametrize("masks", enhance.MASKS)
@pytest.mark.parametrize("rescale", enhance.RESCALES)
def test_against_the_oracle(masks, rescale, images):
    x = images[:2]
    expected = oracle.enhanced(x, KERNELS, 10, masks, rescale)
    options = {"radius": 10, "masks": masks, "rescale": rescale}
    in_numpy = kf.spectral.enhance_density(x.astype("float64"), KERNELS, **options)
    np.testing.assert_allclose(in_numpy, expected, atol=1e-6)
    tensor = keras.ops.convert_to_tensor(x)
    for kernels in (KERNELS, [keras.ops.convert_to_tensor(part) for part in KERNELS]):
        result = to_numpy(kf.spectral.enhance_density(tensor, kernels, **options))
        np.testing.assert_allclose(result, expected, atol=2e-5)
    first = kf.spectral.enhance_density(
        x.transpose(0, 3, 1, 2), KERNELS, **options, data_format="channels_first"
    )
    np.testing.assert_allclose(first.transpose(0, 2, 3, 1), expected, atol=2e-5)


def test_size_that_is_odd_and_not_square():
    x = np.random.default_rng(0).random((2, 17, 24, 3))
    result = kf.spectral.enhance_density(x, KERNELS, radius=4, rescale="none")
    np.testing.assert_allclose(result, oracle.enhanced(x, KERNELS, 4, "complementary", "none"), atol=1e-6)
    single = kf.spectral.enhance_density(x[1], KERNELS, radius=4, rescale="none")
    np.testing.assert_allclose(single, result[1], atol=1e-12)


def test_low_frequencies_stay_and_high_ones_come_from_the_kernels(images):
    result = kf.spectral.enhance_density(images, KERNELS, radius=10, rescale="none")
    # d <= 10 and d < 10.01 are the same bins: no distance on the grid lies between.
    low = kf.spectral.low_pass(result, 10.01)
    np.testing.assert_allclose(low, kf.spectral.low_pass(images, 10.01), atol=2e-6)
    high = kf.spectral.high_pass(result, 10.01)
    changed = oracle.convolve_twice(images, KERNELS)
    np.testing.assert_allclose(high, kf.spectral.high_pass(changed, 10.01), atol=2e-6)


def test_noise_reaches_the_kernels_alone(images, rng):
    noise = rng.random(images.shape).astype("float32") * 0.1
    result = kf.spectral.enhance_density(images, KERNELS, noise=noise, rescale="none")
    low = kf.spectral.low_pass(result, 10.01)
    np.testing.assert_allclose(low, kf.spectral.low_pass(images, 10.01), atol=2e-6)
    changed = oracle.convolve_twice(images + noise, KERNELS)
    np.testing.assert_allclose(
        kf.spectral.high_pass(result, 10.01), kf.spectral.high_pass(changed, 10.01), atol=2e-6
    )


@pytest.mark.once
@pytest.mark.parametrize("size", [32, 31, 17])
def test_the_published_masks_of_any_size(size):
    partner = kf.spectral.mirror_index(size)
    published = oracle.reference_masks(size, 5)
    for ours, wanted in zip(enhance.reference_masks(size, size, 5), published, strict=True):
        np.testing.assert_array_equal(ours, (wanted + wanted[np.ix_(partner, partner)]) / 2)
        if size % 2:
            assert not ours[size // 2].any()
            assert not ours[:, size // 2].any()


def test_the_published_masks():
    low, high = oracle.reference_masks(32, 10)
    disk = kf.spectral.radial_distance(32, 32) <= 10
    partner = kf.spectral.mirror_index(32)
    assert ((low == 0) & (high == 0)).sum() == 56
    assert (low != disk).sum() == 41
    assert [(m != m[np.ix_(partner, partner)]).sum() for m in (low, high)] == [54, 58]
    for ours, published in zip(enhance.reference_masks(32, 32, 10), (low, high), strict=True):
        np.testing.assert_array_equal(ours, (published + published[np.ix_(partner, partner)]) / 2)
        assert kf.spectral.is_hermitian(ours)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernels": KERNELS[:3]}, "`kernels` must be"),
        ({"kernels": [KERNELS[0][:6, :6], *KERNELS[1:]]}, "with an odd size"),
        ({"kernels": initial_kernels(1, 5, 7, seed=0)}, "must have the 1 channels that the kernels are for"),
        ({"radius": -1}, "radius"),
        ({"masks": "published"}, "`masks` must be one of"),
        ({"rescale": "max"}, "`rescale` must be one of"),
    ],
)
def test_bad_input(change, message, images):
    options = {"kernels": KERNELS} | change
    with refused(match=message):
        kf.spectral.enhance_density(images, options.pop("kernels"), **options)
