"""The blur's transfer function and the swap of low amplitudes."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_freq.spectral as spectral
from tests.oracles import augmentations as oracle
from tests.spectral.test_in_frameworks import gradient

to_numpy, to_tensor = keras.ops.convert_to_numpy, keras.ops.convert_to_tensor
ARRAY = pytest.param(np.asarray, marks=pytest.mark.once)


@pytest.mark.once
@settings(max_examples=15, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.floats(0.05, 20), st.sampled_from([1, 3, 5, 9]))
def test_blur_mask_is_the_convolution(height, width, sigma, kernel_size):
    x = np.random.default_rng(0).random((1, height, width, 2))
    mask = spectral.blur_mask(height, width, sigma, kernel_size=kernel_size)
    assert spectral.is_hermitian(mask)
    assert mask[height // 2, width // 2] == pytest.approx(1, abs=1e-6)
    expected = oracle.blurred(x[0], sigma, kernel_size)
    np.testing.assert_allclose(spectral.apply_mask(x, mask)[0], expected, atol=1e-6)


def test_blur_mask_of_extremes():
    np.testing.assert_array_equal(spectral.blur_mask(8, 9, 1e-300), np.ones((8, 9)))
    np.testing.assert_array_equal(spectral.blur_mask(8, 9, 3, kernel_size=1), np.ones((8, 9)))


@pytest.mark.parametrize("method", ["fft", "matmul"])
@pytest.mark.parametrize("convert", [ARRAY, to_tensor], ids=["array", "tensor"])
@pytest.mark.parametrize("half_width", [0, 2, 16])
def test_swap_low_amplitude_equals_numpy(convert, method, half_width):
    x, d = np.random.default_rng(1).random((2, 3, 33, 20, 3)).astype("float32")
    mask = spectral.square_mask(33, 20, half_width + 0.5)
    result = spectral.swap_low_amplitude(convert(x), convert(d), mask, method=method)
    expected = [oracle.low_amplitude_swapped(a, b, half_width) for a, b in zip(x, d, strict=True)]
    np.testing.assert_allclose(to_numpy(result), expected, atol=5e-6)


def test_swap_low_amplitude_at_its_ends_and_between():
    x, d = np.random.default_rng(1).random((2, 3, 12, 9, 3))
    none, all_ = np.zeros((12, 9)), np.ones((12, 9))
    np.testing.assert_allclose(spectral.swap_low_amplitude(x, d, none), x, atol=1e-12)
    whole = spectral.recombine(d, x, axes="hw")
    np.testing.assert_allclose(spectral.swap_low_amplitude(x, d, all_), whole, atol=1e-9)
    half = spectral.swap_low_amplitude(x, d, 0.5 * all_)
    np.testing.assert_allclose(half, (x + whole) / 2, atol=1e-9)
    np.testing.assert_allclose(spectral.swap_low_amplitude(x, x, all_), x, atol=1e-9)
    first = spectral.swap_low_amplitude(
        *(np.moveaxis(a, -1, 1) for a in (x, d)), all_, data_format="channels_first"
    )
    np.testing.assert_allclose(np.moveaxis(first, 1, -1), whole, atol=1e-9)


def test_swap_low_amplitude_takes_a_tensor_as_mask():
    x, d = np.random.default_rng(1).random((2, 3, 12, 9, 3)).astype("float32")
    mask = spectral.disk_mask(12, 9, 3)
    result = spectral.swap_low_amplitude(to_tensor(x), to_tensor(d), to_tensor(mask))
    np.testing.assert_allclose(to_numpy(result), spectral.swap_low_amplitude(x, d, mask), atol=3e-6)
    with pytest.raises(ValueError, match=r"images' size \(12, 9\).*mask.shape=\(9, 12\)"):
        spectral.swap_low_amplitude(to_tensor(x), to_tensor(d), to_tensor(mask.T))


def test_swap_low_amplitude_in_a_functional_model():
    x, d = np.random.default_rng(1).random((2, 3, 12, 9, 3)).astype("float32")
    inputs = [keras.Input((12, 9, 3)), keras.Input((12, 9, 3))]
    model = keras.Model(inputs, spectral.swap_low_amplitude(*inputs, spectral.disk_mask(12, 9, 3)))
    expected = spectral.swap_low_amplitude(x, d, spectral.disk_mask(12, 9, 3))
    for each in (model, keras.Model.from_config(model.get_config())):
        np.testing.assert_allclose(to_numpy(each([x, d])), expected, atol=3e-6)


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_swap_low_amplitude_has_finite_gradients(value):
    x = np.full((2, 8, 9, 3), value, "float32")
    mask = spectral.square_mask(8, 9, 2)
    result = gradient(lambda x: spectral.swap_low_amplitude(x, x * 0.5, mask), x)
    assert np.isfinite(result).all()
